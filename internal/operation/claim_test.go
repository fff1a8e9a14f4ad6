package operation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/localfs"
)

// newTree is a state store in a folder, as one process has it open.
func newTree(t *testing.T, root string) statemgr.Tree {
	t.Helper()
	store, err := localfs.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return statemgr.Tree{Store: store, Layout: statemgr.Layout{Root: root}}
}

func intentOf(name string) statemgr.Intent {
	return statemgr.Intent{
		Operation: name, Step: "one", Steps: []string{"one", "two", "three"}, TopologyID: "wc1",
		Owner: statemgr.NewOwner(name, "ann", time.Now()),
	}
}

func take(t *testing.T, tree statemgr.Tree, name string, found *operation.Pending) *operation.Claim {
	t.Helper()
	c, err := operation.Take(t.Context(), tree, nil, "wc", intentOf(name), found)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func find(t *testing.T, tree statemgr.Tree) *operation.Pending {
	t.Helper()
	found, err := operation.Find(t.Context(), tree, "wc")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEveryOperationIsFoundWhileItLivesAndAfterItsDeath(t *testing.T) {
	for _, name := range statemgr.Operations() {
		root := t.TempDir()
		dying, other := newTree(t, root), newTree(t, root)
		if found := find(t, other); found != nil {
			t.Fatalf("%s: found %+v before it began", name, found)
		}
		take(t, dying, name, nil)
		if found := find(t, other); found == nil || !found.Alive || found.Intent.Operation != name {
			t.Fatalf("%s: found %+v while it lives", name, found)
		}
		var busy *operation.BusyError
		if _, err := operation.Take(t.Context(), other, nil, "wc", intentOf("kill"), nil); !errors.As(err, &busy) || outcome.KindOf(err) != outcome.Busy {
			t.Errorf("%s: a second claim: %v", name, err)
		}
		if err := dying.Close(); err != nil {
			t.Fatal(err)
		}
		found := find(t, other)
		if found == nil || found.Alive {
			t.Fatalf("%s: found %+v after its death", name, found)
		}
		next := take(t, other, "kill", found)
		if err := next.Finish(t.Context(), nil); err != nil {
			t.Errorf("%s: finish the next: %v", name, err)
		}
		if found := find(t, other); found != nil {
			t.Errorf("%s: found %+v at the end", name, found)
		}
	}
}

func TestALostClaimWritesNothingMore(t *testing.T) {
	root := t.TempDir()
	tree, other := newTree(t, root), newTree(t, root)
	c := take(t, tree, "update", nil)
	if c.Lost(t.Context()) {
		t.Fatal("lost at once")
	}
	// The servers take the process for dead, and another takes over.
	if err := other.Apply(t.Context(), statemgr.Delete(other.Owner("wc", c.Intent().Owner.Token))); err != nil {
		t.Fatal(err)
	}
	take(t, other, "kill", find(t, other))

	path := tree.Topology("wc")
	err := c.Seen(tree.Apply(t.Context(), append(c.Guards(), statemgr.Create(path, []byte("x")))...))
	var lost *operation.LostError
	if !errors.As(err, &lost) || !c.Lost(t.Context()) {
		t.Errorf("a guarded write: %v", err)
	}
	if _, err := tree.Read(t.Context(), path); !errors.Is(err, statemgr.ErrNotFound) {
		t.Errorf("it was written: %v", err)
	}
	if err := c.Finish(t.Context(), errBroken); !errors.As(err, &lost) {
		t.Errorf("finish: %v", err)
	}
	if found := find(t, other); found == nil || !found.Alive || found.Intent.Operation != "kill" {
		t.Errorf("the other's claim is %+v", found)
	}
}

func TestTheIntentNamesTheStep(t *testing.T) {
	tree := newTree(t, t.TempDir())
	c := take(t, tree, "restart", nil)
	var seen []string
	step := func(mark string) operation.Step {
		return operation.Step{Mark: mark, Action: operation.Write, Of: thing(mark), Do: func(context.Context) error {
			seen = append(seen, find(t, tree).Intent.Step)
			c.Note(func(i *statemgr.Intent) { i.Package.URI = "after " + mark })
			return nil
		}}
	}
	if _, err := (operation.Run{Steps: []operation.Step{step("one"), step("three"), step("two")}, Claim: c}).Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	// It never goes back: "two" is behind "three".
	if len(seen) != 3 || seen[0] != "one" || seen[1] != "three" || seen[2] != "three" {
		t.Errorf("the intent named %v", seen)
	}
	if uri := find(t, tree).Intent.Package.URI; uri != "after three" {
		t.Errorf("the note that came with the last step is %q", uri)
	}
}

func TestTheIntentStaysWhereSomethingIsLeft(t *testing.T) {
	left := func(byHand bool) error {
		return &operation.Failure{Err: errBroken, Left: []outcome.Leftover{{Resource: thing("x"), ByHand: byHand}}, Remedy: &outcome.Remedy{}}
	}
	for _, c := range []struct {
		name  string
		err   error
		stays bool
	}{
		{"a success", nil, false},
		{"a plain failure", errBroken, false},
		{"everything undone", &operation.Failure{Err: errBroken}, false},
		{"something left", left(false), true},
		{"something left that no command can remove", left(true), false},
	} {
		tree := newTree(t, t.TempDir())
		err := take(t, tree, "submit", nil).Finish(t.Context(), c.err)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.name, err)
		}
		found := find(t, tree)
		if (found != nil) != c.stays || found != nil && found.Alive {
			t.Errorf("%s: found %+v", c.name, found)
		}
	}
}

// What has to be continued keeps its intent, and says so.
func TestAnIntentThatIsKept(t *testing.T) {
	remedy := outcome.Remedy{Action: outcome.Repeat, Topology: "wc"}
	for _, err := range []error{errBroken, &operation.Failure{Err: errBroken, Left: []outcome.Leftover{{Resource: thing("x")}}, Remedy: &remedy}} {
		tree := newTree(t, t.TempDir())
		kept := take(t, tree, "submit", nil).Keep(t.Context(), "take back", remedy, err)
		var f *operation.Failure
		if !errors.As(kept, &f) || !errors.Is(kept, errBroken) || f.Left[len(f.Left)-1].Kind != outcome.Claim || f.Remedy == nil || outcome.KindOf(kept) != outcome.LeftBehind {
			t.Errorf("%v: %+v", err, kept)
		}
		if found := find(t, tree); found == nil || found.Alive {
			t.Errorf("%v: found %+v", err, found)
		}
	}
	lost := &operation.LostError{Topology: "wc"}
	if err := take(t, newTree(t, t.TempDir()), "submit", nil).Keep(t.Context(), "take back", remedy, lost); !errors.Is(err, lost) || errors.As(err, new(*operation.Failure)) {
		t.Errorf("%v", err)
	}
}

// A wait ends with the operation that is waited for, not with the topology's
// being free: another operation may have begun.
func TestAwaitFree(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, held *operation.Claim, tree statemgr.Tree){
		"finished": func(t *testing.T, held *operation.Claim, _ statemgr.Tree) {
			if err := held.Finish(t.Context(), nil); err != nil {
				t.Error(err)
			}
		},
		"died": func(t *testing.T, held *operation.Claim, _ statemgr.Tree) { held.Release(t.Context()) },
		"followed by another": func(t *testing.T, held *operation.Claim, tree statemgr.Tree) {
			held.Release(t.Context())
			take(t, tree, "kill", find(t, tree))
		},
	} {
		root := t.TempDir()
		tree, other := newTree(t, root), newTree(t, root)
		held := take(t, tree, "update", nil)
		busy := &operation.BusyError{Topology: "wc", Owner: held.Intent().Owner}
		said := make(chan progress.Event, 1)
		ended := make(chan error, 1)
		go func() {
			ended <- operation.AwaitFree(t.Context(), other, func(e progress.Event) { said <- e }, busy)
		}()
		if e := <-said; !strings.Contains(e.Err.Error(), "update of user ann") {
			t.Errorf("%s: said %+v", name, e)
		}
		select {
		case err := <-ended:
			t.Fatalf("%s: ended before its time: %v", name, err)
		default:
		}
		end(t, held, tree)
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAwaitFreeEndsWithItsTime(t *testing.T) {
	tree := newTree(t, t.TempDir())
	take(t, tree, "update", nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	// Who began at the same moment is not known.
	if err := operation.AwaitFree(ctx, tree, nil, &operation.BusyError{Topology: "wc"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := operation.AwaitFree(t.Context(), tree, nil, &operation.BusyError{Topology: "other"}); err != nil {
		t.Errorf("nothing to wait for: %v", err)
	}
}
