package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// pauseWait is how long a topology that is drained has to pause. A TManager
// that is just being restarted is back by then.
const pauseWait = time.Minute

// checkDrain finds out whether the topology has to be paused before it is
// killed, and refuses where that cannot be done. Containers that are stopped
// have nothing to drain.
func (k *killing) checkDrain(ctx context.Context) error {
	if k.opts.Drain <= 0 || !k.runs() {
		return nil
	}
	s := k.switching(heronpb.TopologyState_PAUSED)
	err := s.look(ctx)
	if err == nil && s.seen.state != s.from && s.seen.state != s.to {
		err = s.wrongState()
	}
	if err != nil {
		return fmt.Errorf("kill topology %q: it cannot be drained: %w; nothing was changed; it can be killed without that", k.Name, err)
	}
	k.drains = s
	return nil
}

// runs says that a job of the topology is not stopped.
func (k *killing) runs() bool {
	for _, job := range k.There.Jobs() {
		if !jobspec.Stopped(job) {
			return true
		}
	}
	return false
}

// switching is a change of the topology's state under this kill's claim.
func (k *killing) switching(to heronpb.TopologyState) *switching {
	there := *k.Subject
	there.Operation = statemgr.OperationActivate
	if to == heronpb.TopologyState_PAUSED {
		there.Operation = statemgr.OperationDeactivate
	}
	s := newSwitching(&there, to)
	s.claim, s.wait = k.claim, pauseWait
	return s
}

// drain stops the spouts and gives the topology time to work off what it has.
// Where it fails or is interrupted, a topology that ran runs again, and nothing
// is killed.
func (k *killing) drain(ctx context.Context) error {
	if k.drains == nil {
		return nil
	}
	of := k.Resource()
	pause := k.switching(heronpb.TopologyState_PAUSED)
	steps := []operation.Step{{
		Mark: stepDrain, Action: statemgr.OperationDeactivate, Of: of,
		Do: func(ctx context.Context) error {
			if err := pause.act(ctx); err != nil {
				return err
			}
			return k.workOff(ctx)
		},
		PutsBack: true,
		Undo: func(ctx context.Context) (bool, error) {
			if !pause.sent {
				return false, nil
			}
			return true, k.switching(heronpb.TopologyState_RUNNING).act(ctx)
		},
	}}
	run := operation.Run{Steps: steps, Claim: k.claim, Progress: k.Cluster.Progress, Remedy: k.Cluster.KillRemedy(k.Name), UndoLimit: 2 * pauseWait, Base: "the topology is as it was before"}
	_, err := run.Do(ctx)
	return err
}

// workOff gives a topology whose spouts have stopped its time.
func (k *killing) workOff(ctx context.Context) error {
	k.Cluster.Progress.Send(progress.Event{State: progress.Noted, Step: "drain", What: k.Resource(), Wait: k.opts.Drain, Note: "its spouts have stopped"})
	end := time.NewTimer(k.opts.Drain)
	defer end.Stop()
	select {
	case <-end.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
