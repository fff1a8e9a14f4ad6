package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

// Registration is Nomad's receipt for a job.
type Registration struct {
	// EvalID is the evaluation that places the job; "" where nothing had to be
	// evaluated, or the receipt was lost and the job found by reading back.
	EvalID string
	// JobModifyIndex is the job's new index, the fence for the next write.
	JobModifyIndex uint64
	// Warnings are Nomad's about the job, "" for none.
	Warnings string
}

// Job reads a job as Nomad keeps it. Stopped jobs are found until they are
// purged; where there is none the error wraps ErrNotFound.
func (c *Client) Job(ctx context.Context, id string) (*api.Job, error) {
	var job *api.Job
	err := c.read(ctx, fmt.Sprintf("read job %q", id), readJob, func(q *api.QueryOptions) (err error) {
		job, _, err = c.api.Jobs().Info(id, q)
		return err
	})
	return job, err
}

// Jobs lists the jobs whose id starts with prefix, stopped ones too, with
// their meta, by id. It is one request.
func (c *Client) Jobs(ctx context.Context, prefix string) ([]*api.JobListStub, error) {
	return c.jobs(ctx, fmt.Sprintf("list the jobs %q", prefix+"*"), prefix, "")
}

// TopologyJobs lists all jobs of topologies with a name, whoever put them up
// and whatever their ids: a topology that the original put up has one per
// container. Stopped ones are there too. It is one request.
func (c *Client) TopologyJobs(ctx context.Context, name string) ([]*api.JobListStub, error) {
	// Nomad selects, so that a large cluster's jobs need not travel. Its
	// language of filters has no way to write these characters.
	filter := ""
	if !strings.ContainsAny(name, "\"\\") {
		filter = fmt.Sprintf(`Meta["%s"] == "%s"`, jobspec.MetaTopologyName, name)
	}
	stubs, err := c.jobs(ctx, fmt.Sprintf("list the jobs of topology %q", name), "", filter)
	if err != nil {
		return nil, err
	}
	var own []*api.JobListStub
	for _, stub := range stubs {
		if stub.Meta[jobspec.MetaTopologyName] == name {
			own = append(own, stub)
		}
	}
	return own, nil
}

func (c *Client) jobs(ctx context.Context, what, prefix, filter string) ([]*api.JobListStub, error) {
	var stubs []*api.JobListStub
	err := c.read(ctx, what, listJobs, func(q *api.QueryOptions) (err error) {
		q.Prefix, q.Filter = prefix, filter
		opts := &api.JobListOptions{Fields: &api.JobListFields{Meta: true}}
		stubs, _, err = c.api.Jobs().ListOptions(opts, q)
		return err
	})
	return stubs, err
}

// Register writes a job if its stored JobModifyIndex is index, or, with index
// 0, if there is none. Otherwise nothing is written and the error wraps
// ErrConflict. A job that Nomad finds invalid is a *RejectedError.
//
// Nomad compares the index just before it commits, not as part of it: of two
// writes in the same moment both can pass. RegisterNew settles that.
func (c *Client) Register(ctx context.Context, job *api.Job, index uint64) (Registration, error) {
	id := value(job.ID)
	what := fmt.Sprintf("register job %q", id)
	var resp *api.JobRegisterResponse
	var answer api.UnexpectedResponseError
	err := c.write(ctx, what, submitJob, func(w *api.WriteOptions) (err error) {
		resp, _, err = c.api.Jobs().RegisterOpts(jobspec.Revealed(job), &api.RegisterOptions{EnforceIndex: true, ModifyIndex: index}, w)
		errors.As(err, &answer)
		return err
	})
	if err != nil && answer.StatusCode() == http.StatusInternalServerError && !indexRefused(answer) {
		// An invalid job is answered like any trouble of Nomad's own.
		if invalid := c.validate(ctx, what, job); invalid != nil {
			return Registration{}, invalid
		}
	}
	if err != nil {
		return Registration{}, err
	}
	return Registration{EvalID: resp.EvalID, JobModifyIndex: resp.JobModifyIndex, Warnings: resp.Warnings}, nil
}

// validate asks Nomad what is wrong with a job. nil means nothing, or no
// answer.
func (c *Client) validate(ctx context.Context, what string, job *api.Job) error {
	var resp *api.JobValidateResponse
	//nolint:contextcheck // the context is in q
	err := c.read(ctx, "validate", readJob, func(q *api.QueryOptions) (err error) {
		w := (&api.WriteOptions{}).WithContext(q.Context())
		resp, _, err = c.api.Jobs().Validate(jobspec.Revealed(job), w)
		return err
	})
	if err != nil || len(resp.ValidationErrors) == 0 {
		return nil
	}
	return &RejectedError{What: what, Address: c.address, Status: http.StatusBadRequest, Message: oneLine(strings.Join(resp.ValidationErrors, "\n"))}
}

// Purge removes a job, its history and its allocations from Nomad's memory,
// whoever it belongs to. What still runs is stopped, but nobody can find out
// any more when it has ended, so call it only afterwards. A job that is not
// there is no error.
func (c *Client) Purge(ctx context.Context, id string) error {
	return c.write(ctx, fmt.Sprintf("purge job %q", id), submitJob, func(w *api.WriteOptions) error {
		_, _, err := c.api.Jobs().Deregister(id, true, w)
		return err
	})
}
