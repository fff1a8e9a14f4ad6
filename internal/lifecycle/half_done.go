package lifecycle

import (
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// HalfDone says what the operation that a topology's intent is about has left
// half done, "" where nothing is. Of an operation that makes or removes
// topologies, there needs the job and the nodes.
func HalfDone(there *cluster.Topology) string {
	i := there.Pending.Intent
	switch i.Operation {
	case statemgr.OperationActivate, statemgr.OperationDeactivate, statemgr.OperationRestart:
		return "" // the topology is there as a whole; Nomad brings stopped containers back by itself
	case statemgr.OperationSubmit:
		if whole(there, i.TopologyID) {
			return ""
		}
		return "the submit has written a part only"
	case statemgr.OperationKill:
		if whole(there, i.TopologyID) || i.Package == (statemgr.IntentPackage{}) && len(there.Nodes) == 0 && there.Job == nil {
			return ""
		}
		return "the kill has removed a part only"
	}
	return fmt.Sprintf("the %s has reached the step %q", i.Operation, i.Step)
}

// whole says that all of a topology is there, and runs or is about to.
func whole(there *cluster.Topology, id string) bool {
	job := there.Job
	return there.Complete(id) && job != nil && job.Meta[jobspec.MetaTopologyID] == id && !jobspec.Stopped(job)
}
