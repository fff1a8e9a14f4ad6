package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// triesInPlace is how often a container is asked to restart, where nothing says
// that the requests before arrived.
const triesInPlace = 3

// restart is that of one container.
type restart struct {
	*batch
	watch *jobWatch
	index int
	// was is the container before; now it is what runs again, how tells how.
	was statemgr.IntentContainer
	now nomad.Container
	how string
}

// begun says that the container is not what it was: a restart of it has at least
// begun.
func (r *restart) begun(c nomad.Container) bool {
	return c.ID != r.was.Allocation || c.Started.After(r.was.Started) || c.Signaled.After(r.was.Signaled)
}

// ended says that it runs anew.
func (r *restart) ended(c nomad.Container) bool {
	return c.Running() && (c.ID != r.was.Allocation || c.Started.After(r.was.Started))
}

func (r *restart) run(ctx context.Context) error {
	if _, noted := r.noted.Before[r.index]; noted {
		// The restart that died may have asked just before.
		if seen, err := r.seen(ctx); seen || err != nil {
			if err != nil {
				return err
			}
			r.touch(r.index, false)
			return r.await(ctx)
		}
	}
	for try := 1; ; try++ {
		c, there, err := r.look(ctx)
		switch {
		case err != nil:
			return err
		case !there || !c.Running():
			return r.replace(ctx, c, there)
		}
		err = r.Cluster.Jobs.RestartInPlace(ctx, c.ID, r.watch.job.task)
		switch {
		case err == nil:
			r.touch(r.index, true)
			return r.await(ctx)
		case errors.Is(err, nomad.ErrTaskNotRunning), errors.Is(err, nomad.ErrNoAllocation):
			return r.replace(ctx, c, true)
		case !errors.Is(err, nomad.ErrUnknownOutcome):
			return err
		}
		r.touch(r.index, true)
		if ctx.Err() != nil {
			return err
		}
		seen, rerr := r.seen(ctx)
		switch {
		case rerr != nil:
			return rerr
		case seen:
			return r.await(ctx)
		case try == triesInPlace:
			return err
		}
	}
}

// look is the container as Nomad wants it now.
func (r *restart) look(ctx context.Context) (c nomad.Container, there bool, err error) {
	err = r.watch.until(ctx, func(s *sighting) (bool, error) {
		c, there = s.wanted[r.index]
		return true, nil
	})
	return c, there, err
}

// seen waits for a sign of a request that may have been made.
func (r *restart) seen(ctx context.Context) (bool, error) {
	bounded, cancel := context.WithTimeout(ctx, r.opts.grace)
	defer cancel()
	err := r.watch.until(bounded, func(s *sighting) (bool, error) {
		c, there := s.wanted[r.index]
		return !there || r.begun(c), nil
	})
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return false, nil
	}
	return err == nil, err
}

// await waits until the container runs anew, and until its old allocation has
// ended if it is another one.
func (r *restart) await(ctx context.Context) error {
	what := "Nomad has not started it again"
	err := r.watch.until(ctx, func(s *sighting) (bool, error) {
		c, there := s.wanted[r.index]
		if !there {
			what = "Nomad has found no place for it again"
			return false, nil
		}
		what = fmt.Sprintf("it is %s on %s: %s", c.Status, c.Node, c.Event)
		if c.Failure != "" && (c.ID != r.was.Allocation || c.Started.After(r.was.Started)) {
			return false, fmt.Errorf("it was restarted on %s and %s", c.Node, c.Failure)
		}
		if c.ID != r.was.Allocation && s.live[r.was.Allocation] {
			what = "its old allocation has not ended"
			return false, nil
		}
		r.now = c
		return r.ended(c), nil
	})
	switch {
	case err == nil:
	case ctx.Err() != nil && !errors.Is(err, context.Canceled):
		return errors.New(what)
	default:
		return err
	}
	r.how = RestartedInPlace
	if r.now.ID != r.was.Allocation {
		r.how = RestartedReplaced
	}
	return nil
}

// replace has Nomad place the container anew, while no other one is replaced:
// the new executor may start while the old one is still ending.
func (r *restart) replace(ctx context.Context, c nomad.Container, there bool) error {
	select {
	case r.alone <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.alone }()
	// The turn may have been long in coming. Nobody else uses the claim meanwhile.
	err := r.guard(ctx)
	if err != nil {
		return err
	}
	switch {
	case there && c.Status == api.AllocClientStatusFailed:
		err = r.Cluster.Jobs.RescheduleFailed(ctx, r.watch.job.id)
	case there:
		err = r.Cluster.Jobs.StopAllocation(ctx, c.ID)
	}
	switch {
	case errors.Is(err, nomad.ErrNoAllocation):
	case errors.Is(err, nomad.ErrUnknownOutcome):
		r.touch(r.index, true)
		if ctx.Err() != nil {
			return err
		}
	case err != nil:
		return err
	}
	r.touch(r.index, true)
	return r.await(ctx)
}
