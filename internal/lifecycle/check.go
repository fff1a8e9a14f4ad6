package lifecycle

import (
	"context"
	"fmt"
	"slices"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// checkPlace refuses a topology that another operation is at work on, and one
// that is not at the place that was asked for.
func (k *killing) checkPlace(there *cluster.Topology) error {
	k.there = there
	if err := checkPending(k.cl, k.name, there.Pending); err != nil {
		return err
	}
	if err := checkIdentity(k.cl, "kill", there); err != nil {
		return err
	}
	return k.checkRecord()
}

// check refuses what must not be killed, or could not be in full. It changes
// nothing.
func (k *killing) check(ctx context.Context) error {
	if job := k.there.Job; job != nil {
		if err := jobspec.CheckMarks(job, k.cl.Settings); err != nil {
			return fmt.Errorf("%w; nothing was touched", err)
		}
	}
	k.findPackages()
	if !k.found() {
		return nil
	}
	if err := k.findUploader(); err != nil {
		return err
	}
	// A stopped job whose state has to stay would be worse.
	if err := k.cl.State.CheckRights(ctx, append(claimRights(k.cl.State, k.name, k.there.Pending), k.there.Nodes...)...); err != nil {
		return fmt.Errorf("kill topology %q: %w; nothing was touched", k.name, err)
	}
	return nil
}

// checkPending refuses where an operation is under way, or died at another
// place than the one that was asked for.
func checkPending(cl cluster.Cluster, name string, found *operation.Pending) error {
	if found == nil {
		return nil
	}
	i, s := found.Intent, cl.Settings
	switch {
	case found.Alive:
		return &operation.BusyError{Topology: name, Owner: i.Owner}
	case i.Cluster != s.Cluster || i.Role != s.Role || i.Environ != s.Environ:
		return otherPlace(fmt.Sprintf("the %s of topology %q that died was", i.Operation, name), s.Cluster, s.Role, s.Environ, i.Cluster, i.Role, i.Environ)
	}
	return cluster.CheckPlace(s.Nomad, i)
}

// claimRights are operations like those on the intent and its owner's node.
func claimRights(tree statemgr.Tree, name string, found *operation.Pending) []statemgr.Op {
	path, owner := tree.Operation(name), tree.Owner(name, "0000000000000000")
	ops := []statemgr.Op{statemgr.Create(owner, nil), statemgr.Delete(owner), statemgr.Create(path, nil), statemgr.Delete(path)}
	if found != nil {
		ops[2] = statemgr.Set(path, nil)
	}
	return ops
}

func otherPlace(what, cluster, role, environ, itsCluster, itsRole, itsEnviron string) error {
	return outcome.Errorf(outcome.Usage, "%s at %s/%s/%s, not %s/%s/%s; give its own cluster/role/environ",
		what, itsCluster, itsRole, itsEnviron, cluster, role, environ)
}

// checkIdentity compares cluster, role and environ with those that the topology
// was submitted under. Where that cannot be read, a warning about the action
// says so.
func checkIdentity(cl cluster.Cluster, action string, there *cluster.Topology) error {
	state := there.ExecutionState
	if !state.There {
		return nil
	}
	if state.Err != nil {
		cl.Progress.Warn(action, outcome.Resource{Kind: outcome.Node, ID: state.Path}, "it cannot be read, so nothing says whose topology this is", state.Err)
		return nil
	}
	es, s := state.Value, cl.Settings
	if es.GetCluster() != s.Cluster || es.GetRole() != s.Role || es.GetEnviron() != s.Environ {
		return otherPlace(fmt.Sprintf("topology %q runs", there.Name), s.Cluster, s.Role, s.Environ, es.GetCluster(), es.GetRole(), es.GetEnviron())
	}
	return nil
}

// checkRecord refuses to look for the job in another region or namespace than
// it is in: the state would go, and the containers would run on.
func (k *killing) checkRecord() error {
	record := k.there.Record
	if record.Err != nil {
		k.cl.Progress.Warn("kill", outcome.Resource{Kind: outcome.Node, ID: record.Path}, "it cannot be read, so the package may stay", record.Err)
		return nil
	}
	if !record.There || k.there.ID() != "" && record.Value.TopologyID != k.there.ID() {
		return nil // none, or of an earlier topology
	}
	return cluster.SamePlace(k.cl.Settings.Nomad, fmt.Sprintf("topology %q runs", k.name), record.Value.Nomad.Region, record.Value.Nomad.Namespace)
}

// findPackages collects the packages that the topology's parts name. A topology
// of the original client names none.
func (k *killing) findPackages() {
	add := func(kind, uri string) {
		pkg := outcome.Resource{Kind: outcome.Package, ID: uri, Where: kind}
		if uri != "" && uri != jobspec.PendingURI && !slices.Contains(k.packages, pkg) {
			k.packages = append(k.packages, pkg)
		}
	}
	if k.there.Record.Known() {
		add(k.there.Record.Value.Package.Uploader, k.there.Record.Value.Package.URI)
	}
	if k.there.Pending != nil {
		add(k.there.Pending.Intent.Package.Uploader, k.there.Pending.Intent.Package.URI)
	}
	for _, job := range k.there.Jobs() {
		add(job.Meta[jobspec.MetaUploader], job.Meta[jobspec.MetaPackageURI])
	}
	if err := k.there.VersionsErr; err != nil {
		k.cl.Progress.Warn("kill", outcome.Resource{Kind: outcome.Node, ID: k.cl.State.History(k.name)}, "it cannot be read, so packages of earlier versions may stay", err)
	}
	for _, pkg := range k.there.VersionPackages() {
		if !slices.Contains(k.packages, pkg) {
			k.earlier = append(k.earlier, pkg)
		}
	}
}

// findUploader gets the uploader for the topology that was found, where it
// depends on the topology.
func (k *killing) findUploader() error {
	if k.opts.ForTopology == nil || !cluster.PerTopology(k.cl.Settings.Upload) || len(k.packages)+len(k.earlier) == 0 {
		return nil
	}
	settings, err := k.opts.ForTopology(k.name, k.there.AnyID())
	if err != nil {
		return err
	}
	resolved := *k.cl.Settings
	resolved.Upload = settings.Upload
	k.cl, err = k.cl.With(&resolved)
	return err
}
