package localfs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// TestCrash stops a transaction at each of its steps, as the death of
// the process would, and has another store look.
func TestCrash(t *testing.T) {
	for stop := 1; ; stop++ {
		f := fixture(t)
		s, l := newTree(t, f), f.Layout()
		kept, gone := l.Topology("kept"), l.Topology("gone")
		must(t, s.Apply(t.Context(), statemgr.Create(kept, []byte("old")), statemgr.Create(gone, []byte("x"))))
		count := 0
		s.step = func() error {
			if count++; count >= stop {
				return errStopped
			}
			return nil
		}
		err := s.Apply(t.Context(), statemgr.Create(l.PackingPlan("t"), []byte("p")), statemgr.Set(kept, []byte("new")),
			statemgr.Delete(gone), statemgr.Create(l.Locks("t"), nil), statemgr.Create(l.Locks("t")+"/c", []byte("c")))
		if err == nil {
			if stop < 10 {
				t.Fatalf("the transaction has only %d steps", stop-1)
			}
			return
		}
		wantErr(t, err, errStopped, "")

		after := f.Open(t)
		n, err := after.Read(t.Context(), kept)
		must(t, err)
		if string(n.Data) == "new" {
			wantNode(t, after, kept, "new", 1)
			wantNode(t, after, l.PackingPlan("t"), "p", 0)
			wantNode(t, after, l.Locks("t")+"/c", "c", 0)
			wantGone(t, after, gone)
		} else {
			wantNode(t, after, kept, "old", 0)
			wantNode(t, after, gone, "x", 0)
			wantGone(t, after, l.PackingPlan("t"), l.Locks("t"))
		}
		if left, _ := filepath.Glob(filepath.Join(f.Root, hiddenDir, "journal*")); len(left) > 0 {
			t.Fatalf("stopped at %d: %v is still there", stop, left)
		}
		must(t, after.Apply(t.Context(), statemgr.Set(kept, []byte("newer")).At(n.Version)))
	}
}

// TestUndo has a change fail that is not the first.
func TestUndo(t *testing.T) {
	f := fixture(t)
	s, l := newTree(t, f), f.Layout()
	must(t, s.Apply(t.Context(), statemgr.Create(l.Topology("t"), []byte("old"))))
	full := errors.New("disk full")
	count := 0
	s.step = func() error {
		if count++; count == 8 { // in the second change
			return full
		}
		return nil
	}
	wantErr(t, s.Apply(t.Context(), statemgr.Set(l.Topology("t"), []byte("new")), statemgr.Create(l.PackingPlan("t"), []byte("p"))), full, "")
	s.step = nil
	wantNode(t, f.Open(t), l.Topology("t"), "old", 0)
	wantGone(t, f.Open(t), l.PackingPlan("t"))
}

// TestForeignJournal: what somebody else changed since is not undone by
// finishing a dead process's transaction.
func TestForeignJournal(t *testing.T) {
	f := fixture(t)
	s, l := newTree(t, f), f.Layout()
	count := 0
	s.step = func() error {
		if count++; count >= 3 { // the journal is in place
			return errStopped
		}
		return nil
	}
	a, b := l.PackingPlan("t"), l.Topology("t")
	wantErr(t, s.Apply(t.Context(), statemgr.Create(a, []byte("ours")), statemgr.Create(b, []byte("ours"))), errStopped, "")
	must(t, os.WriteFile(b, []byte("theirs"), 0o666))
	wantNode(t, f.Open(t), a, "ours", 0)
	wantNode(t, f.Open(t), b, "theirs", -1)
}

// TestOthersWrite: Heron's processes and other clients know nothing of
// versions and locks.
func TestOthersWrite(t *testing.T) {
	f := fixture(t)
	s, p := f.Tree(t), f.Layout().PhysicalPlan("t")
	must(t, os.WriteFile(p, []byte("one"), 0o666))
	first := wantNode(t, s, p, "one", 0)

	must(t, os.WriteFile(p, []byte("two"), 0o666))
	wantErr(t, f.Open(t).Apply(t.Context(), statemgr.Set(p, []byte("x")).At(first.Version)), statemgr.ErrVersion, p)
	second := wantNode(t, f.Open(t), p, "two", first.Version+1)
	if second.Created != first.Created {
		t.Error("a file written in place counts as a new node")
	}

	must(t, os.Remove(p))
	wantGone(t, s, p)
	must(t, os.WriteFile(p, []byte("two"), 0o666))
	if n := wantNode(t, s, p, "two", 0); n.Created == first.Created {
		t.Error("a file made again counts as the same node")
	}

	must(t, s.Apply(t.Context(), statemgr.Set(p, []byte("three"))))
	if data, err := os.ReadFile(p); err != nil || string(data) != "three" {
		t.Errorf("others read %q, %v", data, err)
	}
}

func TestEmptyFile(t *testing.T) {
	f := fixture(t)
	s, l, ctx := f.Tree(t), f.Layout(), t.Context()
	p := l.Topology("t")
	must(t, os.WriteFile(p, nil, 0o666))
	wantGone(t, s, p)
	wantErr(t, s.Apply(ctx, statemgr.Set(p, []byte("x"))), statemgr.ErrNotFound, p)
	must(t, s.Apply(ctx, statemgr.Create(p, []byte("x"))))
	wantNode(t, s, p, "x", 0)
	must(t, os.WriteFile(p, nil, 0o666))
	must(t, s.DeleteTopology(ctx, "t", false))
	if _, err := os.Stat(p); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the empty file stays after a deletion: %v", err)
	}
}

func TestNoFolder(t *testing.T) {
	f := fixture(t)
	s, p := f.Open(t), f.Layout().Topology("t")
	wantGone(t, s, p)
	wantErr(t, s.Apply(t.Context(), statemgr.Create(p, []byte("x"))), statemgr.ErrNotFound, p)
	if _, err := os.Stat(f.Root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made by reading it: %v", err)
	}
	var invalid *statemgr.InvalidError
	must(t, os.WriteFile(f.Root, []byte("x"), 0o666))
	if _, err := Open(f.Root); !errors.As(err, &invalid) {
		t.Errorf("open of a file: %v", err)
	}
	if _, err := Open("relative"); !errors.As(err, &invalid) {
		t.Errorf("open of a relative path: %v", err)
	}
}

func TestWaitsForLock(t *testing.T) {
	f := fixture(t)
	s, p := f.Tree(t), f.Layout().Topology("t")
	must(t, s.Apply(t.Context(), statemgr.Create(p, []byte("x"))))
	held, err := os.OpenFile(filepath.Join(f.Root, hiddenDir, "lock"), os.O_RDWR, 0)
	must(t, err)
	must(t, unix.Flock(int(held.Fd()), unix.LOCK_EX))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Read(ctx, p)
	wantErr(t, err, context.DeadlineExceeded, "")
	read := make(chan error, 1)
	go func() { _, err := s.Read(t.Context(), p); read <- err }()
	must(t, held.Close())
	must(t, <-read)
}

func TestLostIndex(t *testing.T) {
	f := fixture(t)
	s, p := f.Tree(t), f.Layout().Topology("t")
	must(t, s.Apply(t.Context(), statemgr.Create(p, []byte("x")), statemgr.Set(p, []byte("y"))))
	must(t, os.WriteFile(filepath.Join(f.Root, hiddenDir, "index.json"), []byte("garbage"), 0o666))
	wantNode(t, s, p, "y", 0)
}
