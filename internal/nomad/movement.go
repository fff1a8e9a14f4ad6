package nomad

import (
	"context"
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// Settled says whether Nomad has decided everything about a job: none of its
// evaluations is under way. One that waits for room or for its time is not.
func (c *Client) Settled(ctx context.Context, jobID string) (bool, error) {
	var evals []*api.Evaluation
	err := c.read(ctx, fmt.Sprintf("list the evaluations of job %q", jobID), readJob, func(q *api.QueryOptions) (err error) {
		evals, _, err = c.api.Jobs().Evaluations(jobID, q)
		return err
	})
	return err == nil && !pending(evals), err
}

// Migrating are those of containers that Nomad moves, or will: marked ones, and
// those on nodes that are being drained. Where the token may not read nodes,
// only the marked ones are known.
func (c *Client) Migrating(ctx context.Context, containers []Container) ([]Container, error) {
	var nodes []*api.NodeListStub
	err := c.read(ctx, "list the nodes", nodeRead, func(q *api.QueryOptions) (err error) {
		nodes, _, err = c.api.Nodes().List(q)
		return err
	})
	if err != nil && !rejected(err) {
		return nil, err
	}
	drained := map[string]bool{}
	for _, n := range nodes {
		drained[n.ID] = n.Drain
	}
	var list []Container
	for _, one := range containers {
		if one.Live() && one.Desired == api.AllocDesiredStatusRun && (one.Migrate || drained[one.NodeID]) {
			list = append(list, one)
		}
	}
	return list, nil
}

// RescheduleFailed has Nomad replace the failed containers of a job now,
// instead of after the delay of its policy.
func (c *Client) RescheduleFailed(ctx context.Context, jobID string) error {
	return c.write(ctx, fmt.Sprintf("reschedule the failed containers of job %q", jobID), submitJob, func(w *api.WriteOptions) error {
		_, _, err := c.api.Jobs().EvaluateWithOpts(jobID, api.EvalOptions{ForceReschedule: true}, w)
		return err
	})
}
