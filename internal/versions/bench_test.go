package versions

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/topology"
)

var errBroken = errors.New("broken on purpose")

const (
	oldID = "words1234"
	newID = "words5678"
	jobID = "heron.nomad.words"
)

// bench is a cluster of fakes and folders, whose TManager starts with the job.
type bench struct {
	*clustertest.Bench
	// dead: no TManager starts.
	dead bool
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Bench: clustertest.New(t)}
	b.Jobs.After = func(method string) error {
		if method == "RegisterNew" || method == "TakeOver" {
			b.start()
		}
		return nil
	}
	return b
}

// start is the start of the job's TManager, which takes its state from the
// definition.
func (b *bench) start() {
	if b.dead {
		return
	}
	state := heronpb.TopologyState_RUNNING
	if def := b.definition(); def != nil {
		state = def.State()
	}
	b.TManager(b.Jobs.Jobs[jobID].Meta[jobspec.MetaTopologyID], state)
}

func (b *bench) definition() *topology.Definition {
	node, err := b.Store.Read(context.WithoutCancel(b.T.Context()), b.Cluster.State.Topology("words"))
	if err != nil {
		return nil
	}
	def, err := topology.Decode(node.Data)
	b.Must(err)
	return def
}

// manifest is a submission of a topology id; change may change what goes in.
func (b *bench) manifest(id string, change func(*submit.Input)) *submit.Manifest {
	b.T.Helper()
	in := submit.Input{
		Settings: b.Settings, Definition: clustertest.Words(id),
		DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: submit.PackageFile{
			Path: b.PackageFile(), Size: int64(len(clustertest.PackageText)),
			SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(clustertest.PackageText))),
		},
		Locate: b.Uploader.Locate, Script: "#!/bin/sh\n", Client: "test", Now: time.Unix(1_700_000_000, 0), Request: "request of " + id,
	}
	if change != nil {
		change(&in)
	}
	m, err := submit.NewManifest(in)
	b.Must(err)
	return m
}

// decided is a program's result.
type decided struct{ m *submit.Manifest }

func (d decided) DecideReplacement(ctx context.Context, cl cluster.Cluster, _ string) ([]submit.Decision, error) {
	there, err := cl.Look(ctx, "words", scope())
	return []submit.Decision{{Manifest: d.m, There: there}}, err
}

var soon = Wait{Limit: 500 * time.Millisecond}

func (b *bench) replace(m *submit.Manifest, opts ReplaceOptions) (*submit.Submitted, error) {
	b.T.Helper()
	return b.replaceOn(b.T.Context(), b.Cluster, m, opts)
}

func (b *bench) replaceOn(ctx context.Context, cl cluster.Cluster, m *submit.Manifest, opts ReplaceOptions) (*submit.Submitted, error) {
	if opts.Wait == (Wait{}) {
		opts.Wait = soon
	}
	done, err := Replace(ctx, cl, decided{m}, opts)
	if len(done) == 0 {
		return nil, err
	}
	return done[0], err
}

func (b *bench) rollback(opts RollbackOptions) (*RolledBack, error) {
	if opts.Wait == (Wait{}) {
		opts.Wait = soon
	}
	return Rollback(b.T.Context(), b.Cluster, "words", opts)
}

// submitted is a bench on which words1234 runs.
func submitted(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.submit(b.manifest(oldID, nil))
	return b
}

func (b *bench) submit(m *submit.Manifest) {
	b.T.Helper()
	list, err := decided{m}.DecideReplacement(b.T.Context(), b.Cluster, "")
	b.Must(err)
	_, err = submit.Submit(b.T.Context(), b.Cluster, list, submit.Options{})
	b.Must(err)
}

// packages are the topology ids of the packages that are stored.
func (b *bench) packages() []string {
	ids := []string{}
	_ = filepath.WalkDir(b.Packages, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			ids = append(ids, filepath.Base(filepath.Dir(path)))
		}
		return nil
	})
	slices.Sort(ids)
	return ids
}

// wantRunning checks that one topology id runs as a whole, with packages of
// these, and that no operation is left.
func (b *bench) wantRunning(id string, packages ...string) {
	b.T.Helper()
	there, err := b.Cluster.Look(context.WithoutCancel(b.T.Context()), "words", scope())
	b.Must(err)
	switch job := there.Job; {
	case !there.Complete(id):
		b.T.Errorf("the state is that of %s, or incomplete; want %s", there.AnyID(), id)
	case job == nil || job.Meta[jobspec.MetaTopologyID] != id || jobspec.Stopped(job):
		b.T.Errorf("the job is %+v, want one that runs %s", job, id)
	case len(b.Jobs.Indexes(jobID)) != cluster.CountOf(job):
		b.T.Errorf("containers %v, want %d", b.Jobs.Indexes(jobID), cluster.CountOf(job))
	case there.Record.Value.TopologyID != id || there.Newest() == nil || there.Newest().Deployment.TopologyID != id:
		b.T.Errorf("record of %s, newest version %+v; want %s", there.Record.Value.TopologyID, there.Newest(), id)
	}
	slices.Sort(packages)
	if got := b.packages(); !slices.Equal(got, packages) {
		b.T.Errorf("packages of %v, want %v", got, packages)
	}
	for _, left := range b.Left() {
		if strings.Contains(left, "/operations/") || strings.Contains(left, "/owners/") {
			b.T.Errorf("left: %s", left)
		}
	}
}

// versions are the numbers of the history, with a * behind stable ones.
func (b *bench) versions() string {
	b.T.Helper()
	list, err := b.Cluster.State.Versions(context.WithoutCancel(b.T.Context()), "words")
	b.Must(err)
	var texts []string
	for _, v := range list {
		text := fmt.Sprint(v.Number)
		if v.Stable {
			text += "*"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

// snapshot is all that the state says about the topology, but its history.
func (b *bench) snapshot() map[string]string {
	b.T.Helper()
	ctx := context.WithoutCancel(b.T.Context())
	l, all := b.Cluster.State.Layout, map[string]string{}
	for _, path := range []string{l.Topology("words"), l.PackingPlan("words"), l.ExecutionState("words"), l.Scheduler("words"), l.Deployment("words"), l.Checkpoints("words")} {
		node, err := b.Store.Read(ctx, path)
		if !errors.Is(err, statemgr.ErrNotFound) {
			b.Must(err)
			all[path] = string(node.Data)
		}
	}
	return all
}
