package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// The actions of steps.
const (
	Upload   = "upload"
	Write    = "write"
	Register = "register"
	Stop     = "stop"
	Await    = "wait for the end of"
	Remove   = "remove"
	PutBack  = "put back"
	Restart  = "restart"
)

// Step is one side effect with its undo. Both may be repeated, and Undo must
// be safe after a Do whose result is unknown.
type Step struct {
	// Mark, unless "", is the step that the claim's intent names from here on.
	Mark string
	// Action is what Do does to Of.
	Action string
	Of     outcome.Resource
	// Removes: Of is gone after Do. Where the run ends before, Of is left.
	Removes bool
	// Stays: Of is changed after Do, and stays so where the run ends before its
	// last step. A step with an undo does not need it.
	Stays bool
	Do    func(ctx context.Context) error
	// Undo takes the step back and says whether there was anything to take
	// back; nil for a step that is not undone.
	Undo func(ctx context.Context) (bool, error)
	// PutsBack: Undo brings back what Of was before, rather than removing it.
	PutsBack bool
	// LeftByHand: what a failed Do reports as left cannot be removed by a
	// command, because only its server knows the name.
	LeftByHand bool
}

// Run is a list of steps to carry out under a claim.
type Run struct {
	Steps []Step
	// Claim may be nil.
	Claim    *Claim
	Progress progress.Sink
	// Remedy removes what a failed run leaves.
	Remedy outcome.Remedy
	// Base says what is there when all is undone, "" for nothing.
	Base string
	// UndoLimit bounds one undo.
	UndoLimit time.Duration
}

// Result is what a run removed and what it had to keep.
type Result struct {
	Removed []outcome.Resource
	Kept    []outcome.Leftover
}

// Do carries the steps out in order. When one fails, or ctx ends, that one and
// those before it are undone in reverse order, and the error is a *Failure. A
// run without undo that fails before it has changed anything returns the step's
// own error.
func (r Run) Do(ctx context.Context) (Result, error) {
	done := Result{Removed: []outcome.Resource{}, Kept: []outcome.Leftover{}}
	foreign := false
	for i, s := range r.Steps {
		err := r.step(ctx, s)
		var kept *KeptError
		switch {
		case err == nil:
			if s.Removes {
				done.Removed = append(done.Removed, s.Of)
			}
		case errors.As(err, &kept):
			r.Progress.Warn(s.Action, s.Of, "kept", kept.Err)
			done.Kept = append(done.Kept, outcome.Leftover{Resource: s.Of, Why: kept.Err.Error(), ByHand: true})
			foreign = foreign || kept.Foreign
		default:
			return done, r.fail(ctx, i, err, done)
		}
	}
	if foreign {
		f := &Failure{Action: Remove, Of: done.Kept[0].Resource, Err: errors.New(done.Kept[0].Why), Removed: done.Removed, Left: done.Kept}
		return done, f
	}
	return done, nil
}

// step carries out one step.
func (r Run) step(ctx context.Context, s Step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.Progress.Begin(s.Action, s.Of)
	if s.Mark != "" && r.Claim != nil {
		if err := r.Claim.reach(ctx, s.Mark); err != nil {
			return err
		}
	}
	return s.Do(ctx)
}

// fail undoes what can be undone after step i failed and lists the rest.
func (r Run) fail(ctx context.Context, i int, err error, done Result) error {
	s := r.Steps[i]
	forward := !slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Undo != nil })
	f := &Failure{Action: s.Action, Of: s.Of, Err: err, Removed: done.Removed, Left: done.Kept, Remedy: &r.Remedy, Base: r.Base}
	if ctx.Err() != nil {
		f.Err = ctx.Err()
	}
	for _, before := range r.Steps[:i] {
		if before.Stays {
			f.Done = append(f.Done, before.Of)
		}
	}
	f.Done = append(f.Done, outcome.DoneOf(err)...)
	switch removes := slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Removes }); {
	case forward && i == 0 && removes:
		return fmt.Errorf("%s: %w; nothing was removed", outcome.Phrase(s.Action, s.Of), f.Err)
	case forward && !removes && len(f.Done) == 0:
		return fmt.Errorf("%s: %w; nothing was changed", outcome.Phrase(s.Action, s.Of), f.Err)
	}
	r.undo(ctx, r.Steps[:i+1], f)
	// What a step could not take back of its own is left, unless its undo did
	// better.
	if !slices.Contains(f.Undone, s.Of) {
		for _, left := range outcome.LeftoversOf(err) {
			left.ByHand = left.ByHand || s.LeftByHand
			f.Left = append(f.Left, left)
		}
	}
	for _, rest := range r.Steps[i:] {
		if rest.Removes {
			f.Left = append(f.Left, outcome.Leftover{Resource: rest.Of})
		}
	}
	return f
}

// undo takes steps back, last first. It continues after a failure and when ctx
// has ended: the caller's interrupt is why it runs.
func (r Run) undo(ctx context.Context, steps []Step, f *Failure) {
	for _, s := range slices.Backward(steps) {
		if s.Undo == nil {
			continue
		}
		verb := Remove
		if s.PutsBack {
			verb = PutBack
		}
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.UndoLimit)
		did, err := s.Undo(bounded)
		cancel()
		switch {
		case err != nil:
			r.Progress.Warn(verb, s.Of, "could not undo", err)
			f.Left = append(f.Left, outcome.Leftover{Resource: s.Of, Why: err.Error(), ByHand: errors.As(err, new(*KeptError))})
		case did:
			r.Progress.Send(progress.Event{State: progress.Ended, Step: verb, What: s.Of})
			f.Undone = append(f.Undone, s.Of)
		}
	}
}

// Undo takes back the given steps alone, as after a failure, and returns the
// failure with what came of it.
func (r Run) Undo(ctx context.Context, f *Failure) *Failure {
	r.undo(ctx, r.Steps, f)
	return f
}
