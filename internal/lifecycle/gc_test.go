package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// everyJob is all of a fake Nomad's jobs, whatever their namespace.
type everyJob struct {
	jobs         []*api.Job
	hidden, fail error
}

func (e *everyJob) SeesAllJobs(context.Context) error { return e.hidden }

func (e *everyJob) EachJob(_ context.Context, f func(*api.Job) error) error {
	for _, job := range e.jobs {
		if err := f(job); err != nil {
			return err
		}
	}
	return e.fail
}

// gcBench is a bench with packages of several topologies, all stored long ago.
type gcBench struct {
	*bench
	all *everyJob
}

var longAgo = time.Unix(1_600_000_000, 0)

func newGCBench(t *testing.T) *gcBench {
	g := &gcBench{bench: newBench(t), all: &everyJob{}}
	g.Must(g.Store.EnsureDirs(t.Context(), g.Cluster.State.Dirs()...))
	return g
}

// store puts a file below the package folder and says under which URI.
func (g *gcBench) put(name string, stored time.Time) string {
	g.T.Helper()
	file := filepath.Join(g.Packages, name)
	g.Must(os.MkdirAll(filepath.Dir(file), 0o755))
	g.Must(os.WriteFile(file, []byte("12345"), 0o600))
	g.Must(os.Chtimes(file, stored, stored))
	return "file://" + file
}

// pkg stores a package of a topology.
func (g *gcBench) pkg(topologyName, id string) string {
	g.T.Helper()
	return g.put(nameOf(topologyName, id), longAgo)
}

func nameOf(topologyName, id string) string {
	return topology.PackageName("nomad", "ads", "prod", topologyName, id, fmt.Sprintf("%064x", len(id)*1000+int(id[len(id)-1])))
}

func (g *gcBench) gc(change func(*GCOptions)) (*Collected, error) {
	g.T.Helper()
	opts := GCOptions{OlderThan: 7 * 24 * time.Hour, Now: time.Unix(1_700_000_000, 0)}
	if change != nil {
		change(&opts)
	}
	return GC(g.T.Context(), g.Cluster, g.all, opts)
}

func (g *gcBench) there(uri string) bool {
	_, err := os.Stat(strings.TrimPrefix(uri, "file://"))
	return err == nil
}

func TestGCRemovesOrphansOnly(t *testing.T) {
	g := newGCBench(t)
	ctx := t.Context()
	g.Must(g.submit(ctx)) // the running topology's own package is young
	running := g.d.Package.URI
	g.Must(os.Chtimes(strings.TrimPrefix(running, "file://"), longAgo, longAgo))

	keep := map[string]string{"the record's": running}
	gone := map[string]string{}

	keep["the running topology's, by its id"] = g.pkg("words", "words1234")
	gone["an older one of a running topology"] = g.pkg("words", "words0001")
	gone["of a topology that is gone"] = g.pkg("gone", "gone1")

	intent := statemgr.Intent{Operation: statemgr.OperationSubmit, TopologyID: "dead1", Owner: statemgr.NewOwner("submit", "ann", longAgo)}
	data, err := intent.Encode()
	g.Must(err)
	g.Must(g.Store.Apply(ctx, statemgr.Create(g.Cluster.State.Operation("dead"), data)))
	keep["of a submit that died"] = g.pkg("dead", "dead1")

	def, err := proto.Marshal(&heronpb.Topology{Id: proto.String("old2"), Name: proto.String("old"), State: heronpb.TopologyState_RUNNING.Enum()})
	g.Must(err)
	g.Must(g.Store.Apply(ctx, statemgr.Create(g.Cluster.State.Topology("old"), def)))
	keep["of an old client's topology"] = g.pkg("old", "old1")
	keep["under another name, by the id of an old client's topology"] = g.pkg("renamed", "old2")

	job := func(id string, job api.Job) {
		job.ID = &id
		g.all.jobs = append(g.all.jobs, &job)
	}
	keep["of a job that has its URI in the environment"] = g.pkg("byhand", "byhand1")
	job("byhand", api.Job{TaskGroups: []*api.TaskGroup{{Tasks: []*api.Task{{Env: map[string]string{"CMD": "fetch " + keep["of a job that has its URI in the environment"]}}}}}})
	keep["of a stopped job of another namespace, by id"] = g.pkg("other", "other1")
	stopped, elsewhere := true, "elsewhere"
	job("other-0", api.Job{Stop: &stopped, Namespace: &elsewhere, Meta: map[string]string{jobspec.MetaTopologyID: "other1"}})
	keep["of a job that names its digest"] = g.pkg("digest", "digest99")
	job("digest", api.Job{Meta: map[string]string{"note": strings.ToUpper(filepath.Base(nameOf("digest", "digest99"))[:64])}})

	keep["young"] = g.put(nameOf("young", "young77"), time.Unix(1_700_000_000, 0).Add(-time.Hour))
	keep["no package"] = g.put("nomad/ads/prod/words/words0001/notes.txt", longAgo)
	keep["of another cluster"] = g.put(topology.PackageName("nomad2", "ads", "prod", "w", "w1", strings.Repeat("a", 64)), longAgo)
	keep["too deep"] = g.put("nomad/x/"+nameOf("deep", "deep1"), longAgo)
	part := nameOf("partial", "partial123")
	gone["a part"] = g.put(filepath.Dir(part)+"/."+filepath.Base(part)+".0123456789abcdef.part", longAgo)
	mixed := g.put(nameOf("mixed", "mixed1234"), longAgo)
	keep["a package beside which a new upload has begun"] = mixed
	keep["that upload"] = g.put("nomad/ads/prod/mixed/mixed1234/."+filepath.Base(mixed)+".0123456789abcdef.part", time.Unix(1_700_000_000, 0))

	dry, err := g.gc(func(o *GCOptions) { o.DryRun = true })
	g.Must(err)
	for what, uri := range gone {
		if !g.there(uri) {
			t.Errorf("a dry run removed %s", what)
		}
	}
	done, err := g.gc(nil)
	g.Must(err)
	if len(done.Removed) != len(gone) || done.Bytes != int64(5*len(gone)) || !slices.Equal(dry.Removed, done.Removed) || done.Kept == 0 || done.Young != 2 {
		t.Errorf("collected %+v, the dry run said %+v", done, dry)
	}
	for what, uri := range keep {
		if !g.there(uri) {
			t.Errorf("removed %s", what)
		}
	}
	for what, uri := range gone {
		if g.there(uri) {
			t.Errorf("kept %s", what)
		}
	}
	again, err := g.gc(nil)
	if err != nil || len(again.Removed) > 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// deafStore fails to read below a directory.
type deafStore struct {
	statemgr.Store
	dir string
}

func (s deafStore) Read(ctx context.Context, path string) (statemgr.Node, error) {
	if strings.HasPrefix(path, s.dir+"/") {
		return statemgr.Node{}, errBroken
	}
	return s.Store.Read(ctx, path)
}

func (s deafStore) Children(ctx context.Context, path string) ([]string, error) {
	if path == s.dir {
		return nil, errBroken
	}
	return s.Store.Children(ctx, path)
}

func TestGCRemovesNothingWhereItCannotSeeAll(t *testing.T) {
	faults := map[string]func(g *gcBench){
		"jobs are hidden":            func(g *gcBench) { g.all.hidden = errBroken },
		"jobs cannot be read":        func(g *gcBench) { g.all.fail = errBroken },
		"the root is another":        func(g *gcBench) { g.Cluster.State.Root += "/other" },
		"a record is of the future":  func(g *gcBench) { g.node(g.Cluster.State.Deployment("x"), `{"version":99}`) },
		"a record is broken":         func(g *gcBench) { g.node(g.Cluster.State.Deployment("x"), `{`) },
		"an intent is of the future": func(g *gcBench) { g.node(g.Cluster.State.Operation("x"), `{"version":99}`) },
		"a topology is broken":       func(g *gcBench) { g.node(g.Cluster.State.Topology("x"), "\xff\xff") },
	}
	for _, dir := range []string{"topologies", "deployments", "operations", "executionstate"} {
		faults[dir+" cannot be read"] = func(g *gcBench) { g.Store.Store = deafStore{g.Store.Store, g.Cluster.State.Root + "/" + dir} }
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			g := newGCBench(t)
			g.Must(g.submit(t.Context()))
			orphan := g.pkg("gone", "gone1")
			fault(g)
			done, err := g.gc(nil)
			if err == nil || !strings.Contains(err.Error(), "nothing was removed") {
				t.Errorf("%+v, %v", done, err)
			}
			if !g.there(orphan) {
				t.Error("something was removed")
			}
		})
	}
}

func (g *gcBench) node(path, data string) {
	g.T.Helper()
	g.Must(g.Store.Apply(g.T.Context(), statemgr.Create(path, []byte(data))))
}

func TestGCLooksOnceMoreBeforeItRemoves(t *testing.T) {
	g := newGCBench(t)
	first, second := g.pkg("a", "a1"), g.pkg("b", "b1")
	used := false
	g.Uploader.OnDelete = func() error {
		if used {
			return nil
		}
		used = true
		// While the one is removed, the other is submitted again.
		other := "b"
		if !g.there(second) {
			other = "a"
		}
		def, err := proto.Marshal(&heronpb.Topology{Id: proto.String(other + "1"), Name: proto.String(other), State: heronpb.TopologyState_RUNNING.Enum()})
		g.Must(err)
		g.node(g.Cluster.State.Topology(other), string(def))
		return nil
	}
	c := &collection{cl: g.Cluster, jobs: g.all, opts: GCOptions{Now: time.Unix(1_700_000_000, 0)}, done: &Collected{}}
	found, err := c.candidates(t.Context())
	g.Must(err)
	for _, f := range found {
		g.Must(c.removeOne(t.Context(), f))
	}
	if g.there(first) || !g.there(second) || c.done.Kept != 1 {
		t.Errorf("collected %+v", c.done)
	}
	job := api.Job{ID: new(string), Meta: map[string]string{jobspec.MetaTopologyID: "b1"}}
	*job.ID = jobspec.JobID("nomad", "b")
	g.Must(g.Store.Apply(t.Context(), statemgr.Delete(g.Cluster.State.Topology("b"))))
	g.Jobs.Put(&job)
	g.Must(c.removeOne(t.Context(), found[1]))
	if !g.there(second) {
		t.Error("the package of a job that has come since was removed")
	}
}

func TestGCTellsWhatItDidWhenItFails(t *testing.T) {
	g := newGCBench(t)
	for i := range 20 {
		g.pkg("gone", fmt.Sprintf("gone%d", i+10))
	}
	ctx, cancel := context.WithCancel(t.Context())
	g.Uploader.OnDelete = func() error { cancel(); return nil }
	done, err := GC(ctx, g.Cluster, g.all, GCOptions{OlderThan: time.Hour, Now: time.Unix(1_700_000_000, 0)})
	if outcome.KindOf(err) != outcome.Interrupted || done == nil || len(done.Removed) >= 20 {
		t.Errorf("interrupted: %+v, %v", done, err)
	}
	g.Uploader.OnDelete = func() error { return errBroken }
	if done, err = g.gc(nil); !errors.Is(err, errBroken) || done == nil || len(done.Removed) > 0 {
		t.Errorf("failing: %+v, %v", done, err)
	}
	g.Uploader.OnDelete = func() error { return fmt.Errorf("no: %w", errors.ErrUnsupported) }
	if _, err = g.gc(nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a store that cannot delete: %v", err)
	}
	g.Cluster.Uploader = nil
	if _, err = g.gc(nil); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("a folder per topology: %v", err)
	}
}
