package subject_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/subject"
	"github.com/heron-nomad/heron/internal/submit"
)

const id = "words1234"

// up is a bench with a topology.
func up(t *testing.T) *clustertest.Bench {
	t.Helper()
	b := clustertest.New(t)
	m, err := submit.NewManifest(submit.Input{
		Settings: b.Settings, Definition: clustertest.Words(id), DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: submit.PackageFile{Path: b.PackageFile(), Size: int64(len(clustertest.PackageText)), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(clustertest.PackageText)))},
		Locate:  b.Uploader.Locate, Script: "#!/bin/sh\n", Client: "test", Now: time.Unix(1_700_000_000, 0), Request: "a request",
	})
	b.Must(err)
	there, err := b.Cluster.Look(t.Context(), "words", cluster.Scope{Job: true})
	b.Must(err)
	_, err = submit.Submit(t.Context(), b.Cluster, []submit.Decision{{Manifest: m, There: there}}, submit.Options{})
	b.Must(err)
	return b
}

// die leaves the intent of an operation that died.
func die(b *clustertest.Bench, change func(*statemgr.Intent)) {
	b.T.Helper()
	i := statemgr.Intent{
		Operation: statemgr.OperationUpdate, Step: "count", TopologyID: id, Cluster: "nomad", Role: "ads", Environ: "prod",
		Owner: statemgr.Owner{Token: "0123456789abcdef", Doing: "update", User: "bob"},
	}
	change(&i)
	data, err := i.Encode()
	b.Must(err)
	b.Must(b.Store.Apply(b.T.Context(), statemgr.Create(b.Cluster.State.Operation("words"), data)))
}

func look(b *clustertest.Bench, operation string) (*subject.Subject, error) {
	return subject.Look(b.T.Context(), b.Cluster, operation, "words", cluster.Scope{Job: true, Originals: true})
}

func TestWhatDiedBefore(t *testing.T) {
	for _, c := range []struct {
		command, died, id, request string
		want                       subject.Dead
		refused, remedy            bool
	}{
		{command: "kill", died: "update", id: "other", want: subject.DeadOver},
		{command: "kill", died: "submit", id: "other", want: subject.DeadOver},
		{command: "restart", died: "restart", id: id, request: "r", want: subject.DeadEqual},
		{command: "restart", died: "restart", id: id, request: "another", want: subject.DeadOther},
		{command: "restart", died: "restart", id: "other", request: "r", want: subject.DeadOther},
		{command: "update", died: "update", id: id, request: "r", want: subject.DeadEqual},
		{command: "update", died: "activate", id: id, want: subject.DeadOver},
		{command: "update", died: "deactivate", id: id, want: subject.DeadOver},
		{command: "replace", died: "restart", id: id, want: subject.DeadOver},
		{command: "restart", died: "submit", id: id, want: subject.DeadOver},
		{command: "restart", died: "submit", id: "other", refused: true, remedy: true},
		{command: "update", died: "kill", id: id, refused: true, remedy: true},
		{command: "restart", died: "update", id: id, refused: true},
		{command: "restart", died: "replace", id: "other", refused: true},
		{command: "replace", died: "rollback", id: id, refused: true},
	} {
		b := up(t)
		die(b, func(i *statemgr.Intent) { i.Operation, i.TopologyID, i.Request = c.died, c.id, c.request })
		s, err := look(b, c.command)
		b.Must(err)
		got, err := s.CheckDead("r")
		if got != c.want || (err != nil) != c.refused || err != nil && outcome.KindOf(err) != outcome.Differs {
			t.Errorf("%s after %s of %s: %q, %v; want %q", c.command, c.died, c.id, got, err, c.want)
		}
		if remedy, has := outcome.RemedyOf(err); has != c.remedy || has && remedy.Action != outcome.Kill {
			t.Errorf("%s after %s of %s: remedy %v", c.command, c.died, c.id, remedy)
		}
	}
}

// A command that began and ended between the look and the claim makes the claim
// fail, with nothing left of it.
func TestAClaimOfWhatHasChanged(t *testing.T) {
	b := up(t)
	s, err := look(b, "restart")
	b.Must(err)
	path := b.Cluster.State.PackingPlan("words")
	plan, err := b.Cluster.State.Read(t.Context(), path)
	b.Must(err)
	b.Must(b.Cluster.State.Apply(t.Context(), statemgr.Set(path, plan.Data)))
	if _, err = s.Take(t.Context(), s.Intent("restart")); outcome.KindOf(err) != outcome.Busy {
		t.Errorf("%v, want one that is busy", err)
	}
	if s, err = look(b, "restart"); err != nil || s.There.Pending != nil {
		t.Fatalf("%v; the claim is still there: %v", err, s.There.Pending)
	}
	claim, err := s.Take(t.Context(), s.Intent("restart"))
	b.Must(err)
	b.Must(claim.Drop(t.Context()))
}

func TestLookRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		fault func(b *clustertest.Bench)
		kind  outcome.Kind
		says  string
	}{
		"another role":      {func(b *clustertest.Bench) { b.Settings.Role = "others" }, outcome.Usage, "runs at nomad/ads/prod"},
		"another namespace": {func(b *clustertest.Bench) { b.Settings.Nomad.Namespace = "ads" }, outcome.Usage, "namespace"},
		"died elsewhere": {func(b *clustertest.Bench) { die(b, func(i *statemgr.Intent) { i.Role = "others" }) },
			outcome.Usage, `the update of topology "words" was begun at nomad/others/prod`},
		"under way": {func(b *clustertest.Bench) {
			i := statemgr.Intent{Operation: "update", Cluster: "nomad", Role: "ads", Environ: "prod", TopologyID: id, Owner: statemgr.NewOwner("update", "bob", time.Now())}
			_, err := operation.Take(b.T.Context(), b.Cluster.State, nil, "words", i, nil)
			b.Must(err)
		}, outcome.Busy, "update of user bob"},
	} {
		b := up(t)
		c.fault(b)
		if _, err := look(b, "restart"); outcome.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: kind %s, %v", what, outcome.KindOf(err), err)
		}
	}
}

// Each check finds its fault, and a whole topology passes all.
func TestChecks(t *testing.T) {
	remove := func(path func(statemgr.Layout) string) func(*clustertest.Bench) {
		return func(b *clustertest.Bench) {
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(path(b.Cluster.State.Layout))))
		}
	}
	for what, c := range map[string]struct {
		fault func(b *clustertest.Bench)
		kind  outcome.Kind
		says  string
	}{
		"nothing":       {func(*clustertest.Bench) {}, "", ""},
		"no definition": {remove(func(l statemgr.Layout) string { return l.Topology("words") }), outcome.Differs, "incomplete"},
		"no plan":       {remove(func(l statemgr.Layout) string { return l.PackingPlan("words") }), outcome.Differs, "incomplete"},
		"no state":      {func(b *clustertest.Bench) { b.Must(b.Cluster.State.DeleteTopology(b.T.Context(), "words", true)) }, outcome.NotFound, "no topology"},
		"no job":        {func(b *clustertest.Bench) { clear(b.Jobs.Jobs) }, outcome.Differs, "has no job"},
		"a stopped job": {func(b *clustertest.Bench) { b.Must(b.Jobs.Stop(b.T.Context(), b.Jobs.Jobs["heron.nomad.words"])) }, outcome.Differs, "is stopped"},
		"a foreign job": {func(b *clustertest.Bench) { name := "heron.nomad.words"; b.Jobs.Put(&api.Job{ID: &name}) }, outcome.Exists, "nothing was touched"},
		"another run's": {func(b *clustertest.Bench) { b.Jobs.Jobs["heron.nomad.words"].Meta["topology.id"] = "other" }, outcome.Differs, "of topology id other"},
		"no rights":     {func(b *clustertest.Bench) { b.Store.Rights = func() error { return statemgr.ErrDenied } }, outcome.Denied, "nothing was changed"},
	} {
		b := up(t)
		c.fault(b)
		s, err := look(b, "restart")
		for _, check := range []func() error{s.CheckWhole, s.CheckPlan, s.CheckJobs, func() error { return s.CheckRights(t.Context()) }} {
			if err == nil {
				err = check()
			}
		}
		if outcome.KindOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: kind %q, %v", what, outcome.KindOf(err), err)
		}
	}
}

// The intent names the job only where the command acts on it: an old namespace
// must not stand in the way of one that does not.
func TestIntent(t *testing.T) {
	b := up(t)
	for _, asks := range []bool{true, false} {
		s, err := subject.Look(t.Context(), b.Cluster, "restart", "words", cluster.Scope{Job: asks})
		b.Must(err)
		i := s.Intent("one", "two")
		if i.Operation != "restart" || i.Step != "one" || len(i.Steps) != 2 || i.TopologyID != id || (i.Nomad.JobID != "") != asks {
			t.Errorf("asks %v: %+v", asks, i)
		}
		claim, err := s.Take(t.Context(), i)
		b.Must(err)
		b.Must(claim.Finish(t.Context(), nil))
	}
	s, err := look(b, "restart")
	b.Must(err)
	if r := s.Repeat(); r.Action != outcome.Repeat || r.Topology != "words" || r.Role != "ads" {
		t.Errorf("%+v", r)
	}
}
