package nomad

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

// NodeRun is what became of a job's task on one node.
type NodeRun struct {
	// Node is the node's name, NodeID its id; Allocation the allocation's id.
	Node, NodeID, Allocation string
	// Status is Nomad's client status, such as "complete".
	Status string
	// Output is what the task wrote to standard output.
	Output string
	// Err is why the task failed, or why its output could not be read.
	Err error
}

// Bounds of RunEverywhere.
const (
	runPoll = 300 * time.Millisecond
	// outputLimit is how much of a task's output is read.
	outputLimit = 64 << 10
	// outputReaders is how many outputs are read at a time.
	outputReaders = 8
	// endLimit is how long the tasks of a stopped job may take to end.
	endLimit = time.Minute
)

// RunEverywhere runs a job of type sysbatch, which Nomad starts once on each
// node that it may run on, and returns what its task wrote on each. It ends when
// all have ended, at the latest with limit; what has not ended by then is
// returned as it is. The job is stopped and purged in any case, also when ctx
// ends. Its meta needs a topology id of its own, by which it is recognized.
func (c *Client) RunEverywhere(ctx context.Context, job *api.Job, task string, limit time.Duration) (runs []NodeRun, err error) {
	if value(job.Type) != api.JobTypeSysbatch {
		return nil, outcome.Errorf(outcome.Usage, "job %q is of type %q, not %s", value(job.ID), value(job.Type), api.JobTypeSysbatch)
	}
	defer func() {
		if rerr := c.discard(context.WithoutCancel(ctx), job); rerr != nil {
			err = errors.Join(err, outcome.Errorf(outcome.LeftBehind, "job %q may still be there: %w", value(job.ID), rerr))
		}
	}()
	// One that an interrupt cuts off may still arrive.
	if _, err := c.RegisterNew(context.WithoutCancel(ctx), job); err != nil {
		return nil, err
	}
	allocs, err := c.untilEnded(ctx, value(job.ID), limit)
	if err != nil {
		return nil, err
	}
	return c.outputs(ctx, allocs, task)
}

// untilEnded waits until everything that Nomad has placed of a job has ended.
func (c *Client) untilEnded(ctx context.Context, id string, limit time.Duration) ([]*api.AllocationListStub, error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(runPoll)
	defer tick.Stop()
	var allocs []*api.AllocationListStub
	for {
		decided, err := c.Settled(bounded, id)
		if err == nil && decided {
			allocs, err = c.Allocations(bounded, id)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case bounded.Err() != nil:
			return allocs, nil
		case err != nil:
			return nil, err
		case decided && allEnded(allocs):
			return allocs, nil
		}
		select {
		case <-bounded.Done():
		case <-tick.C:
		}
	}
}

func allEnded(allocs []*api.AllocationListStub) bool {
	live, _ := split(allocs)
	return len(live) == 0
}

// outputs reads what the task wrote on each node.
func (c *Client) outputs(ctx context.Context, allocs []*api.AllocationListStub, task string) ([]NodeRun, error) {
	runs := make([]NodeRun, len(allocs))
	var group errgroup.Group
	group.SetLimit(outputReaders)
	for i, a := range allocs {
		group.Go(func() error {
			r := NodeRun{Node: a.NodeName, NodeID: a.NodeID, Allocation: a.ID, Status: a.ClientStatus}
			if state := a.TaskStates[task]; state != nil && state.Failed {
				r.Err = errors.New(failureText(state))
			}
			if a.ClientStatus == api.AllocClientStatusComplete || a.ClientStatus == api.AllocClientStatusFailed {
				text, err := c.output(ctx, a.ID, task)
				r.Output = text
				if r.Err == nil {
					r.Err = err
				}
			}
			runs[i] = r
			return nil
		})
	}
	_ = group.Wait() // what fails is in the runs
	return runs, ctx.Err()
}

// output is the standard output of a task.
func (c *Client) output(ctx context.Context, allocation, task string) (string, error) {
	var text []byte
	err := c.read(ctx, "read a task's output", readLogs, func(q *api.QueryOptions) error {
		q.Params = map[string]string{"task": task, "type": "stdout", "plain": "true"}
		body, err := c.api.Raw().Response("/v1/client/fs/logs/"+allocation, q)
		if err != nil {
			return err
		}
		defer body.Close()
		text, err = io.ReadAll(io.LimitReader(body, outputLimit))
		return err
	})
	return string(text), err
}

// discard stops a job, and purges it when its tasks have ended. It works on
// after an interrupt, and after a registration whose answer was lost.
func (c *Client) discard(ctx context.Context, job *api.Job) error {
	id := value(job.ID)
	there, err := c.Job(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !sameRun(there, job) {
		return fmt.Errorf("%w: it is of topology id %q", ErrExists, there.Meta[jobspec.MetaTopologyID])
	}
	if err := c.Stop(ctx, there); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if _, err := c.WaitStopped(ctx, id, max(c.timeout, endLimit), nil); err != nil {
		return err
	}
	return c.PurgeOwned(ctx, id, job.Meta[jobspec.MetaTopologyID])
}
