package statemgrtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// small returns a tree whose store takes one change at a time, besides checks.
func small(tree statemgr.Tree, also func(op statemgr.Op) error) statemgr.Tree {
	tree.Store = &meddler{Store: tree.Store, before: func(ops []statemgr.Op) error {
		var changes []statemgr.Op
		for _, op := range ops {
			if op.Kind != statemgr.OpCheck {
				changes = append(changes, op)
			}
		}
		if len(changes) > 1 {
			return statemgr.ErrTooLarge
		}
		if also != nil && len(changes) == 1 {
			return also(changes[0])
		}
		return nil
	}}
	return tree
}

// applyAll applies ops to a small tree.
func applyAll(ctx context.Context, tree statemgr.Tree, ops []statemgr.Op, also func(statemgr.Op) error) error {
	return small(tree, also).ApplyAll(ctx, ops...)
}

// bigChange is a change of every kind below one lock.
func bigChange(t *testing.T, s statemgr.Tree) []statemgr.Op {
	t.Helper()
	Must(t, s.Apply(t.Context(), statemgr.Create(s.Operation("t"), []byte("mine")),
		statemgr.Create(s.Scheduler("t"), []byte("old")), statemgr.Create(s.PhysicalPlan("t"), []byte("pp"))))
	return []statemgr.Op{
		statemgr.Check(s.Operation("t")).At(0), statemgr.Create(s.PackingPlan("t"), []byte("p")), statemgr.Set(s.Scheduler("t"), []byte("new")),
		statemgr.Delete(s.PhysicalPlan("t")), statemgr.Create(s.Topology("t"), []byte("d")),
	}
}

func wantUntouched(t *testing.T, s statemgr.Tree) {
	t.Helper()
	WantNode(t, s, s.Operation("t"), "mine", 0)
	WantNode(t, s, s.Scheduler("t"), "old", -1)
	WantNode(t, s, s.PhysicalPlan("t"), "pp", -1)
	WantGone(t, s, s.PackingPlan("t"), s.Topology("t"))
}

func wantAll(t *testing.T, s statemgr.Tree) {
	t.Helper()
	WantNode(t, s, s.PackingPlan("t"), "p", 0)
	WantNode(t, s, s.Scheduler("t"), "new", 1)
	WantNode(t, s, s.Topology("t"), "d", 0)
	WantGone(t, s, s.PhysicalPlan("t"))
}

func testApplyAllInOrder(t *testing.T, f Fixture) {
	s := f.Tree(t)
	ops := bigChange(t, s)
	var order []string
	Must(t, applyAll(t.Context(), s, ops, func(op statemgr.Op) error { order = append(order, op.Path); return nil }))
	wantAll(t, s)
	want := []string{s.PackingPlan("t"), s.Scheduler("t"), s.PhysicalPlan("t"), s.Topology("t")}
	if strings.Join(order, " ") != strings.Join(want, " ") {
		t.Errorf("order %v, want %v", order, want)
	}
}

func testApplyAllFits(t *testing.T, f Fixture) {
	s := f.Tree(t)
	ops := bigChange(t, s)
	Must(t, s.ApplyAll(t.Context(), ops...))
	wantAll(t, s)
	WantErr(t, s.ApplyAll(t.Context(), ops...), statemgr.ErrExists, s.PackingPlan("t"))
}

// testApplyAllFails has each operation in turn fail, and checks that nothing
// is left of those before.
func testApplyAllFails(t *testing.T, f Fixture) {
	boom := errors.New("boom")
	s := f.Tree(t)
	ops := bigChange(t, s)
	for _, bad := range ops[1:] {
		failed := false
		err := applyAll(t.Context(), s, ops, func(op statemgr.Op) error {
			if op.Path == bad.Path && op.Kind == bad.Kind && !failed {
				failed = true
				return boom
			}
			return nil
		})
		WantErr(t, err, boom, "")
		wantUntouched(t, s)
	}
}

func testApplyAllInterrupted(t *testing.T, f Fixture) {
	s := f.Tree(t)
	ops := bigChange(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := applyAll(ctx, s, ops, func(op statemgr.Op) error {
		if op.Path == s.PhysicalPlan("t") {
			cancel()
		}
		return nil
	})
	WantErr(t, err, context.Canceled, "")
	wantUntouched(t, s)
}

// testApplyAllLostAnswer: an operation that was done although its answer was
// lost counts as done; one that was not is undone with the others.
func testApplyAllLostAnswer(t *testing.T, f Fixture) {
	s := f.Tree(t)
	ops := bigChange(t, s)
	for _, arrived := range []bool{false, true} {
		err := applyAll(t.Context(), s, ops, func(op statemgr.Op) error {
			if op.Kind != statemgr.OpSet || string(op.Data) != "new" {
				return nil
			}
			if arrived {
				Must(t, s.Apply(t.Context(), op))
			}
			return statemgr.ErrUnreachable
		})
		if arrived {
			Must(t, err)
			wantAll(t, s)
		} else {
			WantErr(t, err, statemgr.ErrUnreachable, "")
			wantUntouched(t, s)
		}
	}
}

func testApplyAllLockLost(t *testing.T, f Fixture) {
	s := f.Tree(t)
	ops := bigChange(t, s)
	stolen := false
	err := applyAll(t.Context(), s, ops, func(op statemgr.Op) error {
		if op.Path == s.PhysicalPlan("t") && !stolen {
			stolen = true
			return s.Apply(t.Context(), statemgr.Set(s.Operation("t"), []byte("theirs")))
		}
		return nil
	})
	WantErr(t, err, statemgr.ErrVersion, s.Operation("t"))
	WantGone(t, s, s.Topology("t"))
	WantNode(t, s, s.PhysicalPlan("t"), "pp", 0)
}

func testApplyAllLeftover(t *testing.T, f Fixture) {
	boom, worse := errors.New("boom"), errors.New("worse")
	s := f.Tree(t)
	ops := bigChange(t, s)
	err := applyAll(t.Context(), s, ops, func(op statemgr.Op) error {
		switch {
		case op.Path == s.Topology("t"):
			return boom
		case op.Path == s.PackingPlan("t") && op.Kind == statemgr.OpDelete:
			return worse
		}
		return nil
	})
	WantErr(t, err, boom, "")
	WantErr(t, err, worse, "")
	var left *statemgr.LeftoverError
	if !errors.As(err, &left) || left.Kind() != outcome.LeftBehind || len(left.Paths) != 1 || left.Paths[0] != s.PackingPlan("t") {
		t.Fatalf("got %v, want an error that names %s", err, s.PackingPlan("t"))
	}
	WantNode(t, s, s.Scheduler("t"), "old", -1)
	WantNode(t, s, s.PackingPlan("t"), "p", 0)
}
