package statemgrtest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
)

// vector is one recorded life of the original's state manager.
type vector struct {
	Manager  string `json:"state_manager"`
	Root     string `json:"root_path"`
	Topology string `json:"topology_name"`
	Steps    []struct {
		Op      string           `json:"op"`
		Result  json.RawMessage  `json:"result"`
		Before  json.RawMessage  `json:"tree"`
		Changes map[string]*Node `json:"tree_changes"`
	} `json:"steps"`
}

// Node is a node of a tree. Version and ACL are ZooKeeper's.
type Node struct {
	Data    []byte `json:"data"`
	Dir     bool   `json:"dir"`
	Mode    string `json:"mode"`
	Version int    `json:"version"`
	ACL     string `json:"acl"`
}

// State is a tree by path below the test's own folder or node.
type State map[string]Node

// Backend shows a test what a store does to the real thing, and plays Heron's
// processes in it.
type Backend interface {
	// Snapshot returns the whole tree.
	Snapshot(t *testing.T) State
	// Write makes or changes a node as a process of Heron would; nil removes it.
	Write(t *testing.T, path string, n *Node)
}

// Golden replays the recorded lives of the original's state manager whose class
// name ends in manager. open makes an empty place for one: it gets the vector's
// root, such as /heron or <dir>/heron, and returns the tree, the path that all
// paths of the vector are below, and the backend. folders says that nodes have
// neither versions nor sessions that others see.
func Golden(t *testing.T, manager string, folders bool, open func(t *testing.T, root string) (tree statemgr.Tree, base string, real Backend)) {
	files, err := filepath.Glob(filepath.Join(testenv.Golden(t), "statemgr", "*.json"))
	Must(t, err)
	replayed := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		Must(t, err)
		var v vector
		Must(t, json.Unmarshal(data, &v))
		if !strings.HasSuffix(v.Manager, "."+manager) {
			continue
		}
		replayed++
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := &replay{v: v, want: State{}, folders: folders}
			r.store, r.base, r.real = open(t, v.Root)
			r.l = r.store.Layout
			for i := range v.Steps {
				r.step(t, i)
			}
		})
	}
	if replayed == 0 {
		t.Fatalf("no vectors of %s", manager)
	}
}

// replay does, at each step of a vector, what this client does there, and
// compares the tree with what it must be then.
type replay struct {
	v       vector
	folders bool
	base    string // above the vector's paths
	l       statemgr.Layout
	store   statemgr.Tree
	real    Backend
	want    State
}

// step is one step of the vector. Each place where we differ from the
// original on purpose has a line in docs/differences.md.
func (r *replay) step(t *testing.T, i int) {
	t.Helper()
	s := r.v.Steps[i]
	t.Logf("step %d: %s", i, s.Op)
	op, ctx, topology := s.Op, t.Context(), r.v.Topology
	for path, n := range s.Changes {
		r.expect(path, n)
	}
	verb, path := r.target(op)
	switch {
	case op == "before":
		var before map[string]*Node
		Must(t, json.Unmarshal(s.Before, &before))
		if len(before) > 0 {
			r.real.Write(t, r.base, &Node{Mode: "persistent"})
		}
		all, err := statemgr.WithParents(slices.Collect(maps.Keys(before))...)
		Must(t, err)
		for _, p := range all {
			r.want[p] = *before[p]
			r.real.Write(t, r.base+p, before[p])
		}
	case op == "initialize":
		Must(t, r.store.EnsureDirs(ctx, r.l.Dirs()...))
		r.differDirs()
	case verb == "get" || verb == "is":
		r.read(t, path, s.Result)
	case verb == "engine":
		// Heron's processes write these, never this client.
		if n := r.want[r.rel(path)]; s.Changes != nil {
			r.real.Write(t, path, &n)
		}
	case verb == "set again":
		// A second set never overwrites, not in a folder either. What the
		// original overwrites with, this client writes as an update.
		WantErr(t, r.store.Apply(ctx, statemgr.Create(path, []byte("other"))), statemgr.ErrExists, path)
		if s.Changes != nil {
			Must(t, r.store.Apply(ctx, statemgr.Set(path, r.want[r.rel(path)].Data)))
		}
	case verb == "set":
		n := r.want[r.rel(path)]
		Must(t, r.store.Apply(ctx, statemgr.Create(path, n.Data)))
		if !r.folders {
			n.Mode = "persistent" // a scheduler's location too: there is no service that it could go with
			r.want[r.rel(path)] = n
		}
	case op == "adaptor.updatePackingPlan(missing before)":
		// Nothing is updated that is not there.
		delete(r.want, r.rel(path))
		WantErr(t, r.store.Apply(ctx, statemgr.Set(path, []byte("plan"))), statemgr.ErrNotFound, path)
	case verb == "update":
		r.update(t, path)
	case verb == "lock":
		for _, p := range inOrder(t, s.Changes) {
			r.real.Write(t, r.base+p, s.Changes[p])
		}
	case op == "deleteTopology":
		// The whole topology goes in one transaction, with the nodes that the
		// original leaves to their sessions.
		Must(t, r.store.DeleteTopology(ctx, topology, false))
		for _, p := range []string{r.l.TManager(topology), r.l.MetricsCache(topology), r.l.Scheduler(topology)} {
			delete(r.want, r.rel(p))
		}
	case verb == "delete later":
		return
	case op == "deleteStatefulCheckpoints":
		Must(t, r.store.DeleteTopology(ctx, topology, true))
	case verb == "delete missing":
		Must(t, r.store.DeleteTopology(ctx, topology, true))
	case op == "close":
		Must(t, r.store.Close())
	case op == "second session: close":
	default:
		t.Fatalf("step %d: unknown operation %q", i, op)
	}
	r.compare(t)
}

// target says what a step does, and to which node.
func (r *replay) target(op string) (verb, path string) {
	topology := r.v.Topology
	name := strings.TrimPrefix(op, "adaptor.")
	name, condition, _ := strings.Cut(strings.TrimSuffix(name, ")"), "(")
	what := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz")
	nodes := map[string]string{
		"Topology": r.l.Topology(topology), "TopologyRunning": r.l.Topology(topology),
		"PackingPlan": r.l.PackingPlan(topology), "ExecutionState": r.l.ExecutionState(topology),
		"SchedulerLocation": r.l.Scheduler(topology), "TManagerLocation": r.l.TManager(topology),
		"MetricsCacheLocation": r.l.MetricsCache(topology), "PhysicalPlan": r.l.PhysicalPlan(topology),
		"StatefulCheckpoints": r.l.Checkpoints(topology), "Locks": r.l.Locks(topology),
	}
	path, verb = nodes[what], strings.TrimSuffix(name, what)
	switch {
	case strings.Contains(op, "lock.tryLock") || strings.Contains(op, "lock.unlock"):
		return "lock", r.l.Locks(topology)
	case path == "":
		return op, ""
	case verb == "set" && (what == "TManagerLocation" || what == "MetricsCacheLocation" || what == "PhysicalPlan" || what == "StatefulCheckpoints"):
		return "engine", path
	case verb == "set" && strings.HasPrefix(condition, "again"):
		return "set again", path
	case verb == "delete" && condition == "missing":
		return "delete missing", path
	case verb == "delete" && what != "Topology" && what != "StatefulCheckpoints":
		return "delete later", path
	}
	return verb, path
}

// expect takes over a change of the original's tree.
func (r *replay) expect(path string, n *Node) {
	if n == nil {
		delete(r.want, path)
		return
	}
	r.want[path] = *n
}

func (r *replay) rel(path string) string { return strings.TrimPrefix(path, r.base) }

// differDirs: directories are persistent, and there are four more.
func (r *replay) differDirs() {
	for p, n := range r.want {
		if n.Mode == "container" {
			n.Mode = "persistent"
			r.want[p] = n
		}
	}
	extra := r.want[r.rel(r.l.Root+"/pplans")]
	for _, dir := range []string{"deployments", "operations", "owners", "history"} {
		r.want[r.rel(r.l.Root+"/"+dir)] = extra
	}
}

// read compares an answer. The original's null, failed future and false are
// all "not found".
func (r *replay) read(t *testing.T, path string, result json.RawMessage) {
	t.Helper()
	n, err := r.store.Read(t.Context(), path)
	var want []byte
	switch string(result) {
	case "null", "false", `"future failed"`:
		WantErr(t, err, statemgr.ErrNotFound, "")
		return
	case "true":
		Must(t, err)
		return
	default:
		Must(t, err)
		Must(t, json.Unmarshal(result, &want))
	}
	if string(n.Data) != string(want) {
		t.Errorf("%s holds %d bytes that differ from the recorded %d", path, len(n.Data), len(want))
	}
}

// update changes the node itself, where the original deletes it and makes
// another.
func (r *replay) update(t *testing.T, path string) {
	t.Helper()
	before, err := r.store.Read(t.Context(), path)
	Must(t, err)
	want := r.want[r.rel(path)]
	Must(t, r.store.Apply(t.Context(), statemgr.Set(path, want.Data).At(before.Version)))
	after := WantNode(t, r.store, path, string(want.Data), before.Version+1)
	if after.Created != before.Created {
		t.Errorf("%s was made again", path)
	}
	if !r.folders {
		want.Version = after.Version
		r.want[r.rel(path)] = want
	}
}

func (r *replay) compare(t *testing.T) {
	t.Helper()
	got := r.real.Snapshot(t)
	for p, want := range r.want {
		have, ok := got[p]
		switch {
		case !ok:
			t.Errorf("%s is missing", p)
		case string(have.Data) != string(want.Data) || have.Dir != want.Dir || have.Mode != want.Mode ||
			have.Version != want.Version || have.ACL != want.ACL:
			t.Errorf("%s is %.200v, want %.200v", p, have, want)
		}
	}
	for p := range got {
		if _, ok := r.want[p]; !ok {
			t.Errorf("%s should not be there", p)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// inOrder sorts changes so that parents are made first and removed last.
func inOrder(t *testing.T, changes map[string]*Node) []string {
	t.Helper()
	var made, removed []string
	for p, n := range changes {
		if n == nil {
			removed = append(removed, p)
		} else {
			made = append(made, p)
		}
	}
	slices.Sort(made)
	slices.Sort(removed)
	slices.Reverse(removed)
	return append(made, removed...)
}
