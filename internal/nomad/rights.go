package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
)

// Right is whether the token may do something.
type Right struct {
	// Capability is what a token needs, in the words of Nomad's policies; Policy
	// the line of a policy that gives it.
	Capability, Policy string
	// Needed: no command works without. Others make commands better.
	Needed bool
	// Allowed is the answer, unless Err says why there is none.
	Allowed bool
	Err     error
}

// Rights tries what the token may do, by requests that change nothing: for
// each right one that Nomad refuses without it. Those about the files of
// containers take a container, any of the namespace; where there is none they
// are left out.
func (c *Client) Rights(ctx context.Context) []Right {
	tries := []struct {
		needs  right
		needed bool
		do     func(context.Context) error
	}{
		{listJobs, true, func(ctx context.Context) error {
			_, err := c.Jobs(ctx, probeJob)
			return err
		}},
		{readJob, true, func(ctx context.Context) error {
			_, err := c.Job(ctx, probeJob)
			return err
		}},
		{submitJob, true, c.probePlan},
		{nodeRead, false, func(ctx context.Context) error {
			return c.probe(ctx, "list the nodes", nodeRead, "/v1/nodes?per_page=1")
		}},
		{agentRead, false, func(ctx context.Context) error {
			return c.probe(ctx, "ask for the version", agentRead, "/v1/agent/self")
		}},
		{readFS, false, func(ctx context.Context) error { return c.probeFiles(ctx, readFS, "/v1/client/fs/ls/%s?path=/") }},
		{readLogs, false, func(ctx context.Context) error {
			return c.probeFiles(ctx, readLogs, "/v1/client/fs/logs/%s?task=none&type=stdout&plain=true")
		}},
	}
	found := make([]*Right, len(tries))
	var group errgroup.Group
	group.SetLimit(4)
	for i, try := range tries {
		group.Go(func() error {
			r := &Right{Capability: string(try.needs), Policy: try.needs.policy(c.namespace), Needed: try.needed}
			err := try.do(ctx)
			switch {
			case errors.Is(err, errNoContainer):
				return nil
			case errors.Is(err, ErrDenied):
			case err == nil, errors.Is(err, ErrNotFound):
				r.Allowed = true
			default:
				r.Err = err
			}
			found[i] = r
			return nil
		})
	}
	_ = group.Wait() // what fails is in the answers
	var list []Right
	for _, r := range found {
		if r != nil {
			list = append(list, *r)
		}
	}
	return list
}

// probeJob is a job that nobody has.
const probeJob = "heron-doctor-no-such-job"

// errNoContainer: there is none to try a right on.
var errNoContainer = errors.New("no container")

// probe makes a request for its verdict alone.
func (c *Client) probe(ctx context.Context, what string, needs right, endpoint string) error {
	return c.read(ctx, what, needs, func(q *api.QueryOptions) error {
		body, err := c.api.Raw().Response(endpoint, q)
		if err != nil {
			return err
		}
		return body.Close()
	})
}

// probePlan asks whether a job could run that no node would take. Nothing is
// stored.
func (c *Client) probePlan(ctx context.Context) error {
	job := api.NewBatchJob(probeJob, probeJob, "global", 1)
	job.Region = nil
	job.Datacenters = []string{"*"}
	job.Constrain(api.NewConstraint("${node.unique.id}", "=", "none"))
	job.AddTaskGroup(api.NewTaskGroup("none", 1).AddTask(api.NewTask("none", "raw_exec").SetConfig("command", "true")))
	return c.read(ctx, fmt.Sprintf("plan job %q", probeJob), submitJob, func(q *api.QueryOptions) error { //nolint:contextcheck // the context is in q
		w := (&api.WriteOptions{Region: q.Region, Namespace: q.Namespace}).WithContext(q.Context())
		_, _, err := c.api.Jobs().PlanOpts(job, &api.PlanOptions{}, w)
		return err
	})
}

// probeFiles asks for a file of some container. Any answer but a refusal means
// that the token may.
func (c *Client) probeFiles(ctx context.Context, needs right, endpoint string) error {
	var allocs []*api.AllocationListStub
	err := c.read(ctx, "list the allocations", readJob, func(q *api.QueryOptions) (err error) {
		q.Filter = `ClientStatus == "running"`
		q.PerPage = 1
		allocs, _, err = c.api.Allocations().List(q)
		return err
	})
	switch {
	case rejected(err), err == nil && len(allocs) == 0:
		return errNoContainer
	case err != nil:
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, glanceTime)
	defer cancel()
	q := (&api.QueryOptions{}).WithContext(bounded)
	what := "read a container's files"
	body, err := c.api.Raw().Response(fmt.Sprintf(endpoint, url.PathEscape(allocs[0].ID)), q)
	if err != nil {
		if err = c.explain(ctx, bounded, what, needs, &retryHint{}, err); errors.Is(err, ErrDenied) || ctx.Err() != nil {
			return err
		}
		return nil
	}
	return body.Close()
}
