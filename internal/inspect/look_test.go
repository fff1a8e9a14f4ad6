package inspect_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// fakeNomad has containers by job.
type fakeNomad struct {
	jobs *clustertest.Jobs

	mu         sync.Mutex
	containers map[string][]nomad.Container
	index      uint64
	changed    chan struct{}
	unplaced   []string
	metas      map[uint64]map[string]string
}

func (f *fakeNomad) Jobs(context.Context, string) (list []*api.JobListStub, err error) {
	for id, job := range f.jobs.Jobs {
		running := 0
		for _, c := range f.containers[id] {
			if c.Running() {
				running++
			}
		}
		list = append(list, &api.JobListStub{
			ID: id, Meta: job.Meta, Stop: job.Stop != nil && *job.Stop,
			JobSummary: &api.JobSummary{Summary: map[string]api.TaskGroupSummary{"container": {Running: running}}},
		})
	}
	return list, nil
}

func (f *fakeNomad) ContainersSince(ctx context.Context, id string, index uint64) ([]nomad.Container, uint64, error) {
	for {
		f.mu.Lock()
		list, at, changed := f.containers[id], f.index, f.changed
		f.mu.Unlock()
		if at != index {
			return list, at, nil
		}
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-changed:
		}
	}
}

func (f *fakeNomad) set(id string, list ...nomad.Container) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.containers[id] = list
	f.index++
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeNomad) WhyUnplaced(context.Context, *api.Job) ([]string, error) { return f.unplaced, nil }

func (f *fakeNomad) VersionMeta(context.Context, string) (map[uint64]map[string]string, error) {
	return f.metas, nil
}

// fakeTManager answers with a plan or an error.
type fakeTManager struct {
	cluster.TManager // nothing here changes a topology

	plan *heronpb.PhysicalPlan
	err  error
}

func (f *fakeTManager) PhysicalPlan(context.Context, *heronpb.TManagerLocation) (*heronpb.PhysicalPlan, error) {
	return f.plan, f.err
}

const (
	id  = "words1234"
	job = "heron.nomad.words"
)

type bench struct {
	*clustertest.Bench
	nomad    *fakeNomad
	tmanager *fakeTManager
}

// newBench has the topology "words" submitted, running and healthy.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Bench: clustertest.New(t)}
	b.nomad = &fakeNomad{jobs: b.Jobs, containers: map[string][]nomad.Container{}, metas: map[uint64]map[string]string{}, changed: make(chan struct{})}
	m, err := submit.NewManifest(submit.Input{
		Settings: b.Settings, Definition: clustertest.Words(id), DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: submit.PackageFile{
			Path: b.PackageFile(), Size: int64(len(clustertest.PackageText)),
			SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(clustertest.PackageText))),
		},
		Locate: b.Uploader.Locate, Script: "#!/bin/sh\n", Client: "test", Now: time.Unix(1_700_000_000, 0), Request: "a request",
	})
	b.Must(err)
	there, err := b.Cluster.Look(t.Context(), "words", cluster.Scope{Job: true})
	b.Must(err)
	_, err = submit.Submit(t.Context(), b.Cluster, []submit.Decision{{Manifest: m, There: there}}, submit.Options{})
	b.Must(err)

	b.tmanager = &fakeTManager{plan: physical(heronpb.TopologyState_RUNNING)}
	b.Cluster.TManager = b.tmanager
	b.put(b.Cluster.State.TManager("words"), &heronpb.TManagerLocation{
		TopologyName: proto.String("words"), TopologyId: proto.String(id), Host: proto.String("node"), ControllerPort: proto.Int32(6001), ServerPort: proto.Int32(6000),
	})
	b.put(b.Cluster.State.PhysicalPlan("words"), b.tmanager.plan)
	b.nomad.set(job, up(0), up(1), up(2))
	return b
}

func physical(state heronpb.TopologyState) *heronpb.PhysicalPlan {
	p := &heronpb.PhysicalPlan{Topology: clustertest.Words(id).Proto()}
	p.Topology.State = &state
	for _, index := range []string{"1", "2"} {
		p.Stmgrs = append(p.Stmgrs, &heronpb.StMgr{
			Id: proto.String("stmgr-" + index), HostName: proto.String("node"), DataPort: proto.Int32(7001), LocalEndpoint: proto.String("/unused"),
		})
	}
	return p
}

func up(index int) nomad.Container {
	return nomad.Container{Index: index, ID: fmt.Sprintf("alloc-%d", index), Node: "n1", Desired: "run", Status: "running", Event: "Task started by client", EventAt: time.Unix(1_700_000_000, 0)}
}

func (b *bench) put(path string, m proto.Message) {
	b.T.Helper()
	data, err := proto.Marshal(m)
	b.Must(err)
	b.Must(b.Store.Apply(b.T.Context(), statemgr.Create(path, data)))
}

func (b *bench) look() (*inspect.Status, error) {
	return inspect.Look(b.T.Context(), b.Cluster, b.nomad, "words", now)
}

func now() time.Time { return time.Unix(1_700_003_600, 0) }

func TestLook(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*bench)
		want   inspect.Health
		says   string
		state  string
	}{
		"all is well":        {func(*bench) {}, inspect.Healthy, "all 3 containers run", "RUNNING"},
		"paused":             {func(b *bench) { b.tmanager.plan = physical(heronpb.TopologyState_PAUSED) }, inspect.Paused, "deactivated", "PAUSED"},
		"its TManager waits": {func(b *bench) { b.tmanager.err = tmanager.ErrNoPlan }, inspect.Degraded, "no complete physical plan", "RUNNING"},
		"its TManager is out of reach": {
			func(b *bench) { b.tmanager.err = fmt.Errorf("ask: %w", tmanager.ErrUnreachable) }, inspect.Unknown, "does not answer", "RUNNING",
		},
		"the TManager of an earlier topology": {func(b *bench) {
			path := b.Cluster.State.TManager("words")
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(path)))
			b.put(path, &heronpb.TManagerLocation{
				TopologyName: proto.String("words"), TopologyId: proto.String("words0000"), Host: proto.String("node"), ControllerPort: proto.Int32(6001), ServerPort: proto.Int32(6000),
			})
		}, inspect.Degraded, "no TManager is registered", "RUNNING"},
		"no node for one": {func(b *bench) {
			b.nomad.set(job, up(0), up(1))
			b.nomad.unplaced = []string{"no place for 1 container: not enough memory on 1 node"}
		}, inspect.Degraded, "2 of 3 containers run: no place for 1 container", "RUNNING"},
		"containers of an earlier version": {func(b *bench) {
			old := up(2)
			old.JobVersion = 7
			b.nomad.set(job, up(0), up(1), old)
			b.nomad.metas[7] = map[string]string{jobspec.MetaTopologyID: "words0000"}
		}, inspect.Degraded, "of another topology id: allocation alloc-2", "RUNNING"},
		"the job is gone": {func(b *bench) { clear(b.Jobs.Jobs) }, inspect.Failed, "no job in Nomad", "RUNNING"},
		"the job stops":   {func(b *bench) { b.Must(b.Jobs.Stop(b.T.Context(), b.Jobs.Jobs[job])) }, inspect.Stopping, "3 containers have not ended", "RUNNING"},
		"the job is not ours": {func(b *bench) {
			name := job
			b.Jobs.Put(&api.Job{ID: &name})
		}, inspect.Failed, "not its own", "RUNNING"},
		"the plan cannot be read": {func(b *bench) {
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Set(b.Cluster.State.PackingPlan("words"), []byte("?"))))
		}, inspect.Healthy, "", "RUNNING"}, // the job says how many there are
		"the original client made it": {func(b *bench) {
			clear(b.Jobs.Jobs)
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(b.Cluster.State.Deployment("words"))))
			for i := range 3 {
				name := fmt.Sprintf("%s-%d", id, i)
				b.Jobs.Put(&api.Job{ID: &name, Meta: map[string]string{jobspec.MetaTopologyName: "words", jobspec.MetaTopologyID: id}})
				b.nomad.set(name, up(0)) // each is index 0 of its own job
			}
		}, inspect.Healthy, "", "RUNNING"},
	} {
		b := newBench(t)
		c.change(b)
		s, err := b.look()
		if err != nil || s.Health != c.want || !strings.Contains(s.Reason, c.says) || s.State != c.state || s.ID != id {
			t.Errorf("%s: %+v, %v; want %s, %q", what, s, err, c.want, c.says)
		}
	}
}

func TestLookNamesThePackageThatRuns(t *testing.T) {
	s, err := newBench(t).look()
	if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(clustertest.PackageText))); err != nil || s.Package == nil || s.Package.SHA256 != sum || s.Package.URI == "" || s.Package.Size != int64(len(clustertest.PackageText)) {
		t.Errorf("%+v, %v", s.Package, err)
	}
}

func TestLookRefuses(t *testing.T) {
	b := newBench(t)
	if _, err := inspect.Look(t.Context(), b.Cluster, b.nomad, "others", now); outcome.KindOf(err) != outcome.NotFound {
		t.Errorf("none: %v", err)
	}
	b.Settings.Nomad.Namespace = "elsewhere"
	var place *cluster.PlaceError
	if _, err := b.look(); !errors.As(err, &place) {
		t.Errorf("another namespace: %v", err)
	}
	b.Settings.Nomad.Namespace = ""
	b.Settings.Role = "others"
	if _, err := b.look(); outcome.KindOf(err) != outcome.Usage || !strings.Contains(err.Error(), "runs at nomad/ads/prod") {
		t.Errorf("another role: %v", err)
	}
}

func TestWatchShowsEveryChangeOnce(t *testing.T) {
	b := newBench(t)
	var seen []string
	err := inspect.Watch(t.Context(), b.Cluster, b.nomad, "words", now, func(s *inspect.Status) error {
		seen = append(seen, fmt.Sprintf("%s %d", s.Health, s.Running))
		switch len(seen) {
		case 1:
			b.nomad.set(job, up(0), up(1), up(2)) // nothing that shows
			b.nomad.set(job, up(0), up(1))
		case 2:
			b.Must(b.Cluster.State.DeleteTopology(t.Context(), "words", true))
			b.Must(b.Jobs.PurgeOwned(t.Context(), job, id))
		}
		return nil
	})
	if err != nil || strings.Join(seen, ", ") != "healthy 3, starting 2" {
		t.Errorf("%v, %v", seen, err)
	}
	if err := inspect.Watch(t.Context(), b.Cluster, b.nomad, "words", now, nil); outcome.KindOf(err) != outcome.NotFound {
		t.Errorf("none: %v", err)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := inspect.Watch(ctx, b.Cluster, b.nomad, "words", now, func(*inspect.Status) error { cancel(); return nil })
	if outcome.KindOf(err) != outcome.Interrupted {
		t.Error(err)
	}
}

func TestList(t *testing.T) {
	b := newBench(t)
	list := func(filter inspect.Filter) string {
		t.Helper()
		all, err := inspect.List(t.Context(), b.Cluster, b.nomad, filter)
		b.Must(err)
		var lines []string
		for _, s := range all {
			lines = append(lines, fmt.Sprintf("%s %s/%s %s %d/%d", s.Topology, s.Role, s.Environ, s.Health, s.Running, s.Wanted))
		}
		return strings.Join(lines, "; ")
	}
	want := "words ads/prod healthy 3/3"
	if got := list(inspect.Filter{}); got != want {
		t.Errorf("%s", got)
	}
	if got := list(inspect.Filter{Role: "ads", Environ: "prod"}); got != want {
		t.Errorf("%s", got)
	}
	if got := list(inspect.Filter{Role: "bob"}) + list(inspect.Filter{Environ: "test"}); got != "" {
		t.Errorf("%s", got)
	}

	// One that only has a job, one of the original client, others' jobs.
	marks := map[string]string{}
	for key, value := range b.Jobs.Jobs[job].Meta {
		marks[key] = value
	}
	marks[jobspec.MetaTopologyName] = "orphan"
	orphan, first, second, strange := "heron.nomad.orphan", "old77-0", "old77-1", "strange"
	b.Jobs.Put(&api.Job{ID: &orphan, Meta: marks})
	old := map[string]string{jobspec.MetaTopologyName: "old", jobspec.MetaTopologyID: "old77"}
	b.Jobs.Put(&api.Job{ID: &first, Meta: old})
	b.Jobs.Put(&api.Job{ID: &second, Meta: old})
	b.Jobs.Put(&api.Job{ID: &strange, Meta: map[string]string{jobspec.MetaTopologyName: "strange", jobspec.MetaClient: "another"}})
	b.nomad.set(first, up(0))
	b.nomad.set(second, up(0))
	b.put(b.Cluster.State.ExecutionState("old"), &heronpb.ExecutionState{
		TopologyName: proto.String("old"), TopologyId: proto.String("old77"), Cluster: proto.String("nomad"), Role: proto.String("bob"), Environ: proto.String("test"),
	})
	b.put(b.Cluster.State.PackingPlan("old"), &heronpb.PackingPlan{Id: proto.String("old77")})
	want = "old bob/test degraded 2/1; orphan ads/prod failed 0/0; " + want
	if got := list(inspect.Filter{}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
