package dryrun

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/packing/java"
)

// UpdateInput is what a dry run of an update shows.
type UpdateInput struct {
	// PackingClass and RepackingClass are as configured; Raw and JSON print
	// the first, tables the second, as the original does.
	PackingClass, RepackingClass string
	// Topology is the topology's name.
	Topology string
	// Old is the plan as stored, New the one that would be.
	Old, New *packing.Plan
}

// Update prints in as the original does. Its JSON is two documents, each below
// a line that says which.
func Update(w io.Writer, f Format, in UpdateInput) error {
	out := &bytes.Buffer{}
	switch f {
	case Raw:
		fmt.Fprintf(out, "Packing class: %s\nTopology: %s\nNew packing plan:\n%s\nOld packing plan:\n%s\n",
			in.PackingClass, in.Topology, in.New, in.Old)
	case JSON:
		out.WriteString("New packing plan:\n")
		writeJSON(out, SubmitInput{in.PackingClass, in.Topology, in.New})
		out.WriteString("\nOld packing plan:\n")
		writeJSON(out, SubmitInput{in.PackingClass, in.Topology, in.Old})
		out.WriteByte('\n')
	case Table:
		writeUpdate(out, in, paint{title: plain, added: plain, removed: plain, gone: plain})
	case ColoredTable:
		writeUpdate(out, in, paint{title: bold, added: green, removed: red, gone: func(s string) string { return red(struck(s)) }})
	default:
		return &FormatError{Name: string(f)}
	}
	if _, err := out.WriteTo(w); err != nil {
		return fmt.Errorf("print the packing plans: %w", err)
	}
	return nil
}

// paint is how the parts of an update's tables are dressed; gone is for cells
// of removed rows.
type paint struct{ title, added, removed, gone style }

func green(s string) string { return "\x1b[32m" + s + "\x1b[0m" }

func red(s string) string { return "\x1b[31m" + s + "\x1b[0m" }

// struck puts a stroke through every character.
func struck(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
		b.WriteRune('\u0336')
	}
	return b.String()
}

// pair is a container before and after; either may be missing.
type pair struct{ old, now *packing.Container }

func writeUpdate(out *bytes.Buffer, in UpdateInput, p paint) {
	pairs := map[int32]pair{}
	for i := range in.Old.Containers {
		c := &in.Old.Containers[i]
		pairs[c.ID] = pair{old: c}
	}
	for i := range in.New.Containers {
		c := &in.New.Containers[i]
		pairs[c.ID] = pair{old: pairs[c.ID].old, now: c}
	}
	fmt.Fprintf(out, "Total number of containers: %d\n", len(in.New.Containers))
	fmt.Fprintf(out, "Using repacking class: %s\n", in.RepackingClass)
	ids := make([]int32, 0, len(pairs))
	for id := range pairs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i, id := range ids {
		if i > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(p.title(fmt.Sprintf("Container %d", id)))
		out.WriteByte(' ')
		writePair(out, pairs[id], p)
	}
}

func writePair(out *bytes.Buffer, c pair, p paint) {
	switch {
	case c.old == nil:
		out.WriteString(p.added("NEW") + "\n" + usage(c.now.Required))
		writeRows(out, dressed(c.now.Instances, p.added), p.title)
	case c.now == nil:
		out.WriteString(p.removed("REMOVED") + "\n" + usage(c.old.Required))
		writeRows(out, dressed(c.old.Instances, p.gone), p.title)
	case same(*c.old, *c.now):
		out.WriteString("UNAFFECTED\n" + usage(c.now.Required))
		writeRows(out, dressed(c.now.Instances, plain), p.title)
	default:
		var kept, added, removed []packing.Instance
		for _, in := range c.now.Instances {
			if slices.Contains(c.old.Instances, in) {
				kept = append(kept, in)
			} else {
				added = append(added, in)
			}
		}
		for _, in := range c.old.Instances {
			if !slices.Contains(c.now.Instances, in) {
				removed = append(removed, in)
			}
		}
		out.WriteString("MODIFIED\n" + usageChange(c.old.Required, c.now.Required, p))
		rows := slices.Concat(dressed(kept, plain), dressed(added, p.added), dressed(removed, p.gone))
		writeRows(out, rows, p.title)
	}
}

// same compares all that a plan says of a container, in any order. A stored
// one says what the scheduler gives, and so differs from one that is new.
func same(a, b packing.Container) bool {
	if a.Required != b.Required || len(a.Instances) != len(b.Instances) {
		return false
	}
	if (a.Scheduled == nil) != (b.Scheduled == nil) || a.Scheduled != nil && *a.Scheduled != *b.Scheduled {
		return false
	}
	for _, in := range a.Instances {
		if !slices.Contains(b.Instances, in) {
			return false
		}
	}
	return true
}

// usage is the line of a container's resources.
func usage(r packing.Resource) string {
	none := func(_, _ float64) string { return "" }
	return usageLine(r, r, none)
}

// usageChange is the same line with how much each resource changes. Changes
// are those of the numbers that are printed: sizes count in whole MB. As with
// the original, the change from 0 MB to 0 MB is "NaN%".
func usageChange(old, now packing.Resource, p paint) string {
	return usageLine(old, now, func(was, is float64) string {
		percent := (is - was) / was * 100
		if percent == 0 {
			return ""
		}
		text := java.Fixed(percent, 2) + "%"
		if percent > 0 {
			return " (" + p.added("+"+text) + ")"
		}
		return " (" + p.removed(text) + ")"
	})
}

func usageLine(old, now packing.Resource, change func(was, is float64) string) string {
	size := func(was, is int64) string {
		was, is = packing.Megabytes(was), packing.Megabytes(is)
		return fmt.Sprintf("%d MB%s", is, change(float64(was), float64(is)))
	}
	return fmt.Sprintf("CPU: %s%s, RAM: %s, Disk: %s\n",
		java.Double(now.CPU), change(old.CPU, now.CPU), size(old.RAM, now.RAM), size(old.Disk, now.Disk))
}
