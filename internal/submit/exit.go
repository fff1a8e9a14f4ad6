package submit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Exit codes of the command line. They tell the final state: with any code
// but ExitLeft and ExitWait nothing of the command is left behind.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitInput       = 2
	ExitDiffers     = 3
	ExitNotFound    = 4
	ExitExists      = 5
	ExitUnreachable = 6
	ExitUndone      = 7
	ExitLeft        = 8
	ExitWait        = 9
	ExitInterrupted = 130
)

// ExitCode is the exit code that goes with an error, ExitOK for none.
func ExitCode(err error) int {
	switch outcome.KindOf(err) {
	case "":
		return ExitOK
	case outcome.Usage:
		return ExitInput
	case outcome.Differs:
		return ExitDiffers
	case outcome.NotFound:
		return ExitNotFound
	case outcome.Exists, outcome.Busy:
		return ExitExists
	case outcome.Unreachable:
		return ExitUnreachable
	case outcome.Undone:
		return ExitUndone
	case outcome.LeftBehind:
		return ExitLeft
	case outcome.WaitExpired:
		return ExitWait
	case outcome.Interrupted:
		return ExitInterrupted
	}
	return ExitFailure
}

// Leftover is something that a failed command could not take back.
type Leftover struct {
	// What it is and where, such as "job heron.nomad.wc on http://…".
	What string `json:"what"`
	// Why it could not be removed.
	Why string `json:"why"`

	// beyondUs: no command of ours can remove it.
	beyondUs bool
}

// keptError says that a store cannot remove what is in it.
type keptError struct{ err error }

func (e *keptError) Error() string { return e.err.Error() + "; remove it there by hand" }
func (e *keptError) Unwrap() error { return e.err }

// Failure is the end of a command that had begun to change things.
type Failure struct {
	// Step is what was being done, Err why it failed.
	Step string
	Err  error
	// Undone lists what was taken back, in that order; Left what was not.
	Undone []string
	Left   []Leftover
	// Repair is the command that removes what is left.
	Repair string
}

// Error says what failed, why, what was taken back and what to do about the
// rest.
func (f *Failure) Error() string {
	var b strings.Builder
	if errors.Is(f.Err, context.Canceled) {
		fmt.Fprintf(&b, "interrupted while trying to %s", f.Step)
	} else {
		fmt.Fprintf(&b, "%s: %v", f.Step, f.Err)
	}
	if len(f.Left) == 0 {
		if len(f.Undone) > 0 {
			fmt.Fprintf(&b, "; undone: %s; nothing is left", strings.Join(f.Undone, ", "))
		} else {
			b.WriteString("; nothing is left")
		}
		return b.String()
	}
	if len(f.Undone) > 0 {
		fmt.Fprintf(&b, "; undone: %s", strings.Join(f.Undone, ", "))
	}
	for _, l := range f.Left {
		fmt.Fprintf(&b, "; still there: %s", l.What)
		if l.Why != "" {
			fmt.Fprintf(&b, " (%s)", l.Why)
		}
	}
	if f.Repair != "" {
		fmt.Fprintf(&b, "; to clean up: %s", f.Repair)
	}
	return b.String()
}

// beyondUs says that nothing is left that a command could remove.
func (f *Failure) beyondUs() bool {
	for _, l := range f.Left {
		if !l.beyondUs {
			return false
		}
	}
	return true
}

// Unwrap is the reason of the failure.
func (f *Failure) Unwrap() error { return f.Err }

// Kind tells the final state.
func (f *Failure) Kind() outcome.Kind {
	switch {
	case len(f.Left) > 0:
		return outcome.LeftBehind
	case errors.Is(f.Err, context.Canceled):
		return outcome.Interrupted
	}
	return outcome.Undone
}
