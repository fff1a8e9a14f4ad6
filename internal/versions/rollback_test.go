package versions

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/submit"
)

func TestRollback(t *testing.T) {
	b := submitted(t)
	before := b.snapshot()
	replaced(b)
	back, err := b.rollback(RollbackOptions{})
	b.Must(err)
	if !back.Changed || back.TookBack || back.Number != 3 || back.Restores != 1 || back.Previous != 2 || back.ID != oldID || back.Containers != 3 {
		t.Errorf("%+v", back)
	}
	b.wantRunning(oldID, oldID, newID)
	if after := b.snapshot(); !maps.Equal(before, after) {
		t.Errorf("the state is another one: %q, was %q", after, before)
	}
	if got := b.versions(); got != "1* 2* 3*" {
		t.Errorf("versions %s", got)
	}
	back, err = b.rollback(RollbackOptions{To: 2})
	b.Must(err)
	if back.Number != 4 || back.Restores != 2 || b.Jobs.Jobs[jobID].Meta[jobspec.MetaVersion] != "4" {
		t.Errorf("%+v", back)
	}
	b.wantRunning(newID, oldID, newID)
	// What runs already is left alone, by its own number and by that of the version
	// which it restores.
	for _, number := range []int{4, 2} {
		b.Jobs.Calls = nil
		back, err = b.rollback(RollbackOptions{To: number})
		if err != nil || back.Changed || back.Number != 4 || strings.Contains(strings.Join(b.Jobs.Calls, " "), "Stop") {
			t.Errorf("%+v, %v, calls %v", back, err, b.Jobs.Calls)
		}
	}
}

// A version that an update made has the same topology id and package as the one
// before it.
func TestRollbackOfAnUpdate(t *testing.T) {
	b := submitted(t)
	before := b.snapshot()
	there, err := b.Cluster.Look(t.Context(), "words", scope())
	b.Must(err)
	v, err := there.Version(statemgr.OperationUpdate, "ann", time.Now())
	b.Must(err)
	wide := b.manifest(oldID, wider)
	updated := wide.Version()
	v.Definition, v.PackingPlan, v.Containers = updated.Definition, updated.PackingPlan, 4
	ops, _, err := b.Cluster.State.Append(t.Context(), "words", v)
	b.Must(err)
	l := b.Cluster.State.Layout
	b.Must(b.Store.Apply(t.Context(), append(ops, statemgr.Set(l.PackingPlan("words"), v.PackingPlan), statemgr.Set(l.Topology("words"), v.Definition))...))
	_, err = b.Jobs.SetCount(t.Context(), b.Jobs.Jobs[jobID], 4)
	b.Must(err)
	b.Must(b.Cluster.State.MarkStable(t.Context(), "words", 1))
	back, err := b.rollback(RollbackOptions{})
	b.Must(err)
	if back.Restores != 1 || back.Previous != 2 || back.Containers != 3 {
		t.Errorf("%+v", back)
	}
	b.wantRunning(oldID, oldID)
	if after := b.snapshot(); !maps.Equal(before, after) {
		t.Error("the state is another one")
	}
}

func TestRollbackRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		prepare func(*bench)
		to      int
		kind    outcome.Kind
		says    string
	}{
		"no topology":     {func(b *bench) { b.Must(b.Cluster.State.DeleteTopology(b.T.Context(), "words", true)) }, 0, outcome.NotFound, "no topology"},
		"nothing earlier": {func(*bench) {}, 0, outcome.NotFound, "no earlier version"},
		"no such version": {replaced, 7, outcome.NotFound, "there is version 1"},
		"none is good": {func(b *bench) {
			b.TManager(oldID, 1).OnPlan = func() error { return errBroken }
			b.Jobs.Before = func(method string) error {
				if method == "TakeOver" {
					b.Cluster.TManager.(*clustertest.TManager).OnPlan = nil
				}
				return nil
			}
			replaced(b)
		}, 0, outcome.NotFound, "give the number of one"},
		"its package is gone": {func(b *bench) {
			replaced(b)
			b.Must(os.RemoveAll(b.Packages))
		}, 1, outcome.Differs, "is not stored any more"},
	} {
		b := submitted(t)
		c.prepare(b)
		before, versions := b.snapshot(), b.versions()
		b.Jobs.Calls = nil
		if _, err := b.rollback(RollbackOptions{To: c.to}); outcome.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: kind %s, %v", what, outcome.KindOf(err), err)
		}
		if strings.Contains(strings.Join(b.Jobs.Calls, " "), "Stop") || !maps.Equal(before, b.snapshot()) || b.versions() != versions {
			t.Errorf("%s: something was done: %v", what, b.Jobs.Calls)
		}
	}
}

func TestAFailedRollbackComesBack(t *testing.T) {
	t.Parallel()
	for _, where := range faults() {
		if where == "upload" {
			continue // nothing is uploaded
		}
		t.Run(where, func(t *testing.T) {
			b := submitted(t)
			replaced(b)
			before := b.snapshot()
			mend := broken(b, where)
			if _, err := b.rollback(RollbackOptions{}); outcome.KindOf(err) != outcome.Undone {
				t.Errorf("kind %s, %v", outcome.KindOf(err), err)
			}
			b.wantRunning(newID, oldID, newID)
			if !maps.Equal(before, b.snapshot()) || b.versions() != "1* 2*" {
				t.Errorf("the state is another one, versions %s", b.versions())
			}
			mend()
			_, err := b.rollback(RollbackOptions{})
			b.Must(err)
			b.wantRunning(oldID, oldID, newID)
		})
	}
}

func TestList(t *testing.T) {
	b := newBench(t)
	if _, err := List(t.Context(), b.Cluster, "words"); outcome.KindOf(err) != outcome.NotFound {
		t.Errorf("of nothing: %v", err)
	}
	b = submitted(t)
	replaced(b)
	_, err := b.rollback(RollbackOptions{})
	b.Must(err)
	h, err := List(t.Context(), b.Cluster, "words")
	b.Must(err)
	if len(h.Versions) != 3 || h.Pending != "" {
		t.Fatalf("%+v", h)
	}
	first, last := h.Versions[0], h.Versions[2]
	if first.Number != 1 || first.Operation != "submit" || first.Current || !first.Stable || first.ID != oldID || first.PackageSHA256 == "" || first.ConfigDigest == "" {
		t.Errorf("%+v", first)
	}
	if last.Number != 3 || last.Operation != "rollback" || last.Restores != 1 || !last.Current || last.ID != oldID || last.By != "ann" || last.Containers != 3 {
		t.Errorf("%+v", last)
	}
	b.Settings.Role = "others"
	if _, err := List(t.Context(), b.Cluster, "words"); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("of another role: %v", err)
	}
}

func TestRollbackKeepsState(t *testing.T) {
	b := newBench(t)
	b.submit(b.manifest(oldID, stateful))
	_, err := b.replace(b.manifest(newID, wider), ReplaceOptions{})
	b.Must(err)
	b.Must(b.Store.Apply(t.Context(), statemgr.Create(b.Cluster.State.Checkpoints("words"), []byte("checkpoint 7"))))
	if _, err := b.rollback(RollbackOptions{}); outcome.KindOf(err) != outcome.Usage || !strings.Contains(err.Error(), "ask for the state \"fresh\"") {
		t.Errorf("kind %s, %v", outcome.KindOf(err), err)
	}
	back, err := b.rollback(RollbackOptions{State: StateFresh})
	if err != nil || back.State != StateFresh {
		t.Errorf("%+v, %v", back, err)
	}
	b.wantRunning(oldID, oldID, newID)
}

var _ Decider = (*submit.Prepared)(nil)
