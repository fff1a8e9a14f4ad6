package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/heron-nomad/heron/internal/nomad"
)

// UnstableError says that a topology ran, did not stay so for as long as it had
// to, and did not do so again in the time that was left.
type UnstableError struct {
	StableFor time.Duration
	// Why it was not stable the last time, Times how often that happened.
	Why   string
	Times int
	// Err is how the wait ended.
	Err error
	// Output is what the containers wrote last that were restarted.
	Output []nomad.ContainerOutput

	restarts []nomad.Restart
}

// Error implements error.
func (e *UnstableError) Error() string {
	return fmt.Sprintf("it did not stay as it was for %s: %s (%d in all): %v", e.StableFor, e.Why, e.Times, e.Err)
}

// Unwrap is how the wait ended.
func (e *UnstableError) Unwrap() error { return e.Err }

// LastOutput is what failed containers wrote last.
func (e *UnstableError) LastOutput() []nomad.ContainerOutput {
	all := slices.Clone(e.Output)
	var inner interface {
		LastOutput() []nomad.ContainerOutput
	}
	if !errors.As(e.Err, &inner) {
		return all
	}
	for _, o := range inner.LastOutput() {
		if !slices.ContainsFunc(all, func(p nomad.ContainerOutput) bool { return p.Index == o.Index && p.From == o.From }) {
			all = append(all, o)
		}
	}
	return all
}

// after adds to an error what made the wait start over, with what the containers
// wrote that were restarted.
func (w *waiting) after(ctx context.Context, err error) error {
	if err == nil || w.unstable == nil {
		return err
	}
	e := *w.unstable
	e.Err = err
	for _, r := range e.restarts {
		if len(e.Output) == shownOutputs || ctx.Err() != nil {
			break
		}
		if out := w.Jobs.LastLines(ctx, r.Was, outputLines); len(out.Lines) > 0 {
			e.Output = append(e.Output, out)
		}
	}
	return &e
}

// stable watches a topology that runs for as long as it has to stay so. It is
// false where it did not.
func (w *waiting) stable(ctx context.Context) (bool, error) {
	if w.r.StableFor <= 0 {
		return true, nil
	}
	w.note(fmt.Sprintf("all run; they have to stay so for %s", w.r.StableFor))
	restarts, err := w.Jobs.WaitRestart(ctx, w.r.JobID, w.r.StableFor)
	switch {
	case ctx.Err() != nil && w.unstable == nil:
		return false, fmt.Errorf("it runs, but the time given was over before it had stayed so for %s", w.r.StableFor)
	case ctx.Err() != nil:
		return false, errors.New("the time given is over")
	case err != nil:
		return false, err
	}
	now := UnstableError{StableFor: w.r.StableFor, restarts: restarts}
	if len(restarts) > 0 {
		now.Why, now.Times = restarts[0].String(), len(restarts)
	} else if err := w.planFresh(ctx); err != nil {
		// A process inside a container may have died, of which Nomad knows nothing.
		if passing := (*notYet)(nil); !errors.As(err, &passing) {
			return false, err
		}
		now.Why, now.Times = err.Error(), 1
	}
	if now.Why == "" {
		return true, nil
	}
	if w.unstable != nil {
		now.Times += w.unstable.Times
		if len(restarts) == 0 {
			now.restarts = w.unstable.restarts
		}
	}
	w.unstable = &now
	w.note(now.Why + "; waiting again")
	return false, nil
}
