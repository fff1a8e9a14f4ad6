package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// PlanPoll is how often the physical plan is looked for. A store has no
// watches of its own, and a plan comes seconds after its containers.
const PlanPoll = 300 * time.Millisecond

// Running says which topology to wait for.
type Running struct {
	Name, ID string
	// JobID and Containers are of its Nomad job.
	JobID      string
	Containers int
	// Limit is the longest wait.
	Limit time.Duration
}

// AwaitRunning returns when all containers run and the TManager has a complete
// physical plan.
func (c Cluster) AwaitRunning(ctx context.Context, r Running) error {
	bounded, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	what := outcome.Resource{Kind: outcome.Containers, ID: r.JobID}
	err := c.Jobs.WaitRunning(ctx, r.JobID, r.Containers, r.Limit, func(p nomad.RunProgress) {
		c.Progress.Send(progress.Event{State: progress.Advanced, Step: "start", What: what, Done: int64(p.Running), Total: int64(p.Want), Unit: "containers"})
	})
	if err != nil {
		return err
	}
	c.Progress.Begin("wait for", outcome.Resource{Kind: outcome.PhysicalPlan, ID: r.Name})
	return c.awaitPlan(bounded, r)
}

// awaitPlan returns when the physical plan is stored and the TManager works by
// it. A stored plan alone may be one of stream managers that are gone.
func (c Cluster) awaitPlan(ctx context.Context, r Running) error {
	tick := time.NewTicker(PlanPoll)
	defer tick.Stop()
	missing := errors.New("its TManager has not made a physical plan")
	for {
		_, err := c.State.Read(ctx, c.State.PhysicalPlan(r.Name))
		complete := false
		switch {
		case err == nil:
			complete, err = c.askTManager(ctx, r)
			missing = errors.New("its TManager has no complete physical plan")
		case errors.Is(err, statemgr.ErrNotFound):
			err = nil
		}
		switch {
		case ctx.Err() != nil:
			return missing
		case err != nil:
			return err
		case complete:
			return nil
		}
		select {
		case <-ctx.Done():
			return missing
		case <-tick.C:
		}
	}
}

// askTManager says whether the TManager has a complete plan. Where it cannot
// be reached from here, for instance because it is in another network, a
// warning says so and the plan in the state has to do.
func (c Cluster) askTManager(ctx context.Context, r Running) (complete bool, err error) {
	if c.TManager == nil {
		return true, nil
	}
	at, err := c.FindTManager(ctx, r.Name, r.ID)
	if errors.Is(err, ErrNoTManager) {
		return false, nil // a location of an earlier topology stays until its session ends
	}
	if err != nil {
		return false, err
	}
	_, err = c.TManager.PhysicalPlan(ctx, at)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, tmanager.ErrUnreachable) && ctx.Err() == nil:
		c.Progress.Warn("wait for", outcome.Resource{Kind: outcome.PhysicalPlan, ID: r.Name}, "the physical plan in the state counts", err)
		return true, nil
	}
	return false, nil
}
