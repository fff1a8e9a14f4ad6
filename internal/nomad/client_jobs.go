package nomad

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

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

// TopologyJobs lists all jobs of topologies with a name, whatever client made
// them and whatever their ids: a topology of the original client has one per
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
