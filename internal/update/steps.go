package update

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// The steps of an update, as its intent names them.
const (
	stepGrow       = "grow"
	stepDeactivate = "deactivate"
	stepState      = "state"
	stepSpec       = "spec"
	stepPlan       = "plan"
	stepActivate   = "activate"
	stepConfigure  = "configure"
	stepShrink     = "shrink"
	stepWait       = "wait"
	stepStop       = "stop"
	stepRegister   = "register"
)

// updating is one run of Update.
type updating struct {
	*decision
	opts  Options
	limit time.Duration
	claim *operation.Claim
	// job is the job as it was read or written last.
	job *api.Job
	// mark is what there was before the state was written, nil where that was
	// done by an earlier run; at is the node of the TManager's location then.
	mark *cluster.Mark
	at   *statemgr.Node
	// version is the number that this update has in the history, 0 for none.
	version int
	// stuck is why an undo before could not be done, so that further ones must not
	// be.
	stuck error
}

// check refuses what could not be carried out. It changes nothing.
func (u *updating) check(ctx context.Context) error {
	tree := u.Cluster.State
	def, plan := u.There.Definition.Path, u.There.PackingPlan.Path
	if err := u.CheckRights(ctx, statemgr.Set(def, nil), statemgr.Set(plan, nil)); err != nil {
		return err
	}
	if err := tree.CheckSize(statemgr.Set(def, u.definition), statemgr.Set(plan, u.planData)); err != nil {
		return fmt.Errorf("update topology %q: %w; nothing was changed", u.Name, err)
	}
	return nil
}

// steps are the side effects of the update, in order, each with its undo. Each
// goes by what is there, so that a run can continue another one's work.
func (u *updating) steps() []operation.Step {
	if u.adopts {
		return u.adoptSteps()
	}
	job, self := u.Cluster.JobResource(*u.job.ID), u.Resource()
	physical := outcome.Resource{Kind: outcome.PhysicalPlan, ID: u.Name}
	var list []operation.Step
	if u.packed && u.count() < u.need() {
		list = append(list, operation.Step{Mark: stepGrow, Action: "add containers to", Of: job, Do: u.grow, Undo: u.ungrow, PutsBack: true})
	}
	pauses := u.replans && u.ran()
	if pauses {
		list = append(list, operation.Step{Mark: stepDeactivate, Action: "deactivate", Of: self, Do: u.deactivate, Undo: u.reactivate, PutsBack: true})
	}
	if u.packed || u.redefines {
		list = append(list, operation.Step{Mark: stepState, Action: operation.Write, Of: u.Cluster.StateResource(u.Name), Do: u.writeState, Undo: u.restoreState, PutsBack: true})
	}
	if u.rolls {
		list = append(list, operation.Step{Mark: stepSpec, Action: "replace the containers of", Of: job, Do: u.roll, Undo: u.unroll, PutsBack: true})
	}
	if u.packed {
		list = append(list, operation.Step{Mark: stepPlan, Action: "wait for", Of: physical, Do: u.awaitPlan})
	}
	if u.packed {
		list = append(list, operation.Step{Mark: stepActivate, Action: "activate", Of: self, Do: u.activate})
	}
	if u.configures {
		list = append(list, operation.Step{Mark: stepConfigure, Action: "configure", Of: self, Do: u.configure})
	}
	if u.opts.Rollback && u.request.scales() {
		list = append(list, operation.Step{Mark: stepShrink, Action: "settle the containers of", Of: job, Do: u.shrink, Undo: u.unshrink, PutsBack: true})
	}
	if u.opts.Rollback && u.opts.Wait > 0 {
		list = append(list, operation.Step{Mark: stepWait, Action: "wait for", Of: self, Do: u.waitFurther})
	}
	if len(list) == 0 {
		// Only what an operation that died had left is to do.
		list = append(list, operation.Step{Mark: stepShrink, Action: "settle the containers of", Of: job, Do: func(context.Context) error { return nil }})
	}
	return list
}

// finish takes away what is too many, once the topology works by its new plan.
// It is not undone: the same command finishes it.
func (u *updating) finish(ctx context.Context) error {
	if !u.request.scales() {
		return nil
	}
	job := u.Cluster.JobResource(*u.job.ID)
	u.Cluster.Progress.Begin("settle the containers of", job)
	if err := u.shrink(ctx); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return u.left("settle the containers of", job, fmt.Errorf("the topology works by its new plan, but its job does not fit yet: %w", err))
	}
	return nil
}

// guard refuses to write once another operation has taken over.
func (u *updating) guard(ctx context.Context) error {
	if u.claim.Lost(ctx) {
		return &operation.LostError{Topology: u.Name}
	}
	return nil
}

// deactivate pauses the topology and gives it the time that it wants.
func (u *updating) deactivate(ctx context.Context) error {
	if err := u.setState(ctx, heronpb.TopologyState_PAUSED); err != nil {
		return err
	}
	pause := u.seconds("topology.update.deactivate.wait.secs", 0)
	if pause == 0 {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// reactivate undoes deactivate, once there is a physical plan again.
func (u *updating) reactivate(ctx context.Context) (bool, error) {
	if err := u.setState(ctx, heronpb.TopologyState_RUNNING); err != nil {
		return false, fmt.Errorf("it may still be paused: %w", err)
	}
	return true, nil
}

// activate makes sure that the topology is in the state that it had. A TManager
// that starts anew takes that from the stored definition.
func (u *updating) activate(ctx context.Context) error { return u.setState(ctx, u.was) }

// unknown says that a write may have been done.
func unknown(err error) bool {
	return errors.Is(err, statemgr.ErrUnreachable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
