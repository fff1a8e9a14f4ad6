package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/nomad/api"
)

// SetCount changes the count of a job, given as it was read, and returns it as it
// is then. Where there are to be fewer containers, those with the highest indexes
// end.
//
// Nomad does not choose by index alone: a container that has failed, and waits to
// be started anew, counts as one of those that are too many but is not taken away
// itself; any other one is in its place, that of the TManager too. From 2.0.4 on
// failed ones go first, whatever their index. So they are started anew just
// before, without the pause that Nomad would make. As one may fail again in
// between, SettleIndexes has to follow.
func (c Cluster) SetCount(ctx context.Context, job *api.Job, count int) (*api.Job, error) {
	if count < CountOf(job) {
		if err := c.startFailed(ctx, *job.ID); err != nil {
			return nil, err
		}
	}
	return c.Jobs.SetCount(ctx, job, count)
}

// decisionPoll is how often it is looked whether Nomad has decided about failed
// containers. They may fail once more soon.
const decisionPoll = 50 * time.Millisecond

// startFailed has Nomad start the failed containers of a job anew, and returns
// when it has decided about all of them. One that it has no room for stays
// failed, and is not counted any more.
func (c Cluster) startFailed(ctx context.Context, jobID string) error {
	for asked := map[string]bool{}; ; {
		list, err := c.Jobs.Containers(ctx, jobID)
		if err != nil {
			return err
		}
		again := false
		for _, one := range list {
			if one.Failed() && !asked[one.ID] {
				asked[one.ID], again = true, true
			}
		}
		if !again {
			return nil
		}
		if err := c.Jobs.RescheduleFailed(ctx, jobID); err != nil {
			return err
		}
		if err := c.awaitDecision(ctx, jobID); err != nil {
			return err
		}
	}
}

// awaitDecision returns when Nomad has decided everything about a job.
func (c Cluster) awaitDecision(ctx context.Context, jobID string) error {
	tick := time.NewTicker(decisionPoll)
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
