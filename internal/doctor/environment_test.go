package doctor_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

// brokenUploader is one that cannot be used.
type brokenUploader struct{ uploader.Uploader }

func (brokenUploader) Check(context.Context) error { return errBroken }

func TestTheEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(b *bench)
		check  string
		status doctor.Status
		speaks string
	}{
		"an old Nomad":        {func(b *bench) { b.nomad.server.Version = "1.6.1" }, doctor.NomadServer, doctor.Warning, "before 1.8"},
		"an unknown version":  {func(b *bench) { b.nomad.server.Version = "" }, doctor.NomadServer, doctor.Warning, "may not read its version"},
		"a clock ahead":       {func(b *bench) { b.nomad.ahead = time.Minute }, doctor.Clock, doctor.Warning, "1m0s ahead of"},
		"a clock behind":      {func(b *bench) { b.nomad.ahead = -time.Minute }, doctor.Clock, doctor.Warning, "1m0s behind"},
		"a right is lacking":  {func(b *bench) { b.nomad.rights[0].Allowed = false }, doctor.Token, doctor.Problem, "lacks read-job"},
		"a nice right":        {func(b *bench) { b.nomad.rights[0] = nomad.Right{Capability: "read-fs"} }, doctor.Token, doctor.Warning, "lacks read-fs"},
		"a right cannot tell": {func(b *bench) { b.nomad.rights[0].Err, b.nomad.rights[0].Allowed = errBroken, false }, doctor.Token, doctor.Warning, "cannot tell"},
		"no node":             {func(b *bench) { b.nomad.nodes[0].Eligible = false }, doctor.Nodes, doctor.Problem, "no node takes containers"},
		"no Consul": {func(b *bench) {
			b.Settings.Nomad.RegisterMetrics, b.nomad.facts = true, []nomad.NodeFacts{{}}
		}, doctor.Consul, doctor.Problem, "no node has Consul"},
		"some Consul": {func(b *bench) {
			b.Settings.Nomad.RegisterMetrics = true
			b.nomad.facts = []nomad.NodeFacts{{Node: nomad.Node{Name: "two"}}, {Consul: "1.15.4"}}
		}, doctor.Consul, doctor.Warning, "two"},
		"no rights on the state": {func(b *bench) { b.Store.Rights = func() error { return statemgr.ErrDenied } }, doctor.State, doctor.Problem, "access denied"},
		"a server is away": {func(b *bench) {
			b.opts.StateServers = func(context.Context) ([]cluster.StateServer, error) {
				return []cluster.StateServer{{Address: "a:2181", Version: "3.8.0"}, {Address: "b:2181", Err: errBroken}}, nil
			}
		}, doctor.State, doctor.Warning, "b:2181"},
		"an engine's directory": {func(b *bench) { b.Must(os.RemoveAll(b.Cluster.State.EngineDirs()[0])) }, doctor.Directories, doctor.Problem, "tmanagers"},
		"another directory":     {func(b *bench) { b.Must(os.RemoveAll(b.Cluster.State.Root + "/history")) }, doctor.Directories, doctor.Warning, "history"},
		"the package store":     {func(b *bench) { b.Cluster.Uploader = brokenUploader{b.Uploader} }, doctor.Uploader, doctor.Problem, "broken on purpose"},
		"packages of nobody": {func(b *bench) {
			b.Must(onlyPackage(b))
			b.opts.Now = func() time.Time { return time.Now().Add(30 * 24 * time.Hour) }
		}, doctor.Packages, doctor.Warning, "nothing uses them"},
		"no java": {func(b *bench) { b.opts.Program.Variables = []string{"PATH=/nowhere"} }, doctor.Java, doctor.Warning, "cannot find java"},
		"no java for a jar": {func(b *bench) {
			b.opts.Program.Variables, b.opts.File = []string{"PATH=/nowhere"}, "wc.jar"
		}, doctor.Java, doctor.Problem, "cannot find java"},
		"no python for a pex": {func(b *bench) {
			b.opts.Program.Variables, b.opts.File = []string{"PATH=/nowhere"}, "wc.pex"
		}, doctor.Python, doctor.Problem, "cannot find python3"},
		"a node lacks java": {func(b *bench) {
			b.opts.OnNodes, b.nomad.runs = true, []nomad.NodeRun{{Node: "one", Status: "complete", Output: "tar\tok\ttar 1.34\njava\tproblem\tno java\n"}}
		}, doctor.Node, doctor.Problem, "java: no java"},
		"a node is silent": {func(b *bench) {
			b.opts.OnNodes, b.nomad.runs = true, []nomad.NodeRun{{Node: "one", Status: "pending"}}
		}, doctor.Node, doctor.Warning, "not reported in time"},
		"a node cannot run it": {func(b *bench) {
			b.opts.OnNodes, b.nomad.runs = true, []nomad.NodeRun{{Node: "one", Status: "failed", Err: errBroken}}
		}, doctor.Node, doctor.Problem, "did not run"},
		"no node runs it": {func(b *bench) { b.opts.OnNodes = true }, doctor.Node, doctor.Problem, "no node ran the job"},
	} {
		t.Run(name, func(t *testing.T) {
			b := healthy(t)
			c.spoil(b)
			r := b.examine()
			list := wrong(r, c.check)
			if len(list) != 1 || list[0].Status != c.status || !strings.Contains(list[0].Text, c.speaks) {
				t.Errorf("want %s %s with %q, got %+v", c.check, c.status, c.speaks, list)
			}
			if (c.status == doctor.Problem) != (r.Err() != nil) {
				t.Errorf("%d problems, error %v", r.Problems, r.Err())
			}
		})
	}
}

// onlyPackage removes the topology and leaves its package.
func onlyPackage(b *bench) error {
	delete(b.Jobs.Jobs, job)
	return b.Cluster.State.DeleteTopology(b.T.Context(), "words", true)
}

// What cannot be reached hides nothing of what can.
func TestNothingHidesTheRest(t *testing.T) {
	b := healthy(t)
	b.nomad.down = errDown
	b.Jobs.Before = func(string) error { return errDown }
	r := b.examine()
	if len(wrong(r, doctor.NomadServer)) != 1 || outcome.KindOf(r.Err()) != outcome.Unreachable {
		t.Errorf("%v in %+v", r.Err(), r.Checks)
	}
	for _, name := range []string{doctor.State, doctor.Directories, doctor.Uploader} {
		if list := wrong(r, name); len(list) > 0 {
			t.Errorf("%+v", list)
		}
	}
	if list := wrong(r, doctor.Topology); len(list) != 1 || list[0].Status != doctor.Warning {
		t.Errorf("%+v", list)
	}

	b = healthy(t)
	b.Cluster.State.Store = nil
	b.opts.Not.State = errDown
	r = b.examine()
	if len(wrong(r, doctor.State)) != 1 || outcome.KindOf(r.Err()) != outcome.Unreachable || !slices.ContainsFunc(r.Checks, func(c doctor.Check) bool { return c.Name == doctor.NomadServer && c.Status == doctor.OK }) {
		t.Errorf("%+v", r)
	}
}

func TestAnInterruptedExamination(t *testing.T) {
	b := healthy(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := doctor.Examine(ctx, b.Cluster, b.nomad, b.opts); r != nil || outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("%+v, %v", r, err)
	}
}
