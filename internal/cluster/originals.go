package cluster

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// jobWaits bounds how many jobs are waited for at a time.
const jobWaits = 32

// AwaitOriginals is AwaitRunning for a topology of the original client, which
// has one job per container. Whether the ports of its physical plan are those of
// its containers is not compared, and StableFor does not count.
func (c Cluster) AwaitOriginals(ctx context.Context, r Running, jobIDs []string) error {
	bounded, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	until := time.Now().Add(r.Limit)
	group, inner := errgroup.WithContext(bounded)
	group.SetLimit(jobWaits)
	for _, id := range jobIDs {
		group.Go(func() error { return c.Jobs.WaitRunning(inner, id, 1, time.Until(until), nil) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.Progress.Send(progress.Event{
		State: progress.Advanced, Step: "start", What: outcome.Resource{Kind: outcome.Topology, ID: r.Name},
		Done: int64(len(jobIDs)), Total: int64(len(jobIDs)), Unit: "containers",
	})
	r.JobID, r.StableFor = "", 0
	w := &waiting{Cluster: c, r: r, until: until}
	c.Progress.Begin("wait for", w.planResource())
	return w.awaitPlan(bounded)
}
