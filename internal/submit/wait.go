package submit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// planPoll is how often the physical plan is looked for. A store has no
// watches of its own, and a plan comes seconds after its containers.
const planPoll = 300 * time.Millisecond

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
		return withCode(ExitWait, "stopped waiting: topology %q is submitted, but not known to run; remove it with: %s", name, s.d.killCommand())
	}
	return withCode(ExitWait, "topology %q is submitted, but does not run after %s: %w; look at job %s, or remove it with: %s",
		name, limit, err, *s.d.Job.ID, s.d.killCommand())
}

func (s *submission) waitPlan(ctx context.Context, name string) error {
	tick := time.NewTicker(planPoll)
	defer tick.Stop()
	for {
		_, err := s.env.Store.Read(ctx, s.layout.PhysicalPlan(name))
		if err == nil {
			return nil
		}
		if !errors.Is(err, statemgr.ErrNotFound) {
			return fmt.Errorf("look for the physical plan: %w", err)
		}
		select {
		case <-ctx.Done():
			return errors.New("its TManager has not made a physical plan")
		case <-tick.C:
		}
	}
}
