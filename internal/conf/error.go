package conf

import (
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Error is a mistake in the configuration: where it stands, what is wrong and
// what would be right. It is bad input, so nothing has been done yet.
type Error struct {
	// File is the path of the file, or the name of the flag or variable that
	// the value came from; "" where it is in none.
	File string
	// Line counts from 1; 0 is unknown.
	Line int
	// Key is the key in question; "" where the file as a whole is wrong.
	Key string
	// Msg says what is wrong, Hint what would be valid.
	Msg, Hint string
	Err       error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("configuration")
	if e.File != "" {
		fmt.Fprintf(&b, " %s", e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
	}
	if e.Key != "" {
		fmt.Fprintf(&b, ": %s", e.Key)
	}
	if e.Msg != "" {
		fmt.Fprintf(&b, ": %s", e.Msg)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "; %s", e.Hint)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *Error) Kind() outcome.Kind { return outcome.Usage }
