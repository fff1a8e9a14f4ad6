package submit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

// step is one side effect with its undo. Both may be repeated, and undo must
// be safe after a do whose result is unknown.
type step struct {
	// name continues "trying to …".
	name string
	do   func(ctx context.Context) error
	// undo takes the step back and says whether there was anything to take
	// back; nil for a step that leaves nothing.
	undo func(ctx context.Context) (bool, error)
	// what names the thing that do makes, or removes.
	what string
	// removes says that do takes what away.
	removes bool
}

// Report takes one line of progress for a person. It may be nil.
type Report func(format string, args ...any)

func (r Report) say(format string, args ...any) {
	if r != nil {
		r(format, args...)
	}
}

// run is a list of steps to carry out.
type run struct {
	steps []step
	// repair is the command that removes what could not be undone.
	repair string
	report Report
	// unnamed says that nobody knows what an upload that failed has left: its
	// place would have been told at its end.
	unnamed bool
	// undoLimit bounds one undo.
	undoLimit time.Duration
}

// carryOut does the steps in order. When one fails, or ctx ends, it undoes
// that one and those before it in reverse order and returns a *Failure.
func (r run) carryOut(ctx context.Context) error {
	for i, s := range r.steps {
		err := ctx.Err()
		if err == nil {
			r.report.say("%s", s.name)
			err = s.do(ctx)
		}
		if err == nil {
			continue
		}
		f := &Failure{Step: s.name, Err: err, Repair: r.repair}
		if ctx.Err() != nil {
			f.Err = ctx.Err()
		}
		r.undo(ctx, r.steps[:i+1], f)
		// A step that could not take back its own parts has named them, and
		// its undo may have done better.
		var left *statemgr.LeftoverError
		if errors.As(err, &left) && !slices.Contains(f.Undone, s.what) {
			for _, path := range left.Paths {
				f.Left = append(f.Left, Leftover{What: "state node " + path, Why: left.Undo.Error()})
			}
		}
		var part *uploader.LeftoverError
		if errors.As(err, &part) {
			f.Left = append(f.Left, Leftover{What: part.What.String(), Why: part.Why, beyondUs: r.unnamed})
		}
		return f
	}
	return nil
}

// undo takes steps back, last first. It goes on after a failure and does not
// end when ctx does: the caller's interrupt is why it runs.
func (r run) undo(ctx context.Context, steps []step, f *Failure) {
	for i := len(steps) - 1; i >= 0; i-- {
		s := steps[i]
		if s.undo == nil {
			continue
		}
		uctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.undoLimit)
		did, err := s.undo(uctx)
		cancel()
		switch {
		case err != nil:
			r.report.say("could not remove %s: %v", s.what, err)
			f.Left = append(f.Left, Leftover{What: s.what, Why: err.Error(), beyondUs: errors.As(err, new(*keptError))})
		case did:
			r.report.say("removed %s", s.what)
			f.Undone = append(f.Undone, s.what)
		}
	}
}
