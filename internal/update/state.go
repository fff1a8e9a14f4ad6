package update

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// metaID is the key of a job's meta that holds the topology id.
const metaID = jobspec.MetaTopologyID

// writeState writes the packing plan, the definition and the version of the
// history in one transaction. The plan comes last where that is too large: it
// makes the TManager start anew and read the rest.
func (u *updating) writeState(ctx context.Context) error {
	if !u.replans && !u.redefines {
		return nil // an earlier run has done it
	}
	tree := u.Cluster.State
	if err := tree.EnsureDirs(ctx, tree.Dirs()...); err != nil {
		return err
	}
	if u.replans {
		if err := u.noteBefore(ctx); err != nil {
			return err
		}
	}
	ops, err := u.versionOps(ctx)
	if err != nil {
		return err
	}
	if u.redefines {
		ops = append(ops, statemgr.Set(u.There.Definition.Path, u.definition))
	}
	if u.replans {
		return u.replan(ctx, ops, u.planData)
	}
	return u.apply(ctx, ops)
}

// replanTries bounds how often a transaction is made anew because the physical
// plan came or went in between.
const replanTries = 10

// replan carries out operations together with a change of the packing plan, and
// the removal of the physical plan of the one before. The TManager removes that
// too, but may end before it does: when stream managers that have read the new
// packing plan register with it. Then none would ever start again.
func (u *updating) replan(ctx context.Context, ops []statemgr.Op, plan []byte, last ...statemgr.Op) error {
	path := u.Cluster.State.PhysicalPlan(u.Name)
	for try := 1; ; try++ {
		all := slices.Clone(ops)
		_, err := u.Cluster.State.Read(ctx, path)
		switch {
		case err == nil:
			all = append(all, statemgr.Delete(path))
		case !errors.Is(err, statemgr.ErrNotFound):
			return err
		}
		all = append(all, statemgr.Set(u.There.PackingPlan.Path, plan))
		err = u.apply(ctx, append(all, last...))
		var refused *statemgr.TxError
		gone := errors.Is(err, statemgr.ErrNotFound) && errors.As(err, &refused) && refused.Op.Path == path
		if !gone || try == replanTries {
			return err
		}
	}
}

// apply carries a transaction out while the claim holds.
func (u *updating) apply(ctx context.Context, ops []statemgr.Op) error {
	err := u.Cluster.State.ApplyAll(ctx, append(u.claim.Guards(), ops...)...)
	if unknown(err) && ctx.Err() == nil {
		if done, readErr := u.Cluster.State.Done(ctx, ops...); readErr == nil && done {
			return nil
		}
	}
	return u.claim.Seen(err)
}

// noteBefore notes what TManager and physical plan there are.
func (u *updating) noteBefore(ctx context.Context) error {
	// In a folder, nodes that other processes make anew cannot always be told
	// apart; which instances the physical plan has tells there.
	if u.Cluster.Settings.State.Kind == "zookeeper" {
		mark, err := u.Cluster.Mark(ctx, u.Name, u.ID())
		if err != nil {
			return err
		}
		u.mark = &mark
	}
	node, err := u.Cluster.State.Read(ctx, u.Cluster.State.TManager(u.Name))
	switch {
	case err == nil:
		u.at = &node
	case !errors.Is(err, statemgr.ErrNotFound):
		return err
	}
	return nil
}

// versionOps add this update to the history. A topology of the original client,
// or one without a record, has none.
func (u *updating) versionOps(ctx context.Context) ([]statemgr.Op, error) {
	if !u.There.Record.Known() || u.There.VersionsErr != nil {
		return nil, nil
	}
	return u.addVersion(ctx, u.There)
}

// addVersion adds this update of a topology to the history.
func (u *updating) addVersion(ctx context.Context, there *cluster.Topology) ([]statemgr.Op, error) {
	v, err := there.Version(statemgr.OperationUpdate, u.Cluster.Settings.User, time.Now())
	if err != nil {
		return nil, err
	}
	job := *u.spec
	group := *job.TaskGroups[0]
	group.Count = new(u.need())
	job.TaskGroups = append(job.TaskGroups[:0:0], &group)
	if v.Job, err = jobspec.Record(&job); err != nil {
		return nil, err
	}
	v.Containers, v.Definition, v.PackingPlan = u.need(), u.definition, u.There.PackingPlan.Data
	v.PausedBefore = u.was == heronpb.TopologyState_PAUSED
	if u.replans {
		v.PackingPlan = u.planData
	}
	ops, number, err := u.Cluster.State.Append(ctx, u.Name, v)
	u.version = number
	return ops, err
}

// restoreState writes the state that there was, but keeps the topology in the
// state that it had, with its runtime configuration.
func (u *updating) restoreState(ctx context.Context) (bool, error) {
	if !u.replans && !u.redefines {
		return false, nil
	}
	node, err := u.Cluster.State.Read(ctx, u.There.Definition.Path)
	if err != nil {
		return false, err
	}
	plan, err := u.Cluster.State.Read(ctx, u.There.PackingPlan.Path)
	if err != nil {
		return false, err
	}
	ops, err := u.dropVersion(ctx)
	if err != nil {
		return false, err
	}
	if string(node.Data) != string(u.back) && u.redefines {
		ops = append(ops, statemgr.Set(u.There.Definition.Path, u.back))
	}
	written := string(plan.Data) != string(u.There.PackingPlan.Data)
	if written {
		if err := u.noteBefore(ctx); err != nil {
			return false, err
		}
		if err := u.replan(ctx, ops, u.There.PackingPlan.Data); err != nil {
			return false, err
		}
		if err := u.dropAdded(ctx); err != nil {
			return true, err
		}
		return true, u.awaitWorking(ctx, cluster.CountOf(u.job), u.stored)
	}
	if len(ops) == 0 {
		return false, nil
	}
	err = u.apply(ctx, ops)
	return err == nil, err
}

// dropVersion removes this update from the history.
func (u *updating) dropVersion(ctx context.Context) ([]statemgr.Op, error) {
	versions, err := u.Cluster.State.Versions(ctx, u.Name)
	n := len(versions)
	if err != nil || u.version == 0 || n == 0 || versions[n-1].Number != u.version {
		return nil, err
	}
	return versions[n-1].DeleteOps(u.Cluster.State.Layout, u.Name), nil
}

// awaitPlan waits until the TManager works by the new plan.
func (u *updating) awaitPlan(ctx context.Context) error {
	return u.awaitWorking(ctx, max(u.count(), u.need()), u.plan)
}

// awaitWorking waits until so many containers run and the TManager works by a
// packing plan.
func (u *updating) awaitWorking(ctx context.Context, containers int, plan *packing.Plan) error {
	u.dropStale(ctx)
	if err := u.awaitRunning(ctx, containers); err != nil {
		return err
	}
	return u.poll(ctx, func(ctx context.Context) error {
		physical, err := u.physicalPlan(ctx)
		if err == nil && !runs(physical, plan) {
			err = fmt.Errorf("%w of the packing plan", cluster.ErrNoStoredPlan)
		}
		return err
	})
}

func (u *updating) awaitRunning(ctx context.Context, containers int) error {
	return u.Cluster.AwaitRunning(ctx, cluster.Running{
		Name: u.Name, ID: u.ID(), JobID: *u.job.ID, Containers: containers, Limit: u.limit, PlanAfter: u.mark,
	})
}

// staleLimit is how long the end of the old TManager is looked for; its location
// goes by itself when its session ends.
const staleLimit = 30 * time.Second

// dropStale removes the location of the TManager that there was, once its process
// is gone: the next one would wait until the old session ends. It is only to
// save time, so nothing depends on it.
func (u *updating) dropStale(ctx context.Context) {
	if u.at == nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, staleLimit)
	defer cancel()
	path := u.Cluster.State.TManager(u.Name)
	tick := time.NewTicker(cluster.PlanPoll)
	defer tick.Stop()
	for silent := 0; ; {
		node, err := u.Cluster.State.Read(bounded, path)
		if err != nil || node.Created != u.at.Created || node.Version != u.at.Version {
			return // gone, or the new one's
		}
		at, err := u.Cluster.FindTManager(bounded, u.Name, u.ID())
		if err != nil {
			return
		}
		silent++
		if _, err = u.Cluster.TManager.PhysicalPlan(bounded, at); !errors.Is(err, tmanager.ErrUnreachable) || errors.Is(err, tmanager.ErrOther) {
			silent = 0
		}
		if silent >= 2 {
			// A refusal is no harm: the location is another one by now.
			_ = u.Cluster.State.Apply(bounded, append(u.claim.Guards(), statemgr.Delete(path).At(node.Version))...)
			return
		}
		select {
		case <-bounded.Done():
			return
		case <-tick.C:
		}
	}
}

// poll repeats a look until it finds nothing wrong, for the limit.
func (u *updating) poll(ctx context.Context, see func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, u.limit)
	defer cancel()
	tick := time.NewTicker(cluster.PlanPoll)
	defer tick.Stop()
	var last error
	for {
		err := see(bounded)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case bounded.Err() == nil && !cluster.PlanMayCome(err):
			return err
		case bounded.Err() == nil:
			last = err
		}
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return outcome.Errorf(outcome.Unreachable, "not so after %s: %w", u.limit, errors.Join(last))
		case <-tick.C:
		}
	}
}
