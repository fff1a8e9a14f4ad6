package submit

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// planPoll is how often the physical plan is looked for. A store has no
// watches of its own, and a plan comes seconds after its containers.
const planPoll = 300 * time.Millisecond

// TManager is what the use cases need of a topology's TManager;
// *tmanager.Client has the contract.
type TManager interface {
	PhysicalPlan(ctx context.Context, at *heronpb.TManagerLocation) (*heronpb.PhysicalPlan, error)
}

// wait returns when all containers run and the TManager has a physical plan.
func (s *submission) wait(ctx context.Context, limit time.Duration) error {
	wctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	name := s.d.Definition.Name()
	count := *s.d.Job.TaskGroups[0].Count
	err := s.env.Jobs.WaitRunning(ctx, *s.d.Job.ID, count, limit, func(p nomad.RunProgress) {
		s.env.Report.say("%d of %d containers run", p.Running, p.Want)
	})
	if err == nil {
		s.env.Report.say("wait for the physical plan")
		err = s.waitPlan(wctx, name)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return outcome.Errorf(outcome.WaitExpired, "stopped waiting: topology %q is submitted, but not known to run; remove it with: %s", name, s.d.killCommand())
	}
	return outcome.Errorf(outcome.WaitExpired, "topology %q is submitted, but does not run after %s: %w; look at job %s, or remove it with: %s",
		name, limit, err, *s.d.Job.ID, s.d.killCommand())
}

// waitPlan returns when the physical plan is stored and the TManager works by
// it. A stored plan alone may be of stream managers that have gone again.
func (s *submission) waitPlan(ctx context.Context, name string) error {
	tick := time.NewTicker(planPoll)
	defer tick.Stop()
	missing := errors.New("its TManager has not made a physical plan")
	for {
		_, stored, err := s.env.readNode(ctx, s.layout.PhysicalPlan(name), "look for the physical plan")
		complete := false
		if stored {
			complete, err = s.askTManager(ctx, name)
			missing = errors.New("its TManager has no complete physical plan")
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

// askTManager says whether the TManager has a complete plan. One that cannot
// be asked from here, for instance because its network is another, is told,
// and the plan in the state has to do.
func (s *submission) askTManager(ctx context.Context, name string) (complete bool, err error) {
	if s.env.TManager == nil {
		return true, nil
	}
	data, there, err := s.env.readNode(ctx, s.layout.TManager(name), "look for the TManager")
	if !there || err != nil {
		return false, err
	}
	at := &heronpb.TManagerLocation{}
	if err := proto.Unmarshal(data, at); err != nil || at.GetTopologyId() != s.d.Definition.ID() {
		return false, nil // of an earlier topology, until its session ends
	}
	_, err = s.env.TManager.PhysicalPlan(ctx, at)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, tmanager.ErrUnreachable) && ctx.Err() == nil:
		s.env.Report.say("%v; the physical plan in the state counts", err)
		return true, nil
	}
	return false, nil
}
