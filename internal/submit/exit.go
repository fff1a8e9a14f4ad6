package submit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
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

// ExitCode is the exit code that goes with an error, ExitOK for none. An
// error that knows its own code wins over the classes of errors it wraps.
func ExitCode(err error) int {
	var coder interface{ ExitCode() int }
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &coder):
		return coder.ExitCode()
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, statemgr.ErrExists), errors.Is(err, nomad.ErrExists), errors.Is(err, nomad.ErrConflict):
		return ExitExists
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, statemgr.ErrUnreachable),
		errors.Is(err, nomad.ErrUnreachable), errors.Is(err, uploader.ErrUnreachable):
		return ExitUnreachable
	}
	return ExitFailure
}

// codeError gives an error an exit code.
type codeError struct {
	err  error
	code int
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }
func (e *codeError) ExitCode() int { return e.code }

// withCode makes an error with an exit code of its own.
func withCode(code int, format string, args ...any) error {
	return &codeError{err: fmt.Errorf(format, args...), code: code}
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

// ExitCode tells the final state.
func (f *Failure) ExitCode() int {
	switch {
	case len(f.Left) > 0:
		return ExitLeft
	case errors.Is(f.Err, context.Canceled):
		return ExitInterrupted
	}
	return ExitUndone
}
