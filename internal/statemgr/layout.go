package statemgr

import (
	"fmt"
	"strconv"
	"strings"
)

// The directories below the root. The first nine are Heron's; its processes
// and heron-tracker ignore the others.
const (
	dirTopologies     = "topologies"
	dirPackingPlans   = "packingplans"
	dirExecutionState = "executionstate"
	dirSchedulers     = "schedulers"
	dirTManagers      = "tmanagers"
	dirMetricsCaches  = "metricscaches"
	dirPhysicalPlans  = "pplans"
	dirCheckpoints    = "statefulcheckpoints"
	dirLocks          = "locks"
	dirDeployments    = "deployments"
	dirOperations     = "operations"
	dirOwners         = "owners"
	dirHistory        = "history"
)

// lockSuffix ends the name of the node below locks, where other clients take
// their lock for an update.
const lockSuffix = "__updateTopology"

// Layout knows which node of a state tree holds what. Root is the node that
// holds everything, such as /heron.
//
// Its methods return the path of one topology's node. For a name that CheckName
// refuses they return "", which every Store refuses.
type Layout struct{ Root string }

// Topology is the definition, without the components' objects
// (heron.proto.api.Topology). A topology exists once this node does.
func (l Layout) Topology(t string) string { return l.node(dirTopologies, t, "") }

// PackingPlan is which instance goes to which container
// (heron.proto.system.PackingPlan).
func (l Layout) PackingPlan(t string) string { return l.node(dirPackingPlans, t, "") }

// ExecutionState is who submitted what, where and when
// (heron.proto.system.ExecutionState).
func (l Layout) ExecutionState(t string) string { return l.node(dirExecutionState, t, "") }

// Scheduler is where to find the topology's scheduler
// (heron.proto.scheduler.SchedulerLocation).
func (l Layout) Scheduler(t string) string { return l.node(dirSchedulers, t, "") }

// TManager is where the topology's manager listens
// (heron.proto.tmanager.TManagerLocation). The manager writes it; the node
// disappears with the manager's session.
func (l Layout) TManager(t string) string { return l.node(dirTManagers, t, "") }

// MetricsCache is where the metrics cache listens
// (heron.proto.tmanager.MetricsCacheLocation). The cache writes it; the node
// disappears with the cache's session.
func (l Layout) MetricsCache(t string) string { return l.node(dirMetricsCaches, t, "") }

// PhysicalPlan is where each instance runs (heron.proto.system.PhysicalPlan).
// The topology's manager writes it.
func (l Layout) PhysicalPlan(t string) string { return l.node(dirPhysicalPlans, t, "") }

// Checkpoints is the list of consistent checkpoints
// (heron.proto.ckptmgr.StatefulConsistentCheckpoints). The topology's manager
// writes it.
func (l Layout) Checkpoints(t string) string { return l.node(dirCheckpoints, t, "") }

// Locks is the lock for updates: a tree in ZooKeeper, a file in a folder.
func (l Layout) Locks(t string) string { return l.node(dirLocks, t, lockSuffix) }

// Leases is where the holder of the lock for updates has a node in ZooKeeper,
// as Curator's InterProcessSemaphoreMutex lays it out: whoever has the only one
// holds the lock. Lease is that node, for an owner's token; it returns "" for an
// invalid token.
func (l Layout) Leases(t string) string {
	if locks := l.Locks(t); locks != "" {
		return locks + "/leases"
	}
	return ""
}

// Lease is one node of Leases.
func (l Layout) Lease(t, token string) string {
	leases := l.Leases(t)
	if leases == "" || !isToken(token) {
		return ""
	}
	// Curator's names: "_c_", a UUID, and a number that counts the leases.
	return fmt.Sprintf("%s/_c_%s-%s-4000-8000-%s%s-lease-0000000000", leases, token[:8], token[8:12], token[12:16], token[:8])
}

// isLease reports whether a path is a node of Leases of some topology.
func (l Layout) isLease(path string) bool {
	parent := Parent(path)
	return strings.HasSuffix(parent, lockSuffix+"/leases") && Parent(Parent(parent)) == l.Root+"/"+dirLocks
}

// Deployment is the DeploymentRecord.
func (l Layout) Deployment(t string) string { return l.node(dirDeployments, t, "") }

// History is the directory of a topology's versions.
func (l Layout) History(t string) string { return l.node(dirHistory, t, "") }

// Version is the record of a topology's n-th version.
func (l Layout) Version(t string, n int) string { return l.version(t, n, "") }

// VersionDefinition is the definition of a version, compressed.
func (l Layout) VersionDefinition(t string, n int) string { return l.version(t, n, ".definition") }

// VersionPackingPlan is the packing plan of a version, compressed.
func (l Layout) VersionPackingPlan(t string, n int) string { return l.version(t, n, ".packingplan") }

// VersionJob is the Nomad job of a version, compressed.
func (l Layout) VersionJob(t string, n int) string { return l.version(t, n, ".job") }

func (l Layout) version(t string, n int, part string) string {
	return l.node(dirHistory, t, "/"+strconv.Itoa(n)+part)
}

// Histories is the directory of all histories.
func (l Layout) Histories() string { return l.Root + "/" + dirHistory }

// Operation is the Intent of an operation in progress.
func (l Layout) Operation(t string) string { return l.node(dirOperations, t, "") }

// Owner is the node that the owner of an Intent holds while it lives: the
// topology's name, a dot, and the owner's token. All tokens have the same
// length, so that no two topologies share a node, whatever their names. It
// returns "" for an invalid token.
func (l Layout) Owner(t, token string) string {
	if !isToken(token) {
		return ""
	}
	return l.node(dirOwners, t, "."+token)
}

// Owners is the directory of those nodes. They are not below the intents
// because a node with data has no children.
func (l Layout) Owners() string { return l.Root + "/" + dirOwners }

// ownerOf returns the token in the name of an owner's node of a topology, ""
// for a node of another topology.
func ownerOf(name, t string) string {
	token, ok := strings.CutPrefix(name, t+".")
	if !ok || !isToken(token) {
		return ""
	}
	return token
}

// isToken reports whether a text is a token as NewOwner makes them.
func isToken(text string) bool {
	if len(text) != tokenLength {
		return false
	}
	for _, r := range text {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}

// Topologies is the directory of definitions: its children are the names of
// all topologies.
func (l Layout) Topologies() string { return l.Root + "/" + dirTopologies }

// Dirs are the root and the directories below it. Heron's processes need the
// directories to exist and to stay: they make nodes in them, but never the
// directories themselves.
func (l Layout) Dirs() []string {
	dirs := []string{l.Root}
	for _, d := range []string{
		dirTopologies, dirPackingPlans, dirExecutionState, dirSchedulers, dirTManagers, dirMetricsCaches,
		dirPhysicalPlans, dirCheckpoints, dirLocks, dirDeployments, dirOperations, dirOwners, dirHistory,
	} {
		dirs = append(dirs, l.Root+"/"+d)
	}
	return dirs
}

// EngineDirs are the directories that Heron's processes make nodes in.
func (l Layout) EngineDirs() []string {
	var dirs []string
	for _, d := range []string{dirTManagers, dirMetricsCaches, dirPhysicalPlans, dirCheckpoints} {
		dirs = append(dirs, l.Root+"/"+d)
	}
	return dirs
}

func (l Layout) node(dir, topology, suffix string) string {
	if CheckName(topology) != nil {
		return ""
	}
	return l.Root + "/" + dir + "/" + topology + suffix
}

// Describe names what the node at path holds: the full name of a protobuf
// message, or of one of this program's JSON documents; "" for a directory and
// for unknown nodes.
func (l Layout) Describe(path string) string {
	rest, ok := strings.CutPrefix(path, l.Root+"/")
	if !ok {
		return ""
	}
	dir, name, ok := strings.Cut(rest, "/")
	if version, in := l.describeVersion(dir, name); in {
		return version
	}
	if !ok || CheckName(name) != nil {
		return ""
	}
	switch dir {
	case dirTopologies:
		return "heron.proto.api.Topology"
	case dirPackingPlans:
		return "heron.proto.system.PackingPlan"
	case dirExecutionState:
		return "heron.proto.system.ExecutionState"
	case dirSchedulers:
		return "heron.proto.scheduler.SchedulerLocation"
	case dirTManagers:
		return "heron.proto.tmanager.TManagerLocation"
	case dirMetricsCaches:
		return "heron.proto.tmanager.MetricsCacheLocation"
	case dirPhysicalPlans:
		return "heron.proto.system.PhysicalPlan"
	case dirCheckpoints:
		return "heron.proto.ckptmgr.StatefulConsistentCheckpoints"
	case dirDeployments:
		return "DeploymentRecord"
	case dirOperations:
		return "Intent"
	case dirOwners:
		return "Owner"
	}
	return ""
}

// describeVersion names what a node of a history holds; in says that it may be
// one.
func (l Layout) describeVersion(dir, rest string) (what string, in bool) {
	if dir != dirHistory {
		return "", false
	}
	topology, node, _ := strings.Cut(rest, "/")
	number, part, _ := strings.Cut(node, ".")
	n, err := strconv.Atoi(number)
	if CheckName(topology) != nil || err != nil || n < 1 {
		return "", true
	}
	switch part {
	case "":
		return "Version", true
	case "definition":
		return "heron.proto.api.Topology, compressed", true
	case "packingplan":
		return "heron.proto.system.PackingPlan, compressed", true
	case "job":
		return "Nomad's job, compressed", true
	}
	return "", true
}
