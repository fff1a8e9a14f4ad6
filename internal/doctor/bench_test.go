package doctor_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/topology"
)

const (
	id  = "words1234"
	job = "heron.nomad.words"
)

// containers gives the methods about containers another name to be known by.
type containers struct{ *clustertest.Jobs }

// fakeNomad is what doctor asks of Nomad besides jobs. Its containers are those
// of the jobs.
type fakeNomad struct {
	*containers
	down   error
	ahead  time.Duration
	server nomad.Server
	rights []nomad.Right
	nodes  []nomad.Node
	facts  []nomad.NodeFacts
	runs   []nomad.NodeRun
	hidden error
}

func (f *fakeNomad) Jobs(_ context.Context, prefix string) (list []*api.JobListStub, err error) {
	for id, job := range f.containers.Jobs.Jobs {
		if strings.HasPrefix(id, prefix) {
			list = append(list, &api.JobListStub{ID: id, Meta: job.Meta})
		}
	}
	return list, f.down
}

func (f *fakeNomad) WhyUnplaced(context.Context, *api.Job) ([]string, error) { return nil, f.down }
func (f *fakeNomad) SeesAllJobs(context.Context) error                       { return f.hidden }
func (f *fakeNomad) Ping(context.Context) (nomad.Server, error)              { return f.server, f.down }
func (f *fakeNomad) Rights(context.Context) []nomad.Right                    { return f.rights }

func (f *fakeNomad) EachJob(_ context.Context, each func(*api.Job) error) error {
	for _, job := range f.containers.Jobs.Jobs {
		if err := each(job); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeNomad) ClockAhead(context.Context) (time.Duration, bool, error) {
	return f.ahead, true, nil
}

func (f *fakeNomad) Nodes(context.Context, conf.Nomad) ([]nomad.Node, error) { return f.nodes, nil }

func (f *fakeNomad) NodeFacts(context.Context, []nomad.Node) ([]nomad.NodeFacts, error) {
	return f.facts, nil
}

func (f *fakeNomad) RunEverywhere(context.Context, *api.Job, string, time.Duration) ([]nomad.NodeRun, error) {
	return f.runs, f.down
}

// bench is a cluster of fakes and folders with the topology "words" on it.
type bench struct {
	*clustertest.Bench
	nomad *fakeNomad
	opts  doctor.Options
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Bench: clustertest.New(t)}
	b.nomad = &fakeNomad{
		containers: &containers{b.Jobs}, server: nomad.Server{Version: "1.9.0"},
		rights: []nomad.Right{{Capability: "read-job", Needed: true, Allowed: true}},
		nodes:  []nomad.Node{{ID: "1", Name: "one", Eligible: true}},
	}
	b.opts = doctor.Options{Now: time.Now, Program: topology.Program{Variables: []string{"PATH=/nowhere"}}}
	return b
}

func submitTo(ctx context.Context, b *bench, cl cluster.Cluster) error {
	m, err := submit.NewManifest(submit.Input{
		Settings: b.Settings, Definition: clustertest.Words(id), DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: submit.PackageFile{
			Path: b.PackageFile(), Size: int64(len(clustertest.PackageText)), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(clustertest.PackageText))),
		},
		Locate: b.Uploader.Locate, Script: "#!/bin/sh\n", Client: "test", Now: time.Unix(1_700_000_000, 0), Request: "a request",
	})
	if err != nil {
		return err
	}
	there, err := cl.Look(ctx, "words", cluster.Scope{Job: true, Originals: true})
	if err != nil {
		return err
	}
	_, err = submit.Submit(ctx, cl, []submit.Decision{{Manifest: m, There: there}}, submit.Options{})
	return err
}

// healthy has the topology "words" submitted and running.
func healthy(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.Must(submitTo(t.Context(), b, b.Cluster))
	b.TManager(id, heronpb.TopologyState_RUNNING)
	return b
}

func (b *bench) examine() *doctor.Report {
	b.T.Helper()
	r, err := doctor.Examine(b.T.Context(), b.Cluster, b.nomad, b.opts)
	b.Must(err)
	return r
}

// about are the checks of a name that are not ok.
func wrong(r *doctor.Report, names ...string) (list []doctor.Check) {
	for _, c := range r.Checks {
		for _, name := range names {
			if c.Name == name && c.Status != doctor.OK {
				list = append(list, c)
			}
		}
	}
	return list
}

// ofTopologies are the checks about topologies that are not ok.
func ofTopologies(r *doctor.Report) []doctor.Check {
	return wrong(r, doctor.Topology, doctor.Claim, doctor.Containers, doctor.TManager)
}

// want demands one check about topologies that is not ok.
func (b *bench) want(status doctor.Status, action, words string) {
	b.T.Helper()
	list := ofTopologies(b.examine())
	if len(list) != 1 || list[0].Status != status || !strings.Contains(list[0].Text, words) {
		b.T.Errorf("want one check %s with %q, got %+v", status, words, list)
		return
	}
	got := ""
	if r := list[0].Remedy; r != nil {
		got = r.Action
		if r.Cluster != "nomad" || r.Role != "ads" || r.Environ != "prod" || r.Topology != "words" {
			b.T.Errorf("the remedy is on %+v", r)
		}
	}
	if got != action {
		b.T.Errorf("%s: the remedy is %q, not %q", words, got, action)
	}
}

var errDown = outcome.New(outcome.Unreachable, "nobody there")

var errBroken = errors.New("broken on purpose")
