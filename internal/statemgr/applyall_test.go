package statemgr

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
)

// small is a store that takes one operation, beside checks, at a time.
func small(s Store, also func(op Op) error) Store {
	return &meddler{Store: s, before: func(ops []Op) error {
		var changes []Op
		for _, op := range ops {
			if op.Kind != OpCheck {
				changes = append(changes, op)
			}
		}
		if len(changes) > 1 {
			return ErrTooLarge
		}
		if also != nil && len(changes) == 1 {
			return also(changes[0])
		}
		return nil
	}}
}

// bigChange is a change of every kind below one lock.
func bigChange(t *testing.T, s Store, l Layout) []Op {
	t.Helper()
	must(t, s.Apply(t.Context(), Create(l.Operation("t"), []byte("mine")),
		Create(l.Scheduler("t"), []byte("old")), Create(l.PhysicalPlan("t"), []byte("pp"))))
	return []Op{
		Check(l.Operation("t")).At(0), Create(l.PackingPlan("t"), []byte("p")), Set(l.Scheduler("t"), []byte("new")),
		Delete(l.PhysicalPlan("t")), Create(l.Topology("t"), []byte("d")),
	}
}

func wantUntouched(t *testing.T, s Store, l Layout) {
	t.Helper()
	wantNode(t, s, l.Operation("t"), "mine", 0)
	wantNode(t, s, l.Scheduler("t"), "old", -1)
	wantNode(t, s, l.PhysicalPlan("t"), "pp", -1)
	wantGone(t, s, l.PackingPlan("t"), l.Topology("t"))
}

func wantAll(t *testing.T, s Store, l Layout) {
	t.Helper()
	wantNode(t, s, l.PackingPlan("t"), "p", 0)
	wantNode(t, s, l.Scheduler("t"), "new", 1)
	wantNode(t, s, l.Topology("t"), "d", 0)
	wantGone(t, s, l.PhysicalPlan("t"))
}

func TestApplyAllInOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, f fixture) {
		s, l := f.dirs(t), f.layout()
		ops := bigChange(t, s, l)
		var order []string
		must(t, ApplyAll(t.Context(), small(s, func(op Op) error { order = append(order, op.Path); return nil }), ops...))
		wantAll(t, s, l)
		want := []string{l.PackingPlan("t"), l.Scheduler("t"), l.PhysicalPlan("t"), l.Topology("t")}
		if strings.Join(order, " ") != strings.Join(want, " ") {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

func TestApplyAllFits(t *testing.T) {
	f := localFixture(t)
	s, l := f.dirs(t), f.layout()
	ops := bigChange(t, s, l)
	must(t, ApplyAll(t.Context(), s, ops...))
	wantAll(t, s, l)
	wantErr(t, ApplyAll(t.Context(), s, ops...), ErrExists, l.PackingPlan("t"))
}

// TestApplyAllFails has each operation in turn fail, and checks that nothing
// is left of those before.
func TestApplyAllFails(t *testing.T) {
	boom := errors.New("boom")
	eachStore(t, func(t *testing.T, f fixture) {
		s, l := f.dirs(t), f.layout()
		ops := bigChange(t, s, l)
		for _, bad := range ops[1:] {
			failed := false
			err := ApplyAll(t.Context(), small(s, func(op Op) error {
				if op.Path == bad.Path && op.Kind == bad.Kind && !failed {
					failed = true
					return boom
				}
				return nil
			}), ops...)
			wantErr(t, err, boom, "")
			wantUntouched(t, s, l)
		}
	})
}

func TestApplyAllInterrupted(t *testing.T) {
	f := localFixture(t)
	s, l := f.dirs(t), f.layout()
	ops := bigChange(t, s, l)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := ApplyAll(ctx, small(s, func(op Op) error {
		if op.Path == l.PhysicalPlan("t") {
			cancel()
		}
		return nil
	}), ops...)
	wantErr(t, err, context.Canceled, "")
	wantUntouched(t, s, l)
}

// TestApplyAllLostAnswer: an operation that was done although its answer was
// lost counts as done; one that was not is undone with the others.
func TestApplyAllLostAnswer(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		f := localFixture(t)
		s, l := f.dirs(t), f.layout()
		ops := bigChange(t, s, l)
		err := ApplyAll(t.Context(), small(s, func(op Op) error {
			if op.Kind != OpSet || string(op.Data) != "new" {
				return nil
			}
			if arrived {
				must(t, s.Apply(t.Context(), op))
			}
			return ErrUnreachable
		}), ops...)
		if arrived {
			must(t, err)
			wantAll(t, s, l)
		} else {
			wantErr(t, err, ErrUnreachable, "")
			wantUntouched(t, s, l)
		}
	}
}

func TestApplyAllLockLost(t *testing.T) {
	f := localFixture(t)
	s, l := f.dirs(t), f.layout()
	ops := bigChange(t, s, l)
	stolen := false
	err := ApplyAll(t.Context(), small(s, func(op Op) error {
		if op.Path == l.PhysicalPlan("t") && !stolen {
			stolen = true
			return s.Apply(t.Context(), Set(l.Operation("t"), []byte("theirs")))
		}
		return nil
	}), ops...)
	wantErr(t, err, ErrVersion, l.Operation("t"))
	wantGone(t, s, l.Topology("t"))
	wantNode(t, s, l.PhysicalPlan("t"), "pp", 0)
}

func TestApplyAllLeftover(t *testing.T) {
	boom, worse := errors.New("boom"), errors.New("worse")
	f := localFixture(t)
	s, l := f.dirs(t), f.layout()
	ops := bigChange(t, s, l)
	err := ApplyAll(t.Context(), small(s, func(op Op) error {
		switch {
		case op.Path == l.Topology("t"):
			return boom
		case op.Path == l.PackingPlan("t") && op.Kind == OpDelete:
			return worse
		}
		return nil
	}), ops...)
	wantErr(t, err, boom, "")
	wantErr(t, err, worse, "")
	var left *LeftoverError
	if !errors.As(err, &left) || left.Kind() != outcome.LeftBehind || len(left.Paths) != 1 || left.Paths[0] != l.PackingPlan("t") {
		t.Fatalf("got %v, want an error that names %s", err, l.PackingPlan("t"))
	}
	wantNode(t, s, l.Scheduler("t"), "old", -1)
	wantNode(t, s, l.PackingPlan("t"), "p", 0)
}

// TestApplyAllTooLargeForServer uses the real limit: together the nodes are
// above it, each alone is not.
func TestApplyAllTooLargeForServer(t *testing.T) {
	f := zkFixture(t)
	s, l := f.dirs(t), f.layout()
	half := []byte(strings.Repeat("x", 600<<10))
	ops := []Op{Create(l.PackingPlan("t"), half), Create(l.Topology("t"), half)}
	wantErr(t, s.Apply(t.Context(), ops...), ErrTooLarge, "")
	must(t, ApplyAll(t.Context(), s, ops...))
	must(t, DeleteTopology(t.Context(), s, l, "t", false))
	ops[1].Data = []byte(strings.Repeat("x", 1200<<10))
	wantErr(t, ApplyAll(t.Context(), s, ops...), ErrTooLarge, "")
	wantGone(t, s, l.PackingPlan("t"), l.Topology("t"))
}
