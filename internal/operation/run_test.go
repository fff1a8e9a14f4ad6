package operation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

var errBroken = errors.New("broken on purpose")

func thing(id string) outcome.Resource { return outcome.Resource{Kind: outcome.Node, ID: id} }

// script makes steps that log what is called. A step fails where its name is
// in fails, its undo where "undo " and its name is.
type script struct {
	log   []string
	fails map[string]error
}

func (s *script) call(name string) error {
	s.log = append(s.log, name)
	return s.fails[name]
}

func (s *script) makes(id string) operation.Step {
	return operation.Step{
		Action: operation.Write, Of: thing(id),
		Do:   func(context.Context) error { return s.call(id) },
		Undo: func(context.Context) (bool, error) { return true, s.call("undo " + id) },
	}
}

func (s *script) removes(id string) operation.Step {
	return operation.Step{
		Action: operation.Remove, Of: thing(id), Removes: true,
		Do: func(context.Context) error { return s.call(id) },
	}
}

func ids[T any](list []T, id func(T) string) string {
	var all []string
	for _, x := range list {
		all = append(all, id(x))
	}
	return strings.Join(all, " ")
}

// TestAftermathOfAChange: where something ran before, it is not said to be
// gone, neither by the steps that bring it back nor at the end.
func TestAftermathOfAChange(t *testing.T) {
	s := &script{fails: map[string]error{"c": errBroken}}
	a, b, c := s.makes("a"), s.makes("b"), s.makes("c")
	a.PutsBack, b.PutsBack, c.Of = true, true, thing("a")
	var said []string
	_, err := operation.Run{
		Steps: []operation.Step{a, b, c}, UndoLimit: time.Minute, Base: "version 6 is in place, as before",
		Progress: func(e progress.Event) {
			if e.State == progress.Ended {
				said = append(said, e.Step+" "+e.What.ID)
			}
		},
	}.Do(t.Context())
	if got := strings.Join(said, ", "); got != "remove a, put back b, put back a" {
		t.Errorf("said %s", got)
	}
	var f *operation.Failure
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	if want := "; undone: node a, node b; version 6 is in place, as before"; f.Aftermath() != want {
		t.Errorf("%q, want %q", f.Aftermath(), want)
	}
	f.Done = []outcome.Resource{thing("d")}
	if got := f.Aftermath(); strings.Contains(got, "as before") || strings.Contains(got, "nothing is left") {
		t.Errorf("half done: %q", got)
	}
}

func TestRunUndoesInReverse(t *testing.T) {
	s := &script{fails: map[string]error{"c": errBroken, "undo a": errors.New("stuck")}}
	run := operation.Run{
		Steps:  []operation.Step{s.makes("a"), s.makes("b"), s.makes("c"), s.makes("d")},
		Remedy: outcome.Remedy{Action: outcome.Kill, Topology: "t"}, UndoLimit: time.Minute,
	}
	_, err := run.Do(t.Context())
	if got := strings.Join(s.log, ", "); got != "a, b, c, undo c, undo b, undo a" {
		t.Errorf("called %s", got)
	}
	var f *operation.Failure
	if !errors.As(err, &f) || !errors.Is(err, errBroken) || f.Of != thing("c") || f.Kind() != outcome.LeftBehind {
		t.Fatalf("%v, %+v", err, f)
	}
	undone, left := ids(f.Undone, func(r outcome.Resource) string { return r.ID }), ids(f.Left, func(l outcome.Leftover) string { return l.ID + " (" + l.Why + ")" })
	if undone != "c b" || left != "a (stuck)" || f.Remedy == nil || f.Remedy.Topology != "t" {
		t.Errorf("undone %s, left %s, remedy %v", undone, left, f.Remedy)
	}
	if want := "write the node c: broken on purpose"; f.Error() != want {
		t.Errorf("%q, want %q", f.Error(), want)
	}
}

func TestRunThatOnlyRemoves(t *testing.T) {
	for _, c := range []struct {
		fails         string
		kind          outcome.Kind
		removed, left string
	}{
		{"a", outcome.Unreachable, "", ""},
		{"b", outcome.LeftBehind, "a", "b c"},
		{"c", outcome.LeftBehind, "a b", "c"},
		{"", "", "a b c", ""},
	} {
		s := &script{fails: map[string]error{c.fails: outcome.New(outcome.Unreachable, "away")}}
		done, err := operation.Run{Steps: []operation.Step{s.removes("a"), s.removes("b"), s.removes("c")}}.Do(t.Context())
		if kind := outcome.KindOf(err); kind != c.kind {
			t.Errorf("%q fails: kind %q, want %q: %v", c.fails, kind, c.kind, err)
		}
		removed, left := done.Removed, ""
		var f *operation.Failure
		if errors.As(err, &f) {
			removed, left = f.Removed, ids(f.Left, func(l outcome.Leftover) string { return l.ID })
		}
		if got := ids(removed, func(r outcome.Resource) string { return r.ID }); got != c.removed || left != c.left {
			t.Errorf("%q fails: removed %q, left %q, want %q and %q", c.fails, got, left, c.removed, c.left)
		}
	}
}

func TestRunKeepsWhatCannotBeRemoved(t *testing.T) {
	for foreign, kind := range map[bool]outcome.Kind{false: "", true: outcome.LeftBehind} {
		s := &script{fails: map[string]error{"a": &operation.KeptError{Err: errBroken, Foreign: foreign}}}
		var warned []progress.Event
		run := operation.Run{
			Steps:    []operation.Step{s.removes("a"), s.removes("b")},
			Progress: func(e progress.Event) { warned = append(warned, e) },
		}
		done, err := run.Do(t.Context())
		if outcome.KindOf(err) != kind || len(done.Kept) != 1 || done.Kept[0].Resource != thing("a") || !slices.Equal(done.Removed, []outcome.Resource{thing("b")}) {
			t.Errorf("foreign %v: %+v, %v", foreign, done, err)
		}
		if !slices.ContainsFunc(warned, func(e progress.Event) bool { return e.State == progress.Warned && errors.Is(e.Err, errBroken) }) {
			t.Errorf("foreign %v: no warning in %+v", foreign, warned)
		}
	}
}

// leftError is how a step fails that could not take back its own parts.
type leftError struct{ error }

func (leftError) Leftovers() []outcome.Leftover {
	return []outcome.Leftover{{Resource: thing("part"), Why: "no answer"}}
}

func TestRunNamesWhatAStepLeft(t *testing.T) {
	s := &script{fails: map[string]error{"a": fmt.Errorf("twice: %w", leftError{errBroken}), "undo a": nil}}
	step := s.makes("a")
	step.Undo = func(context.Context) (bool, error) { return false, nil }
	step.LeftByHand = true
	_, err := operation.Run{Steps: []operation.Step{step}, UndoLimit: time.Minute}.Do(t.Context())
	var f *operation.Failure
	if !errors.As(err, &f) || len(f.Left) != 1 || f.Left[0].ID != "part" || !f.Left[0].ByHand {
		t.Errorf("%v, %+v", err, f)
	}
	step.Undo = func(context.Context) (bool, error) { return true, nil }
	if _, err = (operation.Run{Steps: []operation.Step{step}, UndoLimit: time.Minute}).Do(t.Context()); !errors.As(err, &f) || len(f.Left) > 0 {
		t.Errorf("undone: %v, %+v", err, f)
	}
}

func TestRunUndoesWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &script{}
	interrupted := s.makes("b")
	interrupted.Do = func(context.Context) error { cancel(); return nil }
	_, err := operation.Run{Steps: []operation.Step{s.makes("a"), interrupted, s.makes("c")}, UndoLimit: time.Minute}.Do(ctx)
	if outcome.KindOf(err) != outcome.Interrupted || strings.Join(s.log, ", ") != "a, undo c, undo b, undo a" {
		t.Errorf("%v; called %s", err, strings.Join(s.log, ", "))
	}
}

// doneError is how a step fails that had done a part of its work.
type doneError struct{ error }

func (doneError) Done() []outcome.Resource { return []outcome.Resource{thing("part")} }

// What a run without undo has changed stays, and the failure names it.
func TestRunThatContinuesLater(t *testing.T) {
	for _, c := range []struct {
		fails string
		err   error
		kind  outcome.Kind
		done  string
	}{
		{"a", outcome.New(outcome.Unreachable, "away"), outcome.Unreachable, ""},
		{"a", doneError{errBroken}, outcome.LeftBehind, "part"},
		{"b", errBroken, outcome.LeftBehind, "a"},
		{"c", doneError{errBroken}, outcome.LeftBehind, "a b part"},
		{"a", context.Canceled, outcome.Interrupted, ""},
		{"b", context.Canceled, outcome.LeftBehind, "a"},
	} {
		s := &script{fails: map[string]error{c.fails: c.err}}
		var steps []operation.Step
		for _, id := range []string{"a", "b", "c"} {
			steps = append(steps, operation.Step{Action: operation.Restart, Of: thing(id), Stays: true, Do: func(context.Context) error { return s.call(id) }})
		}
		_, err := operation.Run{Steps: steps, Remedy: outcome.Remedy{Action: outcome.Repeat}}.Do(t.Context())
		done := ""
		var f *operation.Failure
		if errors.As(err, &f) {
			done = ids(f.Done, func(r outcome.Resource) string { return r.ID })
			if f.Remedy.Action != outcome.Repeat {
				t.Errorf("%s: remedy %v", c.fails, f.Remedy)
			}
		} else if !strings.Contains(fmt.Sprint(err), "nothing was changed") {
			t.Errorf("%s fails: %v", c.fails, err)
		}
		if kind := outcome.KindOf(err); kind != c.kind || done != c.done {
			t.Errorf("%s fails with %v: kind %q, done %q; want %q and %q", c.fails, c.err, kind, done, c.kind, c.done)
		}
	}
}
