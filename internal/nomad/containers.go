package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Container is one allocation of a job: the little of it that shows how a
// container is. An Allocations call costs several times as much.
type Container struct {
	// Index is the container's, -1 where the allocation's name has none.
	Index int
	// ID and JobID are the allocation's and its job's; JobVersion is the version
	// of the job that it runs.
	ID, JobID  string
	JobVersion uint64
	// Node is the node's name, NodeID its id.
	Node, NodeID string
	// Desired and Status are what Nomad wants of it ("run", "stop", "evict") and
	// what the node reports ("pending", "running", "complete", "failed", "lost",
	// "unknown").
	Desired, Status string
	// Migrate: Nomad is to stop it and start another in its place.
	Migrate bool
	// Restarts counts restarts of the task in place.
	Restarts int
	// Event is the task's last event in plain words, and when it happened; ""
	// where there was none yet.
	Event   string
	EventAt time.Time
	// Started is when the task was started last, and Signaled when somebody last
	// asked for a restart in place; zero where it was never, or no longer
	// known.
	Started, Signaled time.Time
	// Ended is how the task's program ended last when nobody had asked for it, as
	// "exit code 1"; "" where it never did, or that is no longer known.
	Ended string
	// Failure says what went wrong where the failure lasts: the allocation
	// failed, or its task was restarted several times and does not run. "" for
	// none.
	Failure string
	// Created orders allocations of one job by age.
	Created uint64
}

// Live says that the container runs or may still run. Of one on a node that is
// gone nobody knows: that one is not live.
func (c Container) Live() bool {
	return c.Status == api.AllocClientStatusRunning || c.Status == api.AllocClientStatusPending
}

// Failed says that it has failed and was not replaced yet, though Nomad wants it
// to run.
func (c Container) Failed() bool {
	return c.Status == api.AllocClientStatusFailed && c.Desired == api.AllocDesiredStatusRun
}

// Running says that it runs, and that Nomad wants it to.
func (c Container) Running() bool {
	return c.Status == api.AllocClientStatusRunning && c.Desired == api.AllocDesiredStatusRun
}

// Containers lists the allocations of a job, by container index and then by
// age, ended ones included as long as Nomad keeps them, but not those of
// earlier jobs of the id. Where there is no such job there are none. It is one
// request, whose answer is read as it arrives.
func (c *Client) Containers(ctx context.Context, jobID string) ([]Container, error) {
	list, _, err := c.ContainersSince(ctx, jobID, 0)
	return list, err
}

// ContainersSince is Containers once something has changed after the state of
// an index, and at the latest after half the request timeout. It returns the
// index of what it saw; index 0 is answered at once.
func (c *Client) ContainersSince(ctx context.Context, jobID string, index uint64) (list []Container, seen uint64, err error) {
	var block time.Duration
	if index > 0 {
		block = c.timeout / 2
	}
	err = c.readBlocking(ctx, fmt.Sprintf("list the containers of job %q", jobID), block, readJob, func(q *api.QueryOptions) error {
		q.WaitIndex, q.WaitTime = index, block
		body, err := c.api.Raw().Response("/v1/job/"+url.PathEscape(jobID)+"/allocations", q)
		if err != nil {
			// A server that came back may have started its indexes anew.
			index = 0
			return err
		}
		defer body.Close()
		if list, err = decodeContainers(body); err != nil {
			return err
		}
		if hint, ok := q.Context().Value(retryHintKey{}).(*retryHint); ok {
			seen = hint.index
		}
		return nil
	})
	var refused *RejectedError
	if errors.Is(err, ErrNotFound) || errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil, 0, nil
	}
	return list, seen, err
}

// WhyUnplaced says why Nomad finds no place for containers of a job, and what
// nodes there are instead; nothing while it has not decided, and where all have
// a place.
func (c *Client) WhyUnplaced(ctx context.Context, job *api.Job) ([]string, error) {
	var evals []*api.Evaluation
	err := c.read(ctx, fmt.Sprintf("list the evaluations of job %q", value(job.ID)), readJob, func(q *api.QueryOptions) (err error) {
		evals, _, err = c.api.Jobs().Evaluations(value(job.ID), q)
		return err
	})
	if err != nil {
		return nil, err
	}
	evals = slices.DeleteFunc(evals, func(e *api.Evaluation) bool { return e.CreateIndex < value(job.JobModifyIndex) })
	reasons := placementReasons(wants(job), evals)
	c.weighNodes(ctx, wants(job), reasons)
	return reasonTexts(reasons), nil
}

// VersionMeta returns the meta of the versions of a job that Nomad keeps, by
// version.
func (c *Client) VersionMeta(ctx context.Context, jobID string) (map[uint64]map[string]string, error) {
	byVersion := map[uint64]map[string]string{}
	err := c.read(ctx, fmt.Sprintf("list the versions of job %q", jobID), readJob, func(q *api.QueryOptions) error {
		jobs, _, _, err := c.api.Jobs().Versions(jobID, false, q)
		for _, job := range jobs {
			byVersion[value(job.Version)] = job.Meta
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return byVersion, nil
	}
	return byVersion, err
}
