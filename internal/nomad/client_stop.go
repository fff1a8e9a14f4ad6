package nomad

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Stop stops a job, as it was read, without purging it: Nomad ends its
// allocations and keeps the job, marked as stopped. Where the job has changed
// since it was read nothing happens and the error wraps ErrConflict; where it
// is gone, ErrNotFound. A job that is stopped already is no error.
//
// A deregistration could not be bound to what was read; a registration with
// the stop mark can.
func (c *Client) Stop(ctx context.Context, job *api.Job) error {
	if value(job.Stop) {
		return nil
	}
	stopped := *job
	stopped.Stop = new(true)
	index := value(job.JobModifyIndex)
	if index == 0 {
		return outcome.Errorf(outcome.Usage, "job %q was not read from Nomad, so stopping it could create it", value(job.ID))
	}
	p := c.repeats()
	for {
		_, err := c.Register(ctx, &stopped, index)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrUnknownOutcome) || readBackFailed(err) || ctx.Err() != nil {
			return err
		}
		there, rerr := c.Job(ctx, value(job.ID))
		switch {
		case errors.Is(rerr, ErrNotFound):
			return rerr
		case rerr != nil:
			return &lostError{write: lostWrite(err), readBack: rerr}
		case sameJob(there, job) && value(there.Stop):
			return nil
		case value(there.JobModifyIndex) != index:
			return fmt.Errorf("stop job %q: %w", value(job.ID), ErrConflict)
		}
		if errors.Is(err, ErrUnknownOutcome) || !p.again(ctx, err) {
			return err
		}
	}
}

// sameJob says whether what is stored is still the job that was read, maybe
// changed, and not one that was purged and made anew.
func sameJob(a, b *api.Job) bool {
	return value(a.CreateIndex) == value(b.CreateIndex) && a.Meta[jobspec.MetaTopologyID] == b.Meta[jobspec.MetaTopologyID]
}

// PurgeOwned purges a job of a topology id, read just before: one of another
// id is an *ExistsError, one that is not stopped ErrConflict, and one whose
// containers still run a *StillRunningError; then nothing is changed.
// Allocations on lost nodes do not count. A job that is gone is no error.
func (c *Client) PurgeOwned(ctx context.Context, id, topologyID string) error {
	job, err := c.Job(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if job.Meta[jobspec.MetaTopologyID] != topologyID {
		return &ExistsError{Job: job}
	}
	if !value(job.Stop) {
		return fmt.Errorf("purge job %q: %w: it is not stopped", id, ErrConflict)
	}
	allocs, err := c.Allocations(ctx, id)
	if err != nil {
		return err
	}
	live, _ := split(allocs)
	if len(live) > 0 {
		if live, _, err = c.withoutLostNodes(ctx, live); err != nil {
			return err
		}
	}
	if len(live) > 0 {
		return &StillRunningError{JobID: id, Running: refs(live)}
	}
	return c.purge(ctx, id, func(now *api.Job) error {
		if sameJob(now, job) && value(now.Stop) {
			return nil
		}
		return &ExistsError{Job: now}
	})
}

// Purge removes a job, its history and its allocations from Nomad's memory,
// whatever its marks. What still runs is stopped, but Nomad can no longer tell
// when it has ended, so call it only after that. A job that is not there
// is no error.
func (c *Client) Purge(ctx context.Context, id string) error {
	return c.purge(ctx, id, func(*api.Job) error { return nil })
}

// purge purges a job. Where the answer is lost it reads back, and purges again
// what is there unless check refuses it.
func (c *Client) purge(ctx context.Context, id string, check func(now *api.Job) error) error {
	p := c.repeats()
	for tries := 1; ; tries++ {
		err := c.write(ctx, fmt.Sprintf("purge job %q", id), submitJob, func(w *api.WriteOptions) error {
			_, _, err := c.api.Jobs().Deregister(id, true, w)
			return err
		})
		if !errors.Is(err, ErrUnknownOutcome) {
			return err
		}
		more := p.again(ctx, err) || tries == 1
		if ctx.Err() != nil {
			return err
		}
		now, rerr := c.Job(ctx, id)
		switch {
		case errors.Is(rerr, ErrNotFound):
			return nil
		case rerr != nil:
			return &lostError{write: lostWrite(err), readBack: rerr}
		case !more:
			return err
		}
		if err := check(now); err != nil {
			return err
		}
	}
}
