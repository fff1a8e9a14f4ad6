package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
)

// fewerPoll is how often it is looked whether failed containers are there again.
// They may fail once more soon.
const fewerPoll = 50 * time.Millisecond

// Fewer gives a job a lower count, so that the containers with the highest
// indexes end, and returns the job as it is then. job is the one that was read.
//
// Nomad does not choose by index alone: a container that has failed, and waits to
// be started anew, counts as one of those that are too many but is not taken away
// itself; any other one is in its place, that of the TManager too. From 2.0.4 on
// failed ones go first, whatever their index. So they are started anew just
// before, without the pause that Nomad would make. As one may fail again in
// between, SettleIndexes has to follow.
func (c Cluster) Fewer(ctx context.Context, job *api.Job, count int) (*api.Job, error) {
	for asked := map[string]bool{}; ; {
		list, err := c.Jobs.Containers(ctx, *job.ID)
		if err != nil {
			return nil, err
		}
		again := false
		for _, one := range list {
			// One that Nomad was asked about and has no room for is not counted
			// any more.
			if failedNow(one) && !asked[one.ID] {
				asked[one.ID], again = true, true
			}
		}
		if !again {
			return c.Jobs.SetCount(ctx, job, count)
		}
		if err := c.Jobs.RescheduleFailed(ctx, *job.ID); err != nil {
			return nil, err
		}
		if err := c.awaitDecision(ctx, *job.ID); err != nil {
			return nil, err
		}
	}
}

// failedNow says that a container has failed and was not replaced yet.
func failedNow(one nomad.Container) bool {
	return one.Desired == api.AllocDesiredStatusRun && one.Status == api.AllocClientStatusFailed
}

// awaitDecision returns when Nomad has decided everything about a job.
func (c Cluster) awaitDecision(ctx context.Context, jobID string) error {
	tick := time.NewTicker(fewerPoll)
	defer tick.Stop()
	for {
		if done, err := c.Jobs.Settled(ctx, jobID); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
