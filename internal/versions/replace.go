package versions

import (
	"context"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/submit"
)

// ReplaceOptions change how Replace does it.
type ReplaceOptions struct {
	// Wait says when the new version is good. There is no replacement without a
	// wait: what does not become good is taken back.
	Wait Wait
	// State is what becomes of the state of an effectively-once topology:
	// StateKeep, StateFresh, or "", which keeps it where that is possible.
	State string
	// Rollback removes what was submitted where nothing ran, if it does not become
	// good.
	Rollback    bool
	ForTopology ForTopology
}

// Decider decides what a submission in the place of what there is would write;
// *submit.Prepared is one.
type Decider interface {
	DecideReplacement(ctx context.Context, cl cluster.Cluster, option string) ([]submit.Decision, error)
}

// Replace puts what a program defines in the place of what runs under its name,
// and submits it where nothing does. What is the same already is left alone.
// Where the new version does not become good, and when ctx ends, the old one
// comes back. A topology that is paused stays paused.
//
// A replacement that died is continued by an equal one, and taken back before
// any other.
func Replace(ctx context.Context, cl cluster.Cluster, p Decider, opts ReplaceOptions) ([]*submit.Submitted, error) {
	if err := CheckState(opts.State); err != nil {
		return nil, err
	}
	decisions, err := p.DecideReplacement(ctx, cl, opts.State)
	if err != nil {
		return nil, err
	}
	again := false
	for _, d := range decisions {
		undone, err := takeBackOther(ctx, cl, d, opts)
		if err != nil {
			return nil, err
		}
		again = again || undone
	}
	if again {
		if decisions, err = p.DecideReplacement(ctx, cl, opts.State); err != nil {
			return nil, err
		}
	}
	var list []*replacement
	for _, d := range decisions {
		r, err := newReplacement(ctx, cl, d, opts)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	done := []*submit.Submitted{}
	for _, r := range list {
		result, err := r.carryOut(ctx)
		if result != nil {
			done = append(done, result)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// exists says whether there is a topology to replace. What a kill has left that
// died is none, nor is what a submit had not written in full.
func exists(there *cluster.Topology) bool {
	if !there.Definition.There || there.Pending == nil {
		return there.Definition.There
	}
	switch there.Pending.Intent.Operation {
	case statemgr.OperationKill:
		return false
	case statemgr.OperationSubmit:
		return there.Complete(there.ID())
	}
	return true
}

// equal says whether a change that died would have written the very same as
// this replacement.
func equal(cl cluster.Cluster, d submit.Decision, option string) bool {
	dead, m := d.There.Pending, d.Manifest
	if dead == nil || dead.Intent.Operation != statemgr.OperationReplace {
		return false
	}
	i := dead.Intent
	return i.Request != "" && i.Request == m.Request()+option && i.TopologyID == m.Definition.ID() && i.SubmittedAt.Unix() == m.Version().At.Unix() &&
		cl.Uploader.Capabilities().FixedNames && i.Package.Uploader == m.Settings().Upload.Kind && i.Package.URI == m.Package.URI
}

// takeBackOther takes back a change that died and is not to be continued.
func takeBackOther(ctx context.Context, cl cluster.Cluster, d submit.Decision, opts ReplaceOptions) (bool, error) {
	if !d.There.Definition.There || d.There.Pending == nil {
		return false, nil
	}
	of, err := cl.With(d.Manifest.Settings())
	if err != nil || equal(of, d, opts.State) {
		return false, err
	}
	if op := d.There.Pending.Intent.Operation; op != statemgr.OperationReplace && op != statemgr.OperationRollback {
		return false, nil
	}
	c, err := look(ctx, of, statemgr.OperationReplace, d.Manifest.Definition.Name(), opts.ForTopology)
	if err != nil || !c.died() {
		return false, err
	}
	if err := c.undoDead(ctx); err != nil {
		return false, err
	}
	return true, c.claim.Finish(ctx, nil)
}

// replacement is one topology of a Replace.
type replacement struct {
	*change
	// all is the cluster as it is for all topologies.
	all  cluster.Cluster
	d    submit.Decision
	m    *submit.Manifest
	opts ReplaceOptions
	// absent: there is nothing to replace. same: it is what runs.
	absent, same bool
	equal        bool
	state        string
	stored       bool
}

// newReplacement checks and decides a replacement. It changes nothing.
func newReplacement(ctx context.Context, cl cluster.Cluster, d submit.Decision, opts ReplaceOptions) (*replacement, error) {
	r := &replacement{all: cl, d: d, m: d.Manifest, opts: opts}
	if !exists(d.There) {
		r.absent = true
		return r, nil
	}
	of, err := cl.With(r.m.Settings())
	if err != nil {
		return nil, err
	}
	if r.change, err = look(ctx, of, statemgr.OperationReplace, r.m.Definition.Name(), opts.ForTopology); err != nil {
		return nil, err
	}
	r.wait, r.equal = opts.Wait, r.died() && equal(of, d, opts.State)
	if r.died() && !r.equal {
		return nil, &operation.BusyError{Topology: r.name} // it was begun since the decision
	}
	if !r.equal {
		job := r.subj.There.Job
		if r.same, err = r.m.SameAs(r.subj.There); err != nil || r.same && job != nil && !jobspec.Stopped(job) {
			return r, err
		}
		r.same = false
	}
	if err := r.decide(ctx); err != nil {
		return nil, err
	}
	return r, r.check(ctx)
}

// decide completes the target.
func (r *replacement) decide(ctx context.Context) error {
	r.pkgAction, r.pkg = operation.Upload, outcome.Resource{Kind: outcome.Package, ID: r.m.PackageName, Where: r.m.Settings().Upload.Kind}
	r.get, r.drop = r.upload, r.dropUploaded
	if r.equal && r.placed() {
		r.fresh = len(r.target.Checkpoints) > 0
		r.state = r.opts.State
		return nil
	}
	paused, err := r.pausedNow(ctx)
	if err != nil {
		return err
	}
	if r.m, err = r.m.WithState(paused || r.m.Paused()); err != nil {
		return err
	}
	r.target = statemgr.Version{Number: r.base.Number + 1, PausedBefore: paused}
	r.take(r.m)
	r.state, err = r.decideState(ctx, r.opts.State)
	r.baseGood = r.good(ctx)
	if !r.recorded {
		r.base.Stable = r.baseGood
	}
	return err
}

// take makes the target the manifest's version.
func (r *replacement) take(m *submit.Manifest) {
	v, t := m.Version(), r.target
	v.Number, v.Previous, v.PausedBefore, v.Checkpoints = t.Number, r.base.Number, t.PausedBefore, t.Checkpoints
	v.Operation = statemgr.OperationReplace
	r.m, r.target = m, v
}

// check refuses what can be known to fail.
func (r *replacement) check(ctx context.Context) error {
	if err := r.m.CheckReplacement(ctx, r.cl); err != nil {
		return err
	}
	return r.checkRights(ctx)
}

// checkRights asks whether the store would let the change write.
func (c *change) checkRights(ctx context.Context) error {
	l := c.cl.State.Layout
	ops := []statemgr.Op{
		statemgr.Set(l.PackingPlan(c.name), []byte{0}), statemgr.Set(l.ExecutionState(c.name), []byte{0}),
		statemgr.Set(l.Deployment(c.name), []byte{0}), statemgr.Set(l.Topology(c.name), []byte{0}),
	}
	if len(c.subj.There.Versions) > 0 && !c.placed() {
		ops = append(ops, statemgr.Create(l.Version(c.name, c.target.Number), []byte{0}))
	}
	return c.subj.CheckRights(ctx, ops...)
}

// upload stores the package.
func (r *replacement) upload(ctx context.Context) (string, error) {
	r.stored = true
	m, err := r.m.Upload(ctx, r.cl.Uploader)
	if err != nil {
		return "", err
	}
	if !r.placed() {
		r.take(m)
	}
	r.claim.Note(func(i *statemgr.Intent) { i.Package.URI = m.Package.URI })
	return m.Package.Fetch, nil
}

func (r *replacement) dropUploaded(ctx context.Context) (bool, error) {
	if !r.stored {
		return false, nil
	}
	return r.dropTarget(ctx)
}

// intent is what this replacement is about to do.
func (r *replacement) intent() statemgr.Intent {
	i := r.subj.Intent(steps()...)
	i.TopologyID, i.Request, i.SubmittedAt = r.target.Deployment.TopologyID, r.d.Manifest.Request(), r.target.At
	if i.Request != "" {
		i.Request += r.opts.State
	}
	i.Makes, i.Base = r.target.Number, r.base.Number
	file := r.m.PackageFile()
	i.Package = statemgr.IntentPackage{Uploader: r.m.Settings().Upload.Kind, Name: r.m.PackageName, URI: r.m.Package.URI, SHA256: file.SHA256, Size: file.Size}
	return i
}

// carryOut replaces, or submits, or does nothing.
func (r *replacement) carryOut(ctx context.Context) (*submit.Submitted, error) {
	if r.absent {
		done, err := submit.Submit(ctx, r.all, []submit.Decision{r.d}, submit.Options{Wait: r.opts.Wait.Limit, StableFor: r.opts.Wait.StableFor, Rollback: r.opts.Rollback})
		if len(done) == 0 {
			return nil, err
		}
		return done[0], err
	}
	if r.same {
		result := r.unchanged(ctx)
		if !r.completed() {
			return result, nil
		}
		s, err := r.settleDead(ctx)
		result.Removed, result.Kept = s.Removed, s.Kept
		return result, err
	}
	if err := r.begin(ctx, r.intent(), r.equal); err != nil {
		return nil, err
	}
	s, err := r.change.carryOut(ctx)
	if err != nil {
		return nil, err
	}
	result := r.result()
	result.Running, result.Removed, result.Kept = true, s.Removed, s.Kept
	result.Rollout = r.cl.Rollout(ctx, r.jobID())
	return result, nil
}

// result is what was put in place.
func (r *replacement) result() *submit.Submitted {
	set, pkg := r.m.Settings(), r.target.Deployment.Package
	return &submit.Submitted{
		Action: submit.ActionReplaced, Topology: r.name, ID: r.target.Deployment.TopologyID,
		Cluster: set.Cluster, Role: set.Role, Environ: set.Environ, Job: r.jobID(), JobPage: r.m.JobPage(), Containers: r.target.Containers,
		Package: pkg.URI, PackageSHA256: pkg.SHA256, PackageSize: pkg.Size,
		Number: r.target.Number, Previous: r.base.Number, State: r.state, Paused: r.paused(),
	}
}

// unchanged is the result where what runs is what was asked for.
func (r *replacement) unchanged(ctx context.Context) *submit.Submitted {
	r.target = r.base
	result := r.result()
	result.Action, result.Previous = submit.ActionUnchanged, 0
	if !r.recorded {
		result.Number = 0
	}
	if paused, err := r.pausedNow(ctx); err == nil {
		result.Paused = paused
	}
	result.Rollout = r.cl.Rollout(ctx, r.jobID())
	r.cl.Progress.Begin(fmt.Sprintf("leave as it is, version %d of", r.base.Number), r.subj.Resource())
	return result
}
