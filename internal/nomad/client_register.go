package nomad

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

// ExistsError says that a job's id is taken. It is ErrExists.
type ExistsError struct {
	// Job is what is there: see its Stop, Status, Meta and JobModifyIndex to
	// decide. A stopped one of ours can be replaced with TakeOver.
	Job *api.Job
}

// Error implements error.
func (e *ExistsError) Error() string {
	state := value(e.Job.Status)
	if value(e.Job.Stop) {
		state = "stopped"
	}
	return fmt.Sprintf("%s: %q is %s, of topology id %q", ErrExists, value(e.Job.ID), state, e.Job.Meta[jobspec.MetaTopologyID])
}

// Is says that it is ErrExists.
func (e *ExistsError) Is(target error) bool { return target == ErrExists }

// Kind implements the contract of package outcome.
func (e *ExistsError) Kind() outcome.Kind { return outcome.Exists }

// RegisterNew registers a job if there is none of its id. Where the reply is
// lost it reads back: a job with the same topology id in its meta that is not
// stopped is ours, and success. Any other job there is an *ExistsError.
//
// Of several that register one id in the same moment exactly one succeeds, and
// its job stays.
func (c *Client) RegisterNew(ctx context.Context, job *api.Job) (Registration, error) {
	return c.registerOver(ctx, job, 0)
}

// TakeOver registers a job in the place of a stopped one, as it was read.
// Where that one has changed since, nothing is written and the error is an
// *ExistsError, or ErrConflict when it is gone. Lost replies are handled as
// in RegisterNew.
func (c *Client) TakeOver(ctx context.Context, job, stopped *api.Job) (Registration, error) {
	if !value(stopped.Stop) {
		return Registration{}, &ExistsError{Job: stopped}
	}
	return c.registerOver(ctx, job, value(stopped.JobModifyIndex))
}

func (c *Client) registerOver(ctx context.Context, job *api.Job, base uint64) (Registration, error) {
	if job.Meta[jobspec.MetaTopologyID] == "" {
		return Registration{}, outcome.Errorf(outcome.Usage, "job %q has no %s in its meta, so it could not be recognized", value(job.ID), jobspec.MetaTopologyID)
	}
	p := c.repeats()
	for {
		reg, err := c.Register(ctx, job, base)
		if err == nil {
			return c.settle(ctx, job, reg, base)
		}
		maybe := errors.Is(err, ErrUnknownOutcome)
		if !maybe && !errors.Is(err, ErrConflict) || readBackFailed(err) || ctx.Err() != nil {
			return Registration{}, err
		}
		there, rerr := c.Job(ctx, value(job.ID))
		switch {
		case errors.Is(rerr, ErrNotFound):
			// What was in the way has gone.
			if base != 0 || maybe {
				return Registration{}, err
			}
		case rerr != nil && maybe:
			return Registration{}, &lostError{write: lostWrite(err), readBack: rerr}
		case rerr != nil:
			return Registration{}, rerr
		case sameRun(there, job) && !value(there.Stop):
			reg := Registration{JobModifyIndex: value(there.JobModifyIndex)}
			if !maybe {
				// This write was refused, so it went over nobody's job.
				return reg, nil
			}
			return c.settle(ctx, job, reg, base)
		case base == 0 || value(there.JobModifyIndex) != base:
			return Registration{}, &ExistsError{Job: there}
		}
		if maybe || !p.again(ctx, err) {
			return Registration{}, err
		}
	}
}

// sameRun says whether two jobs are of the same submission of a topology.
func sameRun(a, b *api.Job) bool {
	return a.Meta[jobspec.MetaTopologyID] != "" && a.Meta[jobspec.MetaTopologyID] == b.Meta[jobspec.MetaTopologyID]
}

// settle makes sure that a registration was the first one after base. Nomad
// compares indexes before it commits, so a second one in the same moment may
// have passed and written over the first. A caller that was not first puts the
// first one back and fails.
func (c *Client) settle(ctx context.Context, job *api.Job, reg Registration, base uint64) (Registration, error) {
	id, p := value(job.ID), c.repeats()
	for {
		now, err := c.Job(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return Registration{}, fmt.Errorf("register job %q: %w: it was purged at once", id, ErrConflict)
		}
		if err != nil {
			return Registration{}, &lostError{write: fmt.Errorf("register job %q", id), readBack: err}
		}
		if base == 0 && value(now.CreateIndex) == value(now.JobModifyIndex) && sameRun(now, job) {
			return reg, nil
		}
		first, err := c.firstVersion(ctx, id, base)
		if err != nil {
			return Registration{}, &lostError{write: fmt.Errorf("register job %q", id), readBack: err}
		}
		if first == nil || sameRun(first, job) {
			return reg, nil
		}
		if !sameRun(now, job) {
			return Registration{}, &ExistsError{Job: now}
		}
		_, err = c.Register(ctx, first, value(now.JobModifyIndex))
		if err == nil {
			return Registration{}, &ExistsError{Job: first}
		}
		again := errors.Is(err, ErrConflict) || errors.Is(err, ErrUnknownOutcome) && p.again(ctx, err)
		if !again {
			return Registration{}, fmt.Errorf("put back job %q, which was registered in the same moment: %w; %w", id, err, ErrUnknownOutcome)
		}
	}
}

// firstVersion is the oldest version of a job that was written after base, as
// far back as Nomad keeps them. It is nil where one of them is stopped: that
// is the history of a job that was replaced properly, not of a race.
func (c *Client) firstVersion(ctx context.Context, id string, base uint64) (first *api.Job, err error) {
	var versions []*api.Job
	err = c.read(ctx, fmt.Sprintf("read the versions of job %q", id), readJob, func(q *api.QueryOptions) (err error) {
		versions, _, _, err = c.api.Jobs().VersionsOpts(id, nil, q)
		return err
	})
	for _, v := range versions {
		if value(v.JobModifyIndex) > base && value(v.Stop) {
			return nil, err
		}
		if at := value(v.JobModifyIndex); at > base && (first == nil || at < value(first.JobModifyIndex)) {
			first = v
		}
	}
	return first, err
}
