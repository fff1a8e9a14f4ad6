package submit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"

	"google.golang.org/protobuf/proto"
)

var errBroken = errors.New("broken on purpose")

// fakeJobs is a Nomad in memory. before, if set, is called with the name of
// each method and may fail it, before or (with after) behind its effect.
type fakeJobs struct {
	jobs          map[string]*api.Job
	before, after func(method string) error
	calls         []string
}

func (f *fakeJobs) call(method string, effect func() error) error {
	f.calls = append(f.calls, method)
	if f.before != nil {
		if err := f.before(method); err != nil {
			return err
		}
	}
	if err := effect(); err != nil {
		return err
	}
	if f.after != nil {
		return f.after(method)
	}
	return nil
}

func (f *fakeJobs) Job(_ context.Context, id string) (job *api.Job, err error) {
	err = f.call("Job", func() error {
		if job = f.jobs[id]; job == nil {
			return nomad.ErrNotFound
		}
		return nil
	})
	return job, err
}

func (f *fakeJobs) TopologyJobs(_ context.Context, name string) (list []*api.JobListStub, err error) {
	err = f.call("TopologyJobs", func() error {
		for id, job := range f.jobs {
			if job.Meta[jobspec.MetaTopologyName] == name {
				list = append(list, &api.JobListStub{ID: id, Meta: job.Meta})
			}
		}
		return nil
	})
	return list, err
}

func (f *fakeJobs) put(job *api.Job) {
	c := *job
	f.jobs[*job.ID] = &c
}

func (f *fakeJobs) RegisterNew(_ context.Context, job *api.Job) (nomad.Registration, error) {
	return nomad.Registration{}, f.call("RegisterNew", func() error {
		if old := f.jobs[*job.ID]; old != nil {
			return &nomad.ExistsError{Job: old}
		}
		f.put(job)
		return nil
	})
}

func (f *fakeJobs) TakeOver(_ context.Context, job, _ *api.Job) (nomad.Registration, error) {
	return nomad.Registration{}, f.call("TakeOver", func() error { f.put(job); return nil })
}

func (f *fakeJobs) Stop(_ context.Context, job *api.Job) error {
	return f.call("Stop", func() error {
		stop := true
		f.jobs[*job.ID].Stop = &stop
		return nil
	})
}

func (f *fakeJobs) WaitStopped(context.Context, string, time.Duration, func(nomad.StopProgress)) ([]nomad.AllocationRef, error) {
	return nil, f.call("WaitStopped", func() error { return nil })
}

func (f *fakeJobs) WaitRunning(context.Context, string, int, time.Duration, func(nomad.RunProgress)) error {
	return f.call("WaitRunning", func() error { return nil })
}

func (f *fakeJobs) Forecast(context.Context, *api.Job) (*nomad.Forecast, error) {
	return &nomad.Forecast{}, f.call("Forecast", func() error { return nil })
}

func (f *fakeJobs) PurgeOwned(_ context.Context, id, topologyID string) error {
	return f.call("PurgeOwned", func() error {
		if job := f.jobs[id]; job != nil && job.Meta[jobspec.MetaTopologyID] != topologyID {
			return &nomad.ExistsError{Job: job}
		}
		delete(f.jobs, id)
		return nil
	})
}

// brokenStore fails transactions on a topology's state, before or behind their
// effect. rights, if set, answers those that only ask what is allowed.
type brokenStore struct {
	statemgr.Store
	before, after func() error
	rights        func() error
}

func (s *brokenStore) Apply(ctx context.Context, ops ...statemgr.Op) error {
	if last := ops[len(ops)-1]; last.Kind == statemgr.OpCheck && last.Version == math.MaxInt32 {
		if s.rights != nil {
			return s.rights()
		}
		return s.Store.Apply(ctx, ops...)
	}
	if !onState(ops) {
		return s.Store.Apply(ctx, ops...)
	}
	if s.before != nil {
		if err := s.before(); err != nil {
			return err
		}
	}
	if err := s.Store.Apply(ctx, ops...); err != nil {
		return err
	}
	if s.after != nil {
		return s.after()
	}
	return nil
}

// onState says whether operations change the definition of a topology.
func onState(ops []statemgr.Op) bool {
	return slices.ContainsFunc(ops, func(op statemgr.Op) bool {
		return op.Kind != statemgr.OpCheck && strings.Contains(op.Path, "/topologies/")
	})
}

// brokenUploader fails uploads and deletions.
type brokenUploader struct {
	uploader.Uploader
	upload, remove func() error
}

func (u *brokenUploader) Upload(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	if u.upload != nil {
		if err := u.upload(); err != nil {
			return uploader.Location{}, err
		}
	}
	return u.Uploader.Upload(ctx, src)
}

func (u *brokenUploader) Delete(ctx context.Context, uri string) error {
	if u.remove != nil {
		if err := u.remove(); err != nil {
			return err
		}
	}
	return u.Uploader.Delete(ctx, uri)
}

// bench is a cluster of fakes and folders, with one decided deployment.
type bench struct {
	t        *testing.T
	jobs     *fakeJobs
	store    *brokenStore
	uploader *brokenUploader
	env      Env
	settings *conf.Settings
	d        *Deployment
	packages string
	layout   statemgr.Layout
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, jobs: &fakeJobs{jobs: map[string]*api.Job{}}, packages: filepath.Join(dir, "packages")}
	b.settings = benchSettings(t, dir)
	b.layout = statemgr.Layout{Root: b.settings.State.Root}
	store, err := statemgr.OpenLocal(b.settings.State.Root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	up, err := uploader.New(b.settings.Upload, uploader.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	b.store, b.uploader = &brokenStore{Store: store}, &brokenUploader{Uploader: up}
	b.env = Env{Store: b.store, Jobs: b.jobs, Uploader: b.uploader, Report: t.Logf}
	b.d = b.deployment("words1234")
	return b
}

func benchSettings(t *testing.T, dir string) *conf.Settings {
	t.Helper()
	loaded, err := conf.Load(conf.Options{
		Home: dir, Dir: filepath.Join(testenv.Root(), "conf", "nomad"),
		Properties: []string{
			"heron.class.state.manager=org.apache.heron.statemgr.localfs.LocalFileSystemStateManager",
			"heron.statemgr.connection.string=LOCALMODE",
			"heron.statemgr.root.path=" + filepath.Join(dir, "state"),
			"heron.uploader.localfs.file.system.directory=" + filepath.Join(dir, "packages"),
		},
		Cluster: "nomad", Role: "ads", Environ: "prod", User: "ann", UserHome: dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	settings, err := loaded.Settings()
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// words is a small topology of two containers.
func words(id string) *topology.Definition {
	component := func(name string) *heronpb.Component {
		return &heronpb.Component{
			Name: proto.String(name),
			Config: &heronpb.Config{Kvs: []*heronpb.Config_KeyValue{
				{Key: proto.String(topology.KeyParallelism), Value: proto.String("2")},
			}},
			SerializedObject: []byte("an object of the user's"),
		}
	}
	stream := &heronpb.StreamId{Id: proto.String("default"), ComponentName: proto.String("spout")}
	return topology.FromProto(&heronpb.Topology{
		Id:    proto.String(id),
		Name:  proto.String("words"),
		State: heronpb.TopologyState_RUNNING.Enum(),
		Spouts: []*heronpb.Spout{{
			Comp:    component("spout"),
			Outputs: []*heronpb.OutputStream{{Stream: stream, Schema: &heronpb.StreamSchema{}}},
		}},
		Bolts: []*heronpb.Bolt{{
			Comp:   component("bolt"),
			Inputs: []*heronpb.InputStream{{Stream: stream, Gtype: heronpb.Grouping_SHUFFLE.Enum()}},
		}},
		TopologyConfig: &heronpb.Config{Kvs: []*heronpb.Config_KeyValue{
			{Key: proto.String(topology.KeyStmgrs), Value: proto.String("2")},
		}},
	})
}

func (b *bench) deployment(id string) *Deployment {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "package")
	if err := os.WriteFile(file, []byte("the package"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	d, err := Decide(Input{
		Settings: b.settings, Definition: words(id),
		DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: PackageFile{
			Path: file, Size: int64(len("the package")),
			SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte("the package"))),
		},
		Locate:  b.uploader.Locate,
		Script:  "#!/bin/sh\n",
		Client:  "test",
		Now:     time.Unix(1_700_000_000, 0),
		Request: "a request",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// left lists all that is there of the topology.
func (b *bench) left() []string {
	b.t.Helper()
	var left []string
	for id := range b.jobs.jobs {
		left = append(left, "job "+id)
	}
	ops, err := statemgr.Deletion(b.t.Context(), b.store, b.layout, "words", true)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, op := range ops {
		left = append(left, "node "+op.Path)
	}
	for _, dir := range []string{path.Dir(b.layout.Operation("words")), b.layout.Owners()} {
		names, err := b.store.Children(b.t.Context(), dir)
		if err != nil && !errors.Is(err, statemgr.ErrNotFound) {
			b.t.Fatal(err)
		}
		for _, name := range names {
			left = append(left, "node "+dir+"/"+name)
		}
	}
	files, err := filepath.Glob(filepath.Join(b.packages, "*"))
	if err != nil {
		b.t.Fatal(err)
	}
	return append(left, files...)
}

func (b *bench) submit(ctx context.Context) error {
	_, err := Submit(ctx, b.env, b.d, Options{})
	return err
}

func (b *bench) kill(ctx context.Context, opts KillOptions) (*Killed, error) {
	return Kill(ctx, b.env, b.settings, "words", opts)
}
