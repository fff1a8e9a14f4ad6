package update

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/topology"
)

const (
	running = heronpb.TopologyState_RUNNING
	paused  = heronpb.TopologyState_PAUSED
	topoID  = "words1234"
	jobID   = "heron.nomad.words"
	patient = 5 * time.Second
)

var errBroken = errors.New("broken on purpose")

// bench is a cluster of fakes with the topology "words": two spouts and two
// bolts in two containers.
type bench struct {
	*clustertest.Bench
	m *clustertest.TManager
}

func up(t *testing.T, state heronpb.TopologyState) *bench {
	return upAs(t, state, clustertest.Words(topoID))
}

func upAs(t *testing.T, state heronpb.TopologyState, def *topology.Definition) *bench {
	t.Helper()
	b := clustertest.New(t)
	m, err := submit.NewManifest(submit.Input{
		Settings: b.Settings, Definition: def, DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: submit.PackageFile{Path: b.PackageFile(), Size: int64(len(clustertest.PackageText)), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(clustertest.PackageText)))},
		Locate:  b.Uploader.Locate, Script: "#!/bin/sh\n", Client: "test", Now: time.Unix(1_700_000_000, 0), Request: "a request",
	})
	b.Must(err)
	there, err := b.Cluster.Look(t.Context(), "words", cluster.Scope{Job: true})
	b.Must(err)
	_, err = submit.Submit(t.Context(), b.Cluster, []submit.Decision{{Manifest: m, There: there}}, submit.Options{})
	b.Must(err)
	return &bench{b, b.TManager(topoID, state)}
}

// bolts asks for so many bolts.
func bolts(n int) Request {
	return Request{Parallelism: []packing.Parallelism{{Component: "bolt", Instances: n}}}
}

func runtime(texts ...string) Request {
	r, err := ParseRequest(nil, "", texts)
	if err != nil {
		panic(err)
	}
	return r
}

func (b *bench) update(r Request) (*Updated, error) {
	return Update(b.T.Context(), b.Cluster, "words", r, Options{Limit: patient})
}

// is is the state of everything, for comparison.
func (b *bench) is() string {
	b.T.Helper()
	ctx, l := b.T.Context(), b.Cluster.State
	var out []string
	node, err := b.Store.Read(ctx, l.Topology("words"))
	b.Must(err)
	def, err := topology.Decode(node.Data)
	b.Must(err)
	node, err = b.Store.Read(ctx, l.PackingPlan("words"))
	b.Must(err)
	plan, err := packing.Decode(node.Data)
	b.Must(err)
	out = append(out, fmt.Sprintf("%s, stored %s, runtime %v, TManager's %v", b.m.State, def.State(), def.Runtime(), b.m.Definition.Runtime()))
	out = append(out, fmt.Sprintf("%v in %d", parallelism(plan), len(plan.Containers)))
	out = append(out, fmt.Sprintf("count %d, indexes %v", cluster.CountOf(b.Jobs.Jobs[jobID]), b.Jobs.Indexes(jobID)))
	return strings.Join(append(out, b.extra()...), "\n")
}

// extra are claims and locks.
func (b *bench) extra() (list []string) {
	b.T.Helper()
	l := b.Cluster.State
	for _, dir := range []string{path.Dir(l.Operation("words")), l.Owners(), path.Dir(l.Locks("words"))} {
		names, err := l.Children(b.T.Context(), dir)
		if err != nil && !errors.Is(err, statemgr.ErrNotFound) {
			b.T.Fatal(err)
		}
		for _, name := range names {
			list = append(list, dir+"/"+name)
		}
	}
	return list
}

// words is what a topology that is as it should be looks like.
func words(state heronpb.TopologyState, runtime string, bolts, containers int) string {
	var indexes []int
	for i := range containers + 1 {
		indexes = append(indexes, i)
	}
	return fmt.Sprintf("%s, stored %s, runtime %s, TManager's %s\nmap[bolt:%d spout:2] in %d\ncount %d, indexes %v",
		state, state, runtime, runtime, bolts, containers, containers+1, indexes)
}

func (b *bench) want(what, want string) {
	b.T.Helper()
	if got := b.is(); got != want {
		b.T.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

// wrote lists the changes of Nomad's jobs.
func (b *bench) wrote() string {
	var list []string
	for _, call := range b.Jobs.Calls {
		if slices.Contains([]string{"SetCount", "SetSpec", "StopAllocation", "RescheduleFailed"}, call) {
			list = append(list, call)
		}
	}
	return strings.Join(list, " ")
}
