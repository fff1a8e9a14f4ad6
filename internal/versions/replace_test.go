package versions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/topology"
)

func TestReplacePutsTheNewInPlaceAndKeepsTheOld(t *testing.T) {
	b := submitted(t)
	b.Jobs.Calls = nil
	done, err := b.replace(b.manifest(newID, nil), ReplaceOptions{})
	b.Must(err)
	if done.Action != submit.ActionReplaced || done.Number != 2 || done.Previous != 1 || done.ID != newID || !done.Running || done.Paused || done.Containers != 3 {
		t.Errorf("%+v", done)
	}
	b.wantRunning(newID, oldID, newID)
	if got := b.versions(); got != "1* 2*" {
		t.Errorf("versions %s", got)
	}
	order := strings.Join(slices.DeleteFunc(b.Jobs.Calls, func(call string) bool { return call == "Job" || call == "TopologyJobs" }), " ")
	if !strings.Contains(order, "Stop WaitStopped TakeOver WaitRunning") {
		t.Errorf("Nomad was asked for %s", order)
	}
	v, err := b.Cluster.State.Versions(t.Context(), "words")
	b.Must(err)
	if v[1].Operation != "replace" || v[1].Previous != 1 || v[1].By != "ann" {
		t.Errorf("version 2: %+v", v[1])
	}
}

func TestReplaceOfNothingSubmits(t *testing.T) {
	b := newBench(t)
	done, err := b.replace(b.manifest(newID, nil), ReplaceOptions{})
	b.Must(err)
	if done.Action != submit.ActionSubmitted || !done.Running || done.Number != 1 {
		t.Errorf("%+v", done)
	}
	b.wantRunning(newID, newID)
	if got := b.versions(); got != "1*" {
		t.Errorf("versions %s", got)
	}
}

func TestReplaceByTheSameWritesNothing(t *testing.T) {
	b := submitted(t)
	same := b.manifest(newID, func(in *submit.Input) { in.Request = "request of " + oldID })
	b.Jobs.Calls = nil
	b.Store.Before = func() error { return errBroken }
	b.Uploader.OnUpload = b.Store.Before
	done, err := b.replace(same, ReplaceOptions{})
	b.Must(err)
	if done.Action != submit.ActionUnchanged || done.ID != oldID || done.Number != 1 || slices.Contains(b.Jobs.Calls, "Stop") {
		t.Errorf("%+v, calls %v", done, b.Jobs.Calls)
	}
	b.wantRunning(oldID, oldID)
	// What was changed since is not the same any more.
	b.Store.Before, b.Uploader.OnUpload = nil, nil
	changed := b.definition().WithStmgrs(7)
	data, err := changed.Bytes()
	b.Must(err)
	b.Must(b.Store.Apply(t.Context(), statemgr.Set(b.Cluster.State.Topology("words"), data)))
	done, err = b.replace(same, ReplaceOptions{})
	b.Must(err)
	if done.Action != submit.ActionReplaced {
		t.Errorf("%+v", done)
	}
	b.wantRunning(newID, oldID, newID)
}

func TestPausedStaysPaused(t *testing.T) {
	b := submitted(t)
	// The TManager keeps the state; the definition still says RUNNING.
	b.TManager(oldID, heronpb.TopologyState_PAUSED)
	done, err := b.replace(b.manifest(newID, nil), ReplaceOptions{})
	b.Must(err)
	if !done.Paused || b.definition().State() != heronpb.TopologyState_PAUSED {
		t.Errorf("paused %v, definition %s", done.Paused, b.definition().State())
	}
	back, err := b.rollback(RollbackOptions{})
	b.Must(err)
	if !back.Paused || b.definition().State() != heronpb.TopologyState_PAUSED {
		t.Errorf("rolled back: paused %v, definition %s", back.Paused, b.definition().State())
	}
	b.dead = true
	if _, err = b.replace(b.manifest("words9999", nil), ReplaceOptions{}); outcome.KindOf(err) != outcome.Undone {
		t.Errorf("kind %s, %v", outcome.KindOf(err), err)
	}
	if b.definition().State() != heronpb.TopologyState_PAUSED {
		t.Errorf("taken back: definition %s", b.definition().State())
	}
}

func TestEarlierVersionsBeyondTheLimitGo(t *testing.T) {
	for limit, want := range map[int]string{0: "4*", 1: "3* 4*", 5: "1* 2* 3* 4*"} {
		b := submitted(t)
		b.Settings.Nomad.History = limit
		ids := []string{oldID}
		var removed int
		for _, id := range []string{"words2222", "words3333", "words4444"} {
			done, err := b.replace(b.manifest(id, nil), ReplaceOptions{})
			b.Must(err)
			ids = append(ids, id)
			removed += len(done.Removed)
		}
		kept := min(limit+1, 4)
		b.wantRunning("words4444", ids[4-kept:]...)
		if got := b.versions(); got != want || removed != 4-kept {
			t.Errorf("limit %d: versions %s, %d packages removed", limit, got, removed)
		}
	}
}

// What cannot be removed does not make a replacement fail.
func TestPackagesThatStay(t *testing.T) {
	b := submitted(t)
	b.Settings.Nomad.History = 0
	b.Uploader.OnDelete = func() error { return errBroken }
	done, err := b.replace(b.manifest(newID, nil), ReplaceOptions{})
	b.Must(err)
	if got := b.versions(); got != "1* 2*" || len(done.Removed)+len(done.Kept) > 0 {
		t.Errorf("versions %s, %+v", got, done)
	}
	b.Uploader.OnDelete = func() error { return errors.ErrUnsupported }
	done, err = b.replace(b.manifest("words3333", nil), ReplaceOptions{})
	b.Must(err)
	if got := b.versions(); got != "3*" || len(done.Removed) > 0 || len(done.Kept) != 2 {
		t.Errorf("versions %s, %+v", got, done)
	}
	b.Uploader.OnDelete = nil
	b.wantRunning("words3333", oldID, newID, "words3333")
}

// broken is a fault at one step of a change, and what mends it.
func broken(b *bench, where string) (mend func()) {
	after := b.Jobs.After
	once := true
	fault := func() error {
		if !once {
			return nil
		}
		once = false
		return errBroken
	}
	switch where {
	case "upload":
		b.Uploader.OnUpload = fault
	case "state, before":
		b.Store.Before = fault
	case "state, after":
		b.Store.After = fault
	case "TManager":
		b.dead = true
	default:
		method, behind, _ := strings.Cut(where, ", ")
		hook := func(m string) error {
			if behind == "after" {
				_ = after(m)
			}
			if m == method {
				return fault()
			}
			return nil
		}
		if behind == "after" {
			b.Jobs.After = hook
		} else {
			b.Jobs.Before = hook
		}
	}
	return func() { b.Jobs.Before, b.Jobs.After, b.dead = nil, after, false }
}

func faults() []string {
	return []string{
		"upload", "Stop", "Stop, after", "WaitStopped", "state, before", "state, after",
		"TakeOver", "TakeOver, after", "WaitRunning", "TManager", "Settled",
	}
}

func TestAFailedReplacementComesBack(t *testing.T) {
	t.Parallel()
	for _, where := range faults() {
		t.Run(where, func(t *testing.T) {
			b := submitted(t)
			before, job := b.snapshot(), *b.Jobs.Jobs[jobID]
			mend := broken(b, where)
			_, err := b.replace(b.manifest(newID, nil), ReplaceOptions{})
			if outcome.KindOf(err) != outcome.Undone {
				t.Errorf("kind %s, %v", outcome.KindOf(err), err)
			}
			if after := b.snapshot(); !maps.Equal(before, after) {
				t.Errorf("the state is another one: %q, was %q", after, before)
			}
			b.wantRunning(oldID, oldID)
			if now := b.Jobs.Jobs[jobID]; now.TaskGroups[0].Tasks[0].Env["HERON_EXECUTOR_CMD"] != job.TaskGroups[0].Tasks[0].Env["HERON_EXECUTOR_CMD"] {
				t.Error("the job is another one")
			}
			if got := b.versions(); !strings.HasPrefix(got, "1") || strings.Contains(got, "2") {
				t.Errorf("versions %s", got)
			}
			mend()
			_, err = b.replace(b.manifest(newID, nil), ReplaceOptions{})
			b.Must(err)
			b.wantRunning(newID, oldID, newID)
		})
	}
}

func TestAnInterruptedReplacementComesBack(t *testing.T) {
	b := submitted(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.Jobs.Before = func(method string) error {
		if method == "WaitRunning" {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	_, err := b.replaceOn(ctx, b.Cluster, b.manifest(newID, nil), ReplaceOptions{})
	if outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("kind %s, %v", outcome.KindOf(err), err)
	}
	b.wantRunning(oldID, oldID)
}

// What cannot be taken back at once is taken back, or continued, by the next
// command.
func TestAReplacementThatCannotComeBackSaysSo(t *testing.T) {
	b := submitted(t)
	b.dead = true
	stops := 0
	b.Jobs.Before = func(method string) error {
		if method == "Stop" {
			if stops++; stops == 2 {
				return errBroken
			}
		}
		return nil
	}
	_, err := b.replace(b.manifest(newID, nil), ReplaceOptions{})
	if outcome.KindOf(err) != outcome.LeftBehind {
		t.Fatalf("kind %s, %v", outcome.KindOf(err), err)
	}
	if there, err := b.Cluster.Look(t.Context(), "words", scope()); err != nil || !there.Complete(newID) || there.Pending == nil {
		t.Errorf("%+v, %v", there, err)
	}
	b.dead = false
	back, err := b.rollback(RollbackOptions{})
	b.Must(err)
	if !back.TookBack || back.ID != oldID || back.Number != 1 {
		t.Errorf("%+v", back)
	}
	b.wantRunning(oldID, oldID)
}

func TestReplaceRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		fault func(*bench)
		kind  outcome.Kind
		says  string
	}{
		"another role": {func(b *bench) { b.Settings.Role = "others" }, outcome.Usage, "runs at nomad/ads/prod"},
		"no record": {func(b *bench) {
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(b.Cluster.State.Deployment("words"))))
		}, outcome.Differs, "the original client submitted it"},
		"a foreign job": {func(b *bench) { b.Jobs.Put(&api.Job{ID: new(jobID)}) }, outcome.Exists, "nothing was touched"},
		"no rights":     {func(b *bench) { b.Store.Rights = func() error { return statemgr.ErrDenied } }, outcome.Denied, "nothing was changed"},
		"a dead update": {func(b *bench) {
			i := statemgr.Intent{Operation: "update", Step: "count", TopologyID: oldID, Cluster: "nomad", Role: "ads", Environ: "prod",
				Owner: statemgr.Owner{Token: "0123456789abcdef", Doing: "update", User: "bob"}}
			data, err := i.Encode()
			b.Must(err)
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Create(b.Cluster.State.Operation("words"), data)))
		}, outcome.Differs, "repeat that command first"},
		"a history of a later program": {func(b *bench) {
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Set(b.Cluster.State.Version("words", 1), []byte(`{"format":2}`))))
		}, outcome.Failed, "format 2"},
	} {
		b := submitted(t)
		m := b.manifest(newID, nil)
		c.fault(b)
		b.Jobs.Calls = nil
		if _, err := b.replace(m, ReplaceOptions{}); outcome.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: kind %s, %v", what, outcome.KindOf(err), err)
		}
		if slices.Contains(b.Jobs.Calls, "Stop") || !slices.Equal(b.packages(), []string{oldID}) {
			t.Errorf("%s: something was done: %v, packages %v", what, b.Jobs.Calls, b.packages())
		}
	}
	if _, err := submitted(t).replace(nil, ReplaceOptions{State: "some"}); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("an unknown state: %v", err)
	}
}

// A topology whose job is gone gets it again, and so is one that was submitted
// before there was a history.
func TestReplaceWhatIsNotInTheHistory(t *testing.T) {
	for _, fails := range []bool{false, true} {
		b := submitted(t)
		for _, op := range []statemgr.Op{
			statemgr.Delete(b.Cluster.State.Version("words", 1)), statemgr.Delete(b.Cluster.State.VersionJob("words", 1)),
			statemgr.Delete(b.Cluster.State.VersionPackingPlan("words", 1)), statemgr.Delete(b.Cluster.State.VersionDefinition("words", 1)),
			statemgr.Delete(b.Cluster.State.History("words")),
		} {
			b.Must(b.Store.Apply(t.Context(), op))
		}
		want := newID
		b.dead = fails
		_, err := b.replace(b.manifest(newID, nil), ReplaceOptions{})
		if fails {
			b.dead, want = false, oldID
			b.start()
		} else {
			b.Must(err)
		}
		if want == oldID {
			b.wantRunning(oldID, oldID)
		} else {
			b.wantRunning(newID, oldID, newID)
		}
		back, err := b.rollback(RollbackOptions{})
		if fails && outcome.KindOf(err) != outcome.NotFound || !fails && (err != nil || back.Restores != 1) {
			t.Errorf("fails %v: rolled back: %+v, %v", fails, back, err)
		}
	}
	b := submitted(t)
	clear(b.Jobs.Jobs)
	_, err := b.replace(b.manifest(newID, nil), ReplaceOptions{})
	b.Must(err)
	b.wantRunning(newID, oldID, newID)
}

// With equal topology ids the two versions are told apart by their numbers.
func TestReplaceUnderTheSameID(t *testing.T) {
	b := submitted(t)
	other := b.manifest(oldID, func(in *submit.Input) { in.Request, in.Script = "another request", "#!/bin/sh\nexit\n" })
	b.dead = true
	if _, err := b.replace(other, ReplaceOptions{}); outcome.KindOf(err) != outcome.Undone {
		t.Errorf("kind %s, %v", outcome.KindOf(err), err)
	}
	b.wantRunning(oldID, oldID)
	b.dead = false
	done, err := b.replace(other, ReplaceOptions{})
	b.Must(err)
	if done.Number != 2 || b.Jobs.Jobs[jobID].Meta[jobspec.MetaVersion] != "2" {
		t.Errorf("%+v, meta %v", done, b.Jobs.Jobs[jobID].Meta)
	}
	b.wantRunning(oldID, oldID)
}

// stateful makes a definition effectively-once.
func stateful(in *submit.Input) {
	pb := in.Definition.Proto()
	pb.TopologyConfig.Kvs = append(pb.TopologyConfig.Kvs, &heronpb.Config_KeyValue{
		Key: proto.String(topology.KeyReliabilityMode), Value: proto.String(string(topology.EffectivelyOnce)),
	})
	in.Definition = topology.FromProto(pb)
}

// wider gives the bolt one more instance.
func wider(in *submit.Input) {
	stateful(in)
	pb := in.Definition.Proto()
	for _, kv := range pb.GetBolts()[0].GetComp().GetConfig().GetKvs() {
		if kv.GetKey() == topology.KeyParallelism {
			kv.Value = proto.String("3")
		}
	}
	in.Definition = topology.FromProto(pb)
}

func TestReplaceWithOtherUploaderSettings(t *testing.T) {
	b := submitted(t)
	b.Settings.Upload.Kind = "http"
	if err := b.Cluster.RemovePackage(t.Context(), cluster.PackageOf(statemgr.Version{})); err == nil {
		t.Error("a package of another uploader was removed")
	}
}
