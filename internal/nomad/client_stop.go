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
	var err error
	for range registerAttempts {
		if _, err = c.Register(ctx, &stopped, index); err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrUnknownOutcome) || ctx.Err() != nil {
			return err
		}
		there, rerr := c.Job(ctx, value(job.ID))
		switch {
		case errors.Is(rerr, ErrNotFound):
			return rerr
		case rerr != nil:
			return fmt.Errorf("%w; reading back: %w", err, rerr)
		case sameJob(there, job) && value(there.Stop):
			return nil
		case value(there.JobModifyIndex) != index:
			return fmt.Errorf("stop job %q: %w", value(job.ID), ErrConflict)
		}
	}
	return err
}

// sameJob says whether what is stored is still the job that was read, maybe
// changed, and not one that was purged and made anew.
func sameJob(a, b *api.Job) bool {
	return value(a.CreateIndex) == value(b.CreateIndex) && a.Meta[jobspec.MetaTopologyID] == b.Meta[jobspec.MetaTopologyID]
}

// PurgeOwned purges a job of a topology id, read just before: one of another
// id is an *ExistsError, one that is not stopped ErrConflict, and one whose
// containers still run a *StillRunningError; nothing is changed then.
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
	return c.purge(ctx, id)
}

// purge is Purge; a lost reply is followed by reading back.
func (c *Client) purge(ctx context.Context, id string) error {
	err := c.Purge(ctx, id)
	if !errors.Is(err, ErrUnknownOutcome) || ctx.Err() != nil {
		return err
	}
	if _, rerr := c.Job(ctx, id); errors.Is(rerr, ErrNotFound) {
		return nil
	}
	return err
}
