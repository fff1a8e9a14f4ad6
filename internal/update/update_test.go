package update

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/topology"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

func TestScalingBothWays(t *testing.T) {
	t.Parallel()
	b := up(t, running)
	b.want("before", words(running, "[]", 2, 2))
	before := slices.Clone(b.Jobs.Allocations[jobID])
	got, err := b.update(bolts(4))
	if err != nil || !got.Changed || got.Containers != 3 || got.ContainersBefore != 2 || got.State != "RUNNING" || got.Parallelism["bolt"] != 4 || got.Replaced {
		t.Fatalf("%+v, %v", got, err)
	}
	b.want("scaled up", words(running, "[]", 4, 3))
	for _, c := range before {
		if !slices.ContainsFunc(b.Jobs.Allocations[jobID], func(now nomad.Container) bool { return now.ID == c.ID && now.Running() }) {
			t.Errorf("container %d was not left alone", c.Index)
		}
	}
	if b.m.Changes != 1 {
		t.Errorf("the TManager was asked for %d changes, want one: to pause", b.m.Changes)
	}
	got, err = b.update(bolts(2))
	if err != nil || got.Containers != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	b.want("scaled down", words(running, "[]", 2, 2))
	if w := b.wrote(); w != "SetCount SetCount" {
		t.Errorf("wrote %s", w)
	}
	versions, err := b.Cluster.State.Versions(t.Context(), "words")
	if n := len(versions); err != nil || n != 3 || versions[2].Operation != "update" || versions[2].Containers != 3 || versions[1].Containers != 4 || versions[2].Previous != 2 {
		t.Errorf("history %+v, %v", versions, err)
	}
}

func TestAPausedTopologyStaysPausedAndKeepsItsConfiguration(t *testing.T) {
	t.Parallel()
	b := up(t, running)
	if _, err := b.update(runtime("rate:5", "bolt:level:debug")); err != nil {
		t.Fatal(err)
	}
	b.want("configured", words(running, "[rate:5 bolt:level:debug]", 2, 2))
	if b.wrote() != "" {
		t.Errorf("wrote %s", b.wrote())
	}
	// As deactivate does it: in the physical plan only.
	if err := b.m.Deactivate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.update(Request{Parallelism: bolts(4).Parallelism, Runtime: runtime("rate:7").Runtime}); err != nil {
		t.Fatal(err)
	}
	b.want("scaled and configured while paused", words(paused, "[rate:7 bolt:level:debug]", 4, 3))
	if _, err := b.update(runtime("x:1")); err != nil {
		t.Fatal(err)
	}
	b.want("configured while paused", words(paused, "[rate:7 x:1 bolt:level:debug]", 4, 3))
}

func TestContainersAreReplacedWhereTheyNeedMore(t *testing.T) {
	t.Parallel()
	b := up(t, running)
	got, err := b.update(Request{Containers: new(1)})
	if err != nil || !got.Replaced || got.Containers != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	b.want("fewer containers", words(running, "[]", 2, 1))
	if w := b.wrote(); w != "SetSpec SetCount" {
		t.Errorf("wrote %s", w)
	}
	if mb := *b.Jobs.Jobs[jobID].TaskGroups[0].Tasks[0].Resources.MemoryMB; mb != 6144 {
		t.Errorf("containers have %d MB", mb)
	}
}

func TestNothingToChange(t *testing.T) {
	t.Parallel()
	b := up(t, paused)
	if _, err := b.update(runtime("rate:5")); err != nil {
		t.Fatal(err)
	}
	before, changes := b.is(), b.m.Changes
	b.Store.Before = func() error { t.Error("the state was written"); return nil }
	for what, r := range map[string]Request{
		"as many": bolts(2), "as many containers": {Containers: new(2)}, "the same configuration": runtime("rate:5"),
		"all of it": {Parallelism: bolts(2).Parallelism, Containers: new(2), Runtime: runtime("rate:5").Runtime},
	} {
		got, err := b.update(r)
		if err != nil || got.Changed {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		b.want(what, before)
		p, err := Look(t.Context(), b.Cluster, "words", r)
		if err != nil || p.Changes {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
	if b.wrote() != "" || b.m.Changes != changes {
		t.Errorf("wrote %s, %d changes", b.wrote(), b.m.Changes-changes)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	stateful := clustertest.Words(topoID).Proto()
	stateful.TopologyConfig.Kvs = append(stateful.TopologyConfig.Kvs, &heronpb.Config_KeyValue{
		Key: proto.String(topology.KeyReliabilityMode), Value: proto.String(string(topology.EffectivelyOnce)),
	})
	for what, c := range map[string]struct {
		request Request
		def     *topology.Definition
		broken  func(*bench)
		kind    outcome.Kind
		says    string
	}{
		"nothing asked for":           {kind: outcome.Usage, says: "nothing is asked for"},
		"an unknown component":        {request: Request{Parallelism: []packing.Parallelism{{Component: "blot", Instances: 3}}}, kind: outcome.Usage, says: "Invalid component name in update request: blot"},
		"none of a component":         {request: bolts(0), kind: outcome.Usage, says: "cannot have 0 instances"},
		"no container":                {request: Request{Containers: new(0)}, kind: outcome.Usage, says: "cannot be 0 containers"},
		"more containers than fit":    {request: Request{Containers: new(5)}, kind: outcome.Usage, says: "5"},
		"configuration of no one":     {request: runtime("blot:a:b"), kind: outcome.Usage, says: `no component "blot"; it has spout, bolt`},
		"an effectively-once one":     {request: bolts(3), def: topology.FromProto(stateful), kind: outcome.Usage, says: "effectively-once"},
		"no TManager":                 {request: bolts(3), broken: func(b *bench) { b.m.Gone = true }, kind: outcome.Unreachable, says: "nothing was changed"},
		"an earlier topology's job":   {request: bolts(3), broken: func(b *bench) { b.Jobs.Jobs[jobID].Meta["topology.id"] = "words0" }, kind: outcome.Differs, says: "words0"},
		"state that cannot be stored": {request: bolts(3), broken: func(b *bench) { b.Store.Rights = func() error { return errBroken } }, kind: outcome.Failed, says: "nothing was changed"},
	} {
		def := c.def
		if def == nil {
			def = clustertest.Words(topoID)
		}
		b := upAs(t, running, def)
		if c.broken != nil {
			c.broken(b)
		}
		before := b.is()
		if _, err := b.update(c.request); outcome.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v (%s)", what, err, outcome.KindOf(err))
		}
		b.want(what, before)
	}
	b := upAs(t, running, topology.FromProto(stateful))
	if _, err := b.update(runtime("rate:5")); err != nil {
		t.Errorf("configuration of an effectively-once one: %v", err)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	b := up(t, running)
	before := b.is()
	p, err := Look(t.Context(), b.Cluster, "words", Request{Parallelism: bolts(4).Parallelism, Runtime: runtime("rate:5").Runtime})
	if err != nil || !p.Changes || p.Added != 2 || p.Removed != 0 || p.Containers != 3 || p.ContainersBefore != 2 || p.Replaced || len(p.Runtime) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	var text bytes.Buffer
	if err := p.Show(&text, "table"); err != nil || !strings.Contains(text.String(), "Total number of containers: 3") {
		t.Errorf("%v: %s", err, text.String())
	}
	b.want("a dry run", before)
}

func TestAWaitForWhatIsAsAskedAlready(t *testing.T) {
	t.Parallel()
	b := up(t, running)
	got, err := Update(t.Context(), b.Cluster, "words", bolts(2), Options{Limit: patient, Wait: patient})
	if err != nil || got.Changed || !got.Waited {
		t.Errorf("%+v, %v", got, err)
	}
}
