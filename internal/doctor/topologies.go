package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// topologies looks at each topology, or at the one that was named.
func (e *examination) topologies(ctx context.Context) {
	if !e.hasState() {
		return // told already
	}
	names := []string{e.opts.Topology}
	if e.opts.Topology == "" {
		var err error
		if names, err = e.names(ctx); err != nil {
			e.add(failed(Topology, "", fmt.Errorf("list the topologies: %w", err), ""))
			return
		}
	}
	var group errgroup.Group
	group.SetLimit(perTopology)
	for _, name := range names {
		group.Go(func() error {
			if ctx.Err() == nil {
				e.topology(ctx, name)
			}
			return nil
		})
	}
	_ = group.Wait() // no look returns an error
}

// names are those of all topologies of which there is a node or a job.
func (e *examination) names(ctx context.Context) ([]string, error) {
	tree := e.cl.State
	found := map[string]bool{}
	const any = "x"
	for _, node := range []string{
		tree.Topology(any), tree.PackingPlan(any), tree.ExecutionState(any), tree.Scheduler(any), tree.Deployment(any),
		tree.Operation(any), tree.PhysicalPlan(any), tree.TManager(any), tree.MetricsCache(any), tree.Locks(any), tree.History(any),
		tree.Owner(any, "0000000000000000"),
	} {
		names, err := tree.Children(ctx, path.Dir(node))
		if err != nil && !errors.Is(err, statemgr.ErrNotFound) {
			return nil, err
		}
		for _, name := range names {
			// What stands behind the topology's name in a lock and an owner.
			if suffix := strings.TrimPrefix(path.Base(node), any); len(name) > len(suffix) {
				name = name[:len(name)-len(suffix)]
			}
			found[name] = statemgr.CheckName(name) == nil
		}
	}
	if !e.hasNomad() {
		return valid(found), nil
	}
	// A refusal is told by the check of the token.
	if stubs, err := e.nomad.Jobs(ctx, jobspec.JobID(e.cl.Settings.Cluster, "")); err == nil {
		for _, stub := range stubs {
			if name := stub.Meta[jobspec.MetaTopologyName]; jobspec.CheckMarks(&api.Job{ID: &stub.ID, Meta: stub.Meta}, e.cl.Settings) == nil {
				found[name] = statemgr.CheckName(name) == nil
			}
		}
	}
	return valid(found), nil
}

// valid are the names that a topology can have.
func valid(found map[string]bool) []string {
	maps.DeleteFunc(found, func(_ string, valid bool) bool { return !valid })
	return slices.Sorted(maps.Keys(found))
}

// found is what was read of one topology.
type found struct {
	*cluster.Topology
	// kill is the remedy that removes all of it; the place in it is the
	// topology's own.
	kill outcome.Remedy
	// asked: Nomad was asked for the job, and answered.
	asked bool
	// place is why its job cannot be seen from here: it is in another region or
	// namespace of Nomad.
	place error
	// foreign is why the job of the name is not the topology's own.
	foreign error
	// tmanager and plan are the topology ids in the TManager's location and in
	// the physical plan, "" for none; leaves: the location goes with a session.
	tmanager, plan string
	leaves         bool
	lock           *statemgr.UpdateLock
	deadOwners     []string
	// health is how it is as a whole; nil where it was not looked at.
	health *inspect.Status
	// why is what can be found out about one that is not well, "" for nothing.
	why string
	// packageGone is the URI of a package that the record names and that is not
	// in its store.
	packageGone string
}

// topology looks at one topology.
func (e *examination) topology(ctx context.Context, name string) {
	f, err := e.find(ctx, name)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		e.add(failed(Topology, name, err, ""))
	case e.elsewhere(f):
		if e.opts.Topology != "" {
			e.add(problem(Topology, name, "give its own cluster/role/environ", "it is at %s/%s/%s", f.kill.Cluster, f.kill.Role, f.kill.Environ))
		}
	case e.opts.Topology != "" && f.nothing():
		e.add(Check{Name: Topology, About: name, Status: Problem, Text: "there is no such topology: no state, no job", Err: outcome.New(outcome.NotFound, "no such topology")})
	default:
		list := judge(f)
		if slices.ContainsFunc(list, func(c Check) bool { return c.Status == Problem }) {
			// A command may have begun in the middle of the look. By now it shows.
			if again, err := e.find(ctx, name); err == nil {
				list = judge(again)
			}
		}
		e.add(list...)
	}
}

// elsewhere says that a topology is not of the place that was asked for.
func (e *examination) elsewhere(f *found) bool {
	k := f.kill
	return k.Cluster != e.cl.Settings.Cluster || e.opts.Role != "" && k.Role != e.opts.Role || e.opts.Environ != "" && k.Environ != e.opts.Environ
}

// find reads what there is of one topology.
func (e *examination) find(ctx context.Context, name string) (*found, error) {
	f := &found{asked: e.hasNomad()}
	err := e.look(ctx, f, name)
	if err != nil {
		return nil, err
	}
	f.kill = e.killRemedy(f.Topology)
	if f.Job != nil {
		f.foreign = jobspec.CheckMarks(f.Job, e.cl.Settings)
	}
	tree := e.cl.State
	nodes, err := tree.ReadAll(ctx, tree.TManager(name), tree.PhysicalPlan(name))
	if err != nil {
		return nil, err
	}
	f.readEngine(tree.Layout, nodes)
	if f.lock, err = tree.FindUpdateLock(ctx, name); err != nil {
		return nil, err
	}
	if f.deadOwners, err = tree.DeadOwners(ctx, name); err != nil {
		return nil, err
	}
	if f.hasJob() && f.place == nil && f.Definition.Known() && !e.elsewhere(f) {
		at := e.cl
		settings := *at.Settings
		settings.Role, settings.Environ = f.kill.Role, f.kill.Environ
		at.Settings = &settings
		if f.health, err = inspect.Look(ctx, at, e.nomad, name, e.opts.Now); err != nil {
			return nil, err
		}
		if f.Job != nil && !f.health.Health.Good() {
			f.why = at.Diagnose(ctx, cluster.Running{Name: name, ID: f.ID(), JobID: *f.Job.ID, Containers: f.health.Wanted}).String()
		}
	}
	f.packageGone = e.packageGone(ctx, f)
	return f, nil
}

// hasJob says that it has a job of its own, or those of the original client.
func (f *found) hasJob() bool { return f.Job != nil && f.foreign == nil || len(f.Originals) > 0 }

// look reads state and job. Every node of the topology is asked for only where
// the usual ones do not tell all there is: that lists whole directories.
func (e *examination) look(ctx context.Context, f *found, name string) (err error) {
	f.Topology, err = e.cl.Look(ctx, name, cluster.Scope{Job: f.asked, Originals: f.asked})
	if errors.Is(err, nomad.ErrUnreachable) || errors.Is(err, nomad.ErrDenied) {
		f.asked = false
		f.Topology, err = e.cl.Look(ctx, name, cluster.Scope{})
	}
	if err == nil && (!f.inState() || f.Pending != nil) {
		f.Topology, err = e.cl.Look(ctx, name, cluster.Scope{Job: f.asked, Originals: f.asked, Nodes: true})
	}
	if err == nil && f.Record.Known() && f.Record.Value.TopologyID == f.AnyID() {
		n := f.Record.Value.Nomad
		f.place = cluster.SamePlace(e.cl.Settings.Nomad, "it runs", n.Region, n.Namespace)
	}
	return err
}

// readEngine reads what Heron's processes wrote.
func (f *found) readEngine(l statemgr.Layout, nodes map[string]statemgr.Node) {
	if node, there := nodes[l.TManager(f.Name)]; there {
		at := &heronpb.TManagerLocation{}
		if proto.Unmarshal(node.Data, at) == nil {
			f.tmanager, f.leaves = at.GetTopologyId(), node.Ephemeral
		}
	}
	if node, there := nodes[l.PhysicalPlan(f.Name)]; there {
		plan := &heronpb.PhysicalPlan{}
		if proto.Unmarshal(node.Data, plan) == nil {
			f.plan = plan.GetTopology().GetId()
		}
	}
}

// killRemedy names the topology at its own place.
func (e *examination) killRemedy(t *cluster.Topology) outcome.Remedy {
	r := e.cl.KillRemedy(t.Name)
	switch {
	case t.ExecutionState.Known():
		es := t.ExecutionState.Value
		r.Cluster, r.Role, r.Environ = es.GetCluster(), es.GetRole(), es.GetEnviron()
	case t.Pending != nil:
		i := t.Pending.Intent
		r.Cluster, r.Role, r.Environ = i.Cluster, i.Role, i.Environ
	case t.Job != nil && t.Job.Meta[jobspec.MetaRole] != "":
		r.Role, r.Environ = t.Job.Meta[jobspec.MetaRole], t.Job.Meta[jobspec.MetaEnviron]
	}
	return r
}

// packageGone looks for the package that the record names, where the store
// tells what it has. A container that has to move fetches it.
func (e *examination) packageGone(ctx context.Context, f *found) string {
	record := f.Record
	if !record.Known() || record.Value.TopologyID != f.ID() || record.Value.Package.URI == "" || e.opts.Not.Uploader != nil {
		return ""
	}
	cl := e.cl
	if cl.Uploader == nil && e.opts.ForTopology != nil {
		var err error
		if cl, err = cl.ForTopology(e.opts.ForTopology, f.Name, f.ID()); err != nil {
			return ""
		}
	}
	if cl.Uploader == nil || cl.Settings.Upload.Kind != record.Value.Package.Uploader || !cl.Uploader.Capabilities().List {
		return ""
	}
	uri := record.Value.Package.URI
	k := f.kill
	name := topology.PackageName(k.Cluster, k.Role, k.Environ, f.Name, f.ID(), record.Value.Package.SHA256)
	for stored, err := range cl.Uploader.List(ctx, path.Dir(name)) {
		if err != nil || stored.URI == uri && !stored.Partial {
			return ""
		}
	}
	return uri
}
