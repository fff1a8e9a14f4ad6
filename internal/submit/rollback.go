package submit

import (
	"context"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// rollBack undoes a submission that was done, because the topology did not run
// as waited for. What it returns says why, what was undone and what is left.
//
// Its intent is a submission's that has reached its last step. So who finds it
// dead goes on as after any submission that died: the next equal one adds
// what is missing, a kill removes the rest.
func (s *submission) rollBack(ctx context.Context, why error) error {
	remedy := s.remedy()
	f := &operation.Failure{
		Action: "wait for", Of: outcome.Resource{Kind: outcome.Topology, ID: s.name}, Err: why, Remedy: &remedy,
	}
	if ctx.Err() != nil {
		f.Err = ctx.Err()
	}
	// The interrupt that ended the wait is a reason to undo, not to stop.
	ctx = context.WithoutCancel(ctx)
	s.cl.Progress.Send(progress.Event{State: progress.Noted, Step: "undo the submission of", What: f.Of})
	intent := s.intent()
	intent.Step = stepJob
	intent.Owner = statemgr.NewOwner(statemgr.OperationSubmit, intent.Owner.User, time.Now()).For(intent.Owner.Via)
	claim, err := operation.Take(ctx, s.cl.State, s.cl.Progress, s.name, intent, nil)
	if err != nil {
		why := fmt.Sprintf("nothing was undone: %v", err)
		for _, step := range s.steps() {
			f.Left = append(f.Left, outcome.Leftover{Resource: step.Of, Why: why})
		}
		return f
	}
	s.claim, s.uploaded, s.stateMade = claim, true, true
	run := operation.Run{Steps: s.steps(), Claim: claim, Progress: s.cl.Progress, Remedy: remedy, UndoLimit: s.cl.UndoLimit()}
	return claim.Finish(ctx, run.Undo(ctx, f))
}
