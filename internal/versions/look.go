package versions

import (
	"bytes"
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/subject"
)

// scope is what of a topology a change has to know.
func scope() cluster.Scope { return cluster.Scope{Job: true, Originals: true, Versions: true} }

// look begins a change of a topology: it finds out what runs, and what a change
// that died has left.
func look(ctx context.Context, cl cluster.Cluster, operation, name string, forTopology ForTopology) (*change, error) {
	subj, err := subject.Look(ctx, cl, operation, name, scope())
	if err != nil {
		return nil, err
	}
	c := &change{subj: subj, cl: cl, name: name, forTopology: forTopology}
	there := subj.There
	for _, check := range []func() error{subj.CheckWhole, subj.CheckPlan, subj.CheckMarks} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	switch {
	case there.VersionsErr != nil:
		return nil, fmt.Errorf("%s topology %q: %w", operation, name, there.VersionsErr)
	case len(there.Originals) > 0 || !there.Record.There:
		return nil, subj.Errorf(outcome.Differs, "the original client submitted it, so there is no way back to it; kill it, then submit")
	}
	if c.died() {
		return c, c.lookDead(ctx)
	}
	if !c.completed() {
		if _, err := subj.CheckDead(""); err != nil {
			return nil, err
		}
	}
	return c, c.lookBase(ctx)
}

// left says whether a change of this package has left its intent.
func (c *change) left() bool {
	dead := c.subj.There.Pending
	return dead != nil && (dead.Intent.Operation == statemgr.OperationReplace || dead.Intent.Operation == statemgr.OperationRollback)
}

// died says whether a change of this package died in the middle.
func (c *change) died() bool { return c.left() && !c.completed() }

// completed says whether a change of this package died when its version was
// noted as good: what ran before may be gone already.
func (c *change) completed() bool {
	return c.left() && c.made() && c.subj.There.Newest().Stable
}

// placed says whether the change that died had put its state in place.
func (c *change) placed() bool { return c.died() && c.made() }

// made says whether the version that the intent names is there.
func (c *change) made() bool {
	newest := c.subj.There.Newest()
	return newest != nil && newest.Number == c.subj.There.Pending.Intent.Makes
}

// lookBase finds out which version runs. One that is not in the history, because
// it was submitted or changed by a client that keeps none, becomes a version of
// its own.
func (c *change) lookBase(ctx context.Context) error {
	there, newest := c.subj.There, c.subj.There.Newest()
	if newest != nil && newest.Deployment.TopologyID == there.ID() {
		v, err := c.cl.State.Content(ctx, c.name, *newest)
		if err == nil && bytes.Equal(v.PackingPlan, there.PackingPlan.Data) {
			c.base, c.recorded = v, true
			return nil
		}
	}
	v, err := there.Version("", c.cl.Settings.User, there.Record.Value.SubmittedAt)
	if err != nil {
		return err
	}
	v.Number = 1
	if newest != nil {
		v.Number = newest.Number + 1
	}
	c.base = v
	return nil
}

// lookDead reads both versions of a change that died.
func (c *change) lookDead(ctx context.Context) (err error) {
	i := c.subj.There.Pending.Intent
	if !c.placed() {
		if err := c.lookBase(ctx); err != nil {
			return err
		}
		c.target.Number, c.target.Deployment.TopologyID = i.Makes, i.TopologyID
		c.target.Deployment.Package.Uploader, c.target.Deployment.Package.URI = i.Package.Uploader, i.Package.URI
		return nil
	}
	for _, v := range c.subj.There.Versions {
		switch v.Number {
		case i.Base:
			c.base, err = c.cl.State.Content(ctx, c.name, v)
			c.recorded = true
		case i.Makes:
			c.target, err = c.cl.State.Content(ctx, c.name, v)
		}
		if err != nil {
			return err
		}
	}
	if c.base.Number == 0 {
		return c.subj.Errorf(outcome.Differs, "%s died at the step %q, and version %d, which ran before, is not in the history", i.Owner, i.Step, i.Base)
	}
	return nil
}

// undoDead claims the topology after a change that died, and puts back what ran
// before. The claim is kept.
func (c *change) undoDead(ctx context.Context) error {
	dead := c.subj.There.Pending.Intent
	intent := dead
	intent.Owner = c.subj.Intent(steps()...).Owner
	var err error
	if c.claim, err = c.subj.Take(ctx, intent); err != nil {
		return err
	}
	c.noteDead("take back")
	c.pkg = cluster.PackageOf(c.target)
	if dead.Operation == statemgr.OperationReplace {
		c.drop = c.dropTarget
	}
	return c.runBack(ctx)
}

// dropTarget removes the package of a replacement, unless a version of the
// history has the same.
func (c *change) dropTarget(ctx context.Context) (bool, error) {
	pkg := cluster.PackageOf(c.target)
	if pkg.ID == "" || pkg.ID == jobspec.PendingURI {
		return false, nil
	}
	versions, err := c.cl.State.Versions(ctx, c.name)
	if err != nil {
		return false, err
	}
	for _, v := range append(versions, c.base) {
		if cluster.PackageOf(v) == pkg {
			return false, nil
		}
	}
	cl, err := c.clusterOf(c.target)
	if err != nil {
		return false, err
	}
	return true, cl.RemovePackage(ctx, pkg)
}

// pausedNow says whether the topology is paused: its TManager knows best.
func (c *change) pausedNow(ctx context.Context) (bool, error) {
	plan, err := c.cl.StoredPlan(ctx, c.name, c.base.Deployment.TopologyID)
	if err == nil {
		return plan.GetTopology().GetState() == heronpb.TopologyState_PAUSED, nil
	}
	if outcome.KindOf(err) == outcome.Unreachable {
		return false, err
	}
	return c.subj.There.Definition.Value.State() == heronpb.TopologyState_PAUSED, nil
}

// good says whether the version that runs does so as it should, as far as its
// TManager can be asked.
func (c *change) good(ctx context.Context) bool {
	if c.cl.TManager == nil {
		return false
	}
	at, err := c.cl.FindTManager(ctx, c.name, c.base.Deployment.TopologyID)
	if err != nil {
		return false
	}
	_, err = c.cl.TManager.PhysicalPlan(ctx, at)
	return err == nil
}

// identity is where a version was submitted.
func identity(v statemgr.Version) (*heronpb.ExecutionState, error) {
	es := &heronpb.ExecutionState{}
	if err := proto.Unmarshal(v.ExecutionState, es); err != nil {
		return nil, fmt.Errorf("read the execution state of version %d: %w", v.Number, err)
	}
	return es, nil
}
