package cluster

import (
	"cmp"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// Part is one node of a topology's state, as it was read.
type Part[T any] struct {
	Path  string
	There bool
	Data  []byte
	// Value is what Data says; Err is why that is not known.
	Value T
	Err   error
	// stamp tells this node from a later one.
	stamp stamp
}

// Known says that the node is there and is understood.
func (p Part[T]) Known() bool { return p.There && p.Err == nil }

// Topology is what there is of one topology, read once. Which of its parts are
// read depends on the Scope.
type Topology struct {
	Name string
	// Pending is an operation that has not ended; nil for none.
	Pending *operation.Pending

	Definition     Part[*topology.Definition]
	PackingPlan    Part[*heronpb.PackingPlan]
	ExecutionState Part[*heronpb.ExecutionState]
	Scheduler      Part[*heronpb.SchedulerLocation]
	Record         Part[statemgr.DeploymentRecord]

	// Versions are the records of its versions, oldest first; VersionsErr is why
	// they are not known.
	Versions    []statemgr.Version
	VersionsErr error

	// Job is the job of the topology's name in this cluster, whoever it belongs to;
	// nil for none.
	Job *api.Job
	// Originals are the jobs that the original client made of the topology, one
	// per container.
	Originals []*api.Job
	// Nodes are the operations that remove every node of the topology, those
	// that Heron's processes made included.
	Nodes []statemgr.Op
}

// ID is the id in the definition, "" where it is not known.
func (t *Topology) ID() string {
	if !t.Definition.Known() {
		return ""
	}
	return t.Definition.Value.ID()
}

// AnyID is the id that the topology has according to any of its parts, "" where
// none tells.
func (t *Topology) AnyID() string {
	id := t.ID()
	if t.ExecutionState.Known() {
		id = cmp.Or(id, t.ExecutionState.Value.GetTopologyId())
	}
	if t.Record.Known() {
		id = cmp.Or(id, t.Record.Value.TopologyID)
	}
	if t.Pending != nil {
		id = cmp.Or(id, t.Pending.Intent.TopologyID)
	}
	for _, job := range t.Jobs() {
		id = cmp.Or(id, job.Meta[jobspec.MetaTopologyID])
	}
	return id
}

// Jobs are all jobs of the topology, that of its name first.
func (t *Topology) Jobs() []*api.Job {
	if t.Job == nil {
		return t.Originals
	}
	return append([]*api.Job{t.Job}, t.Originals...)
}

// Complete says that all nodes that a submission makes are there, and are of
// one id.
func (t *Topology) Complete(id string) bool {
	return t.Scheduler.There && t.Definition.There && t.PackingPlan.There && t.ExecutionState.There && t.Record.There && t.Of(id)
}

// Of says that what is there is of one id and no other. The scheduler's
// location names none.
func (t *Topology) Of(id string) bool {
	seen := false
	for _, part := range t.ids() {
		if !part.there {
			continue
		}
		if part.id != id {
			return false
		}
		seen = true
	}
	return seen
}

// part is the id in a node, "" where it cannot be understood.
type part struct {
	there bool
	id    string
}

func (t *Topology) ids() []part {
	plan, state, record := "", "", ""
	if t.PackingPlan.Known() {
		plan = t.PackingPlan.Value.GetId()
	}
	if t.ExecutionState.Known() {
		state = t.ExecutionState.Value.GetTopologyId()
	}
	if t.Record.Known() {
		record = t.Record.Value.TopologyID
	}
	return []part{
		{t.Definition.There, t.ID()},
		{t.PackingPlan.There, plan},
		{t.ExecutionState.There, state},
		{t.Record.There, record},
	}
}

// Data is what a node of the topology holds; there is false where it is absent
// or none of the parts above.
func (t *Topology) Data(path string) (data []byte, there bool) {
	for _, p := range []struct {
		path  string
		there bool
		data  []byte
	}{
		{t.Definition.Path, t.Definition.There, t.Definition.Data},
		{t.PackingPlan.Path, t.PackingPlan.There, t.PackingPlan.Data},
		{t.ExecutionState.Path, t.ExecutionState.There, t.ExecutionState.Data},
		{t.Scheduler.Path, t.Scheduler.There, t.Scheduler.Data},
		{t.Record.Path, t.Record.There, t.Record.Data},
	} {
		if p.path == path {
			return p.data, p.there
		}
	}
	return nil, false
}
