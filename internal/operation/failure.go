package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Failure is the end of an operation that had begun to change things.
type Failure struct {
	// Action and Of are the step that failed, Err is why.
	Action string
	Of     outcome.Resource
	Err    error
	// Removed lists what the operation had removed before it failed.
	Removed []outcome.Resource
	// Done lists what the operation had changed before it failed, and what
	// stays so: it is half done.
	Done []outcome.Resource
	// Undone lists what was undone, in that order; Left what was not.
	Undone []outcome.Resource
	Left   []outcome.Leftover
	// Remedy removes what is left, or finishes what is half done; nil where nothing
	// does.
	Remedy *outcome.Remedy
	// Base says what is there when all is undone, "" for nothing.
	Base string
}

// Error says what failed and why. Aftermath says what became of the rest.
func (f *Failure) Error() string {
	if errors.Is(f.Err, context.Canceled) {
		return fmt.Sprintf("interrupted while trying to %s", outcome.Phrase(f.Action, f.Of))
	}
	return fmt.Sprintf("%s: %v", outcome.Phrase(f.Action, f.Of), f.Err)
}

// Aftermath says what became of what the operation had done, to be put behind
// Error.
func (f *Failure) Aftermath() string {
	var b strings.Builder
	list := func(what string, resources []outcome.Resource) {
		said := map[outcome.Resource]bool{}
		for i, r := range resources {
			sep := ", "
			if i == 0 {
				sep = "; " + what + ": "
			}
			if !said[r] {
				b.WriteString(sep + r.String())
			}
			said[r] = true
		}
	}
	list("removed before", f.Removed)
	list("undone", f.Undone)
	list("done before", f.Done)
	switch {
	case len(f.Left)+len(f.Done) > 0:
	case f.Base != "":
		b.WriteString("; " + f.Base)
	default:
		b.WriteString("; nothing is left")
	}
	for _, l := range f.Left {
		b.WriteString("; still there: " + l.String())
		if l.Why != "" {
			b.WriteString(" (" + l.Why + ")")
		}
		if l.ByHand {
			b.WriteString("; remove it there by hand")
		}
	}
	return b.String()
}

// Unwrap is the reason of the failure.
func (f *Failure) Unwrap() error { return f.Err }

// Kind tells the final state.
func (f *Failure) Kind() outcome.Kind {
	switch {
	case len(f.Left)+len(f.Done) > 0:
		return outcome.LeftBehind
	case errors.Is(f.Err, context.Canceled):
		return outcome.Interrupted
	}
	return outcome.Undone
}

// repairable says that something is left which a command can remove, or half
// done that one can finish.
func (f *Failure) repairable() bool {
	if len(f.Done) > 0 {
		return true
	}
	for _, l := range f.Left {
		if !l.ByHand {
			return true
		}
	}
	return false
}

// KeptError is how a step ends that could not remove its resource and does not
// hold up the others for it.
type KeptError struct {
	// Err is why it was kept.
	Err error
	// Foreign: it could have been removed, but not with this configuration. The
	// run then fails at its end.
	Foreign bool
}

// Error is the reason.
func (e *KeptError) Error() string { return e.Err.Error() }

// Unwrap is the reason.
func (e *KeptError) Unwrap() error { return e.Err }
