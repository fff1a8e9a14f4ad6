package statemgr

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// vector is one recorded life of the original's state manager.
type vector struct {
	Manager  string `json:"state_manager"`
	Root     string `json:"root_path"`
	Topology string `json:"topology_name"`
	Steps    []struct {
		Op      string                 `json:"op"`
		Result  json.RawMessage        `json:"result"`
		Before  json.RawMessage        `json:"tree"`
		Changes map[string]*vectorNode `json:"tree_changes"`
	} `json:"steps"`
}

// vectorNode is a node of a tree. Version and ACL are ZooKeeper's.
type vectorNode struct {
	Data    []byte `json:"data"`
	Dir     bool   `json:"dir"`
	Mode    string `json:"mode"`
	Version int    `json:"version"`
	ACL     string `json:"acl"`
}

// tree is a state by path below the test's own folder or node.
type tree map[string]vectorNode

// backend shows a test what a store does to the real thing, and plays Heron's
// processes in it.
type backend interface {
	// snapshot is the whole tree.
	snapshot(t *testing.T) tree
	// write makes or changes a node as a process of Heron would; nil removes.
	write(t *testing.T, path string, n *vectorNode)
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testenv.Golden(t), "statemgr", "*.json"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no vectors of kind statemgr")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			must(t, err)
			var v vector
			must(t, json.Unmarshal(data, &v))
			r := newReplay(t, v)
			for i := range v.Steps {
				r.step(t, i)
			}
		})
	}
}

// replay does, at each step of a vector, what this client does there, and
// holds what the tree must be then.
type replay struct {
	v     vector
	local bool
	base  string // of the test, above the vector's paths
	l     Layout
	store Store
	real  backend
	want  tree
}

func newReplay(t *testing.T, v vector) *replay {
	r := &replay{v: v, want: tree{}, local: strings.HasSuffix(v.Manager, ".LocalFileSystemStateManager")}
	root := v.Root
	if r.local {
		r.base = t.TempDir() + "/dir"
		root = strings.TrimPrefix(root, "<dir>")
		r.store = openDir(t, r.base+root)
		r.real = dirBackend{base: r.base, root: r.base + root}
	} else {
		f := zkFixture(t)
		r.base = f.root
		r.store, r.real = openWatchedZK(t, f.root)
	}
	r.l = Layout{Root: r.base + root}
	return r
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
		var before map[string]*vectorNode
		must(t, json.Unmarshal(s.Before, &before))
		if len(before) > 0 {
			r.real.write(t, r.base, &vectorNode{Mode: "persistent"})
		}
		all, err := withParents(keys(before))
		must(t, err)
		for _, p := range all {
			r.want[p] = *before[p]
			r.real.write(t, r.base+p, before[p])
		}
	case op == "initialize":
		must(t, r.store.EnsureDirs(ctx, r.l.Dirs()...))
		r.differDirs()
	case verb == "get" || verb == "is":
		r.read(t, path, s.Result)
	case verb == "engine":
		// Heron's processes write these, never this client.
		if n := r.want[r.rel(path)]; s.Changes != nil {
			r.real.write(t, path, &n)
		}
	case verb == "set again":
		// A second set never overwrites, not in a folder either. What the
		// original overwrites with, this client writes as an update.
		wantErr(t, r.store.Apply(ctx, Create(path, []byte("other"))), ErrExists, path)
		if s.Changes != nil {
			must(t, r.store.Apply(ctx, Set(path, r.want[r.rel(path)].Data)))
		}
	case verb == "set":
		n := r.want[r.rel(path)]
		must(t, r.store.Apply(ctx, Create(path, n.Data)))
		if !r.local {
			n.Mode = "persistent" // a scheduler's location too: there is no service that it could go with
			r.want[r.rel(path)] = n
		}
	case op == "adaptor.updatePackingPlan(missing before)":
		// Nothing is updated that is not there.
		delete(r.want, r.rel(path))
		wantErr(t, r.store.Apply(ctx, Set(path, []byte("plan"))), ErrNotFound, path)
	case verb == "update":
		r.update(t, path)
	case verb == "lock":
		for _, p := range inOrder(t, s.Changes) {
			r.real.write(t, r.base+p, s.Changes[p])
		}
	case op == "deleteTopology":
		// The whole topology goes in one transaction, with the nodes that the
		// original leaves to their sessions.
		must(t, DeleteTopology(ctx, r.store, r.l, topology, false))
		for _, p := range []string{r.l.TManager(topology), r.l.MetricsCache(topology), r.l.Scheduler(topology)} {
			delete(r.want, r.rel(p))
		}
	case verb == "delete later":
		return
	case op == "deleteStatefulCheckpoints":
		must(t, DeleteTopology(ctx, r.store, r.l, topology, true))
	case verb == "delete missing":
		must(t, DeleteTopology(ctx, r.store, r.l, topology, true))
	case op == "close":
		must(t, r.store.Close())
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

// expect takes a change of the original's tree over.
func (r *replay) expect(path string, n *vectorNode) {
	if n == nil {
		delete(r.want, path)
		return
	}
	r.want[path] = *n
}

func (r *replay) rel(path string) string { return strings.TrimPrefix(path, r.base) }

// differDirs: directories are made for good, and there are two more.
func (r *replay) differDirs() {
	for p, n := range r.want {
		if n.Mode == "container" {
			n.Mode = "persistent"
			r.want[p] = n
		}
	}
	extra := r.want[r.rel(r.l.Root+"/pplans")]
	for _, dir := range []string{"deployments", "operations", "owners"} {
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
		wantErr(t, err, ErrNotFound, "")
		return
	case "true":
		must(t, err)
		return
	default:
		must(t, err)
		must(t, json.Unmarshal(result, &want))
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
	must(t, err)
	want := r.want[r.rel(path)]
	must(t, r.store.Apply(t.Context(), Set(path, want.Data).At(before.Version)))
	after := wantNode(t, r.store, path, string(want.Data), before.Version+1)
	if after.Created != before.Created {
		t.Errorf("%s was made again", path)
	}
	if !r.local {
		want.Version = after.Version
		r.want[r.rel(path)] = want
	}
}

func (r *replay) compare(t *testing.T) {
	t.Helper()
	got := r.real.snapshot(t)
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
