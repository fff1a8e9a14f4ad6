package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// PackageOf names the package of a version.
func PackageOf(v statemgr.Version) outcome.Resource {
	return outcome.Resource{Kind: outcome.Package, ID: v.Deployment.Package.URI, Where: v.Deployment.Package.Uploader}
}

// VersionPackages are the packages that the topology's versions name, each once.
func (t *Topology) VersionPackages() []outcome.Resource {
	var list []outcome.Resource
	for _, v := range t.Versions {
		if pkg := PackageOf(v); pkg.ID != "" && !slices.Contains(list, pkg) {
			list = append(list, pkg)
		}
	}
	return list
}

// Newest is the newest of the topology's versions, nil for none.
func (t *Topology) Newest() *statemgr.Version {
	if len(t.Versions) == 0 {
		return nil
	}
	return &t.Versions[len(t.Versions)-1]
}

// Version is the topology as it is there, as a version that an operation makes:
// whoever changes it replaces what will differ. All parts of its state and its
// job have to be there.
func (t *Topology) Version(operation, by string, at time.Time) (statemgr.Version, error) {
	for _, part := range []struct {
		path  string
		there bool
		err   error
	}{
		{t.Definition.Path, t.Definition.There, t.Definition.Err},
		{t.PackingPlan.Path, t.PackingPlan.There, t.PackingPlan.Err},
		{t.ExecutionState.Path, t.ExecutionState.There, t.ExecutionState.Err},
		{t.Record.Path, t.Record.There, t.Record.Err},
		{"its Nomad job", t.Job != nil, nil},
	} {
		if part.err != nil {
			return statemgr.Version{}, part.err
		}
		if !part.there {
			return statemgr.Version{}, outcome.Errorf(outcome.Differs, "topology %q cannot be recorded: %s is missing", t.Name, part.path)
		}
	}
	job, err := jobspec.Record(t.Job)
	if err != nil {
		return statemgr.Version{}, err
	}
	v := statemgr.Version{
		Operation: operation, By: by, At: at, Containers: CountOf(t.Job), Deployment: t.Record.Value,
		ExecutionState: t.ExecutionState.Data, SchedulerLocation: t.Scheduler.Data,
		VersionContent: statemgr.VersionContent{Definition: t.Definition.Data, PackingPlan: t.PackingPlan.Data, Job: job},
	}
	if newest := t.Newest(); newest != nil {
		v.Previous = newest.Number
		if newest.Deployment.TopologyID == v.Deployment.TopologyID {
			v.Stateful = newest.Stateful // it is in the package, which is the same
		}
	}
	return v, nil
}

// CountOf is how many containers a topology's job has.
func CountOf(job *api.Job) int {
	if len(job.TaskGroups) == 0 || job.TaskGroups[0].Count == nil {
		return 0
	}
	return *job.TaskGroups[0].Count
}

// NoteStable notes that the newest version of a topology was seen to run as it
// should. That it could not be noted is a warning: nothing else depends on it.
func (c Cluster) NoteStable(ctx context.Context, name, id string) {
	versions, err := c.State.Versions(ctx, name)
	if n := len(versions); err == nil && n > 0 && versions[n-1].Deployment.TopologyID == id {
		err = c.State.MarkStable(ctx, name, versions[n-1].Number)
	}
	if err != nil {
		c.Progress.Warn("note", outcome.Resource{Kind: outcome.Node, ID: c.State.History(name)}, "it does not say that this version runs well", fmt.Errorf("note it: %w", err))
	}
}
