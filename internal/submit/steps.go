package submit

import (
	"context"
	"time"
)

// undoTimeout bounds one undo: long enough for a container to end, short
// enough for a person who pressed Ctrl-C.
const undoTimeout = 2 * time.Minute

// step is one side effect with its undo. Both may be repeated, and undo must
// be safe after a do whose result is unknown.
type step struct {
	// name continues "trying to …".
	name string
	do   func(ctx context.Context) error
	// undo takes the step back and says whether there was anything to take
	// back; nil for a step that leaves nothing.
	undo func(ctx context.Context) (bool, error)
	// what names the thing that do makes.
	what string
}

// Report takes one line of progress for a person. It may be nil.
type Report func(format string, args ...any)

func (r Report) say(format string, args ...any) {
	if r != nil {
		r(format, args...)
	}
}

// run carries steps out in order. When one fails, or ctx ends, it undoes that
// one and those before it in reverse order and returns a *Failure.
func run(ctx context.Context, steps []step, repair string, report Report) error {
	for i, s := range steps {
		err := ctx.Err()
		if err == nil {
			report.say("%s", s.name)
			err = s.do(ctx)
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		f := &Failure{Step: s.name, Err: err, Repair: repair}
		f.undo(ctx, steps[:i+1], report)
		return f
	}
	return nil
}

// undo takes steps back, last first. It goes on after a failure and does not
// end when ctx does: the caller's interrupt is why it runs.
func (f *Failure) undo(ctx context.Context, steps []step, report Report) {
	for i := len(steps) - 1; i >= 0; i-- {
		s := steps[i]
		if s.undo == nil {
			continue
		}
		uctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		did, err := s.undo(uctx)
		cancel()
		switch {
		case err != nil:
			report.say("could not remove %s: %v", s.what, err)
			f.Left = append(f.Left, Leftover{What: s.what, Why: err.Error()})
		case did:
			report.say("removed %s", s.what)
			f.Undone = append(f.Undone, s.what)
		}
	}
}
