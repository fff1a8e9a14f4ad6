// Package dryrun prints packing plans as the original's dry run does, so that
// scripts that read it continue to work. It decides nothing and asks no server:
// what it prints was computed before.
//
// The plan to print is the one before all containers were given the same: it
// shows what each container needs. The original lists containers and
// instances in the order of its hash sets; here containers come by id and
// instances by task id.
package dryrun

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
)

// Format is a way to print a plan.
type Format string

// The formats, under the names that the original gives them.
const (
	// Raw is one line of nested braces below three of explanation.
	Raw Format = "raw"
	// Table is for people; ColoredTable has bold titles as well, as escape
	// sequences of a terminal.
	Table        Format = "table"
	ColoredTable Format = "colored_table"
	// JSON is one line.
	JSON Format = "json"
)

// Formats lists the names of all formats.
func Formats() []string {
	return []string{string(Raw), string(Table), string(ColoredTable), string(JSON)}
}

// FormatError is about a name that is no format.
type FormatError struct{ Name string }

// Error names the formats there are.
func (e *FormatError) Error() string {
	return fmt.Sprintf("unknown dry-run format %q; use one of %s", e.Name, strings.Join(Formats(), ", "))
}

// Kind implements the contract of package outcome.
func (e *FormatError) Kind() outcome.Kind { return outcome.Usage }

// ParseFormat is the format of this name; upper and lower case differ.
func ParseFormat(name string) (Format, error) {
	if !slices.Contains(Formats(), name) {
		return "", &FormatError{Name: name}
	}
	return Format(name), nil
}

// SubmitInput is what a dry run of a submit shows.
type SubmitInput struct {
	// PackingClass is the packing algorithm as it was configured.
	PackingClass string
	// Topology is the topology's name.
	Topology string
	// Plan is the plan as packed, sorted as Plan documents it.
	Plan *packing.Plan
}

// Submit prints in, exactly as the original does: Raw and JSON end without a
// line feed.
func Submit(w io.Writer, f Format, in SubmitInput) error {
	out := &bytes.Buffer{}
	switch f {
	case Raw:
		fmt.Fprintf(out, "Packing class: %s\nTopology: %s\nPacking plan:\n%s", in.PackingClass, in.Topology, in.Plan)
	case Table:
		writeTables(out, in, plain)
	case ColoredTable:
		writeTables(out, in, bold)
	case JSON:
		writeJSON(out, in)
	default:
		return &FormatError{Name: string(f)}
	}
	if _, err := out.WriteTo(w); err != nil {
		return fmt.Errorf("print the packing plan: %w", err)
	}
	return nil
}
