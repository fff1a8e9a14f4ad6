package statemgrtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Conformance tests what every Store does, and what needs no more than a
// Store. make returns an empty tree for each test.
func Conformance(t *testing.T, make func(testing.TB) Fixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Fixture)
	}{
		{"directories are made with their parents, repeatedly", testEnsureDirs},
		{"several clients make directories at once", testEnsureDirsTogether},
		{"create, read, set, delete and versions", testLife},
		{"a node without data is a directory", testDirectory},
		{"a refused operation undoes the whole transaction and is named", testAtomic},
		{"operations see what those before them did", testOrder},
		{"versions guard", testVersions},
		{"a node made again is another one", testCreated},
		{"versions are the same for everyone", testShared},
		{"children are sorted", testChildren},
		{"of many creators one wins", testRace},
		{"no increment is lost", testIncrements},
		{"bad paths and operations are refused", testInvalid},
		{"a context that has ended", testCancelled},
		{"large data", testLarge},
		{"data are bytes", testBytes},
		{"a node that is held", testHold},
		{"of many holders one wins", testHoldRace},
		{"rights are checked without a change", testRights},
		{"several nodes are read at once", testReadAll},
		{"close", testClose},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, make(t)) })
	}
}

func testEnsureDirs(t *testing.T, f Fixture) {
	s, l := f.Open(t), f.Layout()
	WantGone(t, s, l.Root)
	deep := l.Root + "/a/b/c"
	for range 2 {
		Must(t, s.EnsureDirs(t.Context(), append(l.Dirs(), deep)...))
	}
	for _, d := range append(l.Dirs(), deep) {
		if n := WantNode(t, s, d, "", 0); n.Ephemeral {
			t.Errorf("%s is ephemeral", d)
		}
	}
	Must(t, s.Apply(t.Context(), statemgr.Create(l.Topology("t"), []byte("x"))))
	Must(t, s.EnsureDirs(t.Context(), l.Dirs()...))
	WantNode(t, s, l.Topology("t"), "x", 0)
	Must(t, s.EnsureDirs(t.Context()))
}

func testEnsureDirsTogether(t *testing.T, f Fixture) {
	together(t, 8, f.Open, func(_ int, s statemgr.Store) error { return s.EnsureDirs(t.Context(), f.Layout().Dirs()...) })
	s := f.Open(t)
	for _, d := range f.Layout().Dirs() {
		WantNode(t, s, d, "", 0)
	}
}

// together runs f n times at once, each with a store of its own.
func together(t *testing.T, n int, open func(testing.TB) statemgr.Store, f func(i int, s statemgr.Store) error) {
	t.Helper()
	stores := make([]statemgr.Store, n)
	for i := range stores {
		stores[i] = open(t)
	}
	var wait sync.WaitGroup
	errs := make([]error, n)
	for i, s := range stores {
		wait.Go(func() { errs[i] = f(i, s) })
	}
	wait.Wait()
	Must(t, errors.Join(errs...))
}

func testLife(t *testing.T, f Fixture) {
	s, ctx, p := f.Tree(t), t.Context(), f.Layout().PackingPlan("t")
	WantGone(t, s, p)
	WantErr(t, s.Apply(ctx, statemgr.Set(p, []byte("x"))), statemgr.ErrNotFound, p)
	WantErr(t, s.Apply(ctx, statemgr.Delete(p)), statemgr.ErrNotFound, p)
	WantErr(t, s.Apply(ctx, statemgr.Check(p)), statemgr.ErrNotFound, p)

	Must(t, s.Apply(ctx, statemgr.Create(p, []byte("one"))))
	if n := WantNode(t, s, p, "one", 0); n.Ephemeral || n.Created == 0 {
		t.Errorf("a new node is %+v", n)
	}
	WantErr(t, s.Apply(ctx, statemgr.Create(p, []byte("other"))), statemgr.ErrExists, p)
	Must(t, s.Apply(ctx, statemgr.Set(p, []byte("two"))))
	WantNode(t, s, p, "two", 1)
	Must(t, s.Apply(ctx, statemgr.Set(p, []byte("two"))))
	WantNode(t, s, p, "two", 2)
	Must(t, s.Apply(ctx, statemgr.Check(p)))
	WantNode(t, s, p, "two", 2)
	Must(t, s.Apply(ctx, statemgr.Delete(p)))
	WantGone(t, s, p)
	Must(t, s.Apply(ctx))
}

func testDirectory(t *testing.T, f Fixture) {
	s, ctx, dir := f.Tree(t), t.Context(), f.Layout().Locks("t")
	child := dir + "/leases"
	WantErr(t, s.Apply(ctx, statemgr.Create(child, []byte("x"))), statemgr.ErrNotFound, child)
	Must(t, s.Apply(ctx, statemgr.Create(dir, nil), statemgr.Create(child, []byte("x"))))
	WantNode(t, s, dir, "", 0)
	WantErr(t, s.Apply(ctx, statemgr.Create(dir, nil)), statemgr.ErrExists, dir)
	WantErr(t, s.Apply(ctx, statemgr.Delete(dir)), statemgr.ErrNotEmpty, dir)
	WantErr(t, s.Apply(ctx, statemgr.Delete(dir), statemgr.Delete(child)), statemgr.ErrNotEmpty, dir)
	Must(t, s.Apply(ctx, statemgr.Check(dir), statemgr.Delete(child), statemgr.Delete(dir)))
	WantGone(t, s, dir, child)
}

func testAtomic(t *testing.T, f Fixture) {
	s, ctx, l := f.Tree(t), t.Context(), f.Layout()
	there, absent := l.Topology("there"), l.Topology("absent")
	Must(t, s.Apply(ctx, statemgr.Create(there, []byte("old"))))
	good := []statemgr.Op{
		statemgr.Create(l.PackingPlan("t"), []byte("p")), statemgr.Set(there, []byte("new")),
		statemgr.Create(l.Scheduler("t"), []byte("s")), statemgr.Delete(l.Scheduler("t")), statemgr.Create(l.Locks("t"), nil),
	}
	bad := []struct {
		op   statemgr.Op
		want error
	}{
		{statemgr.Create(there, []byte("x")), statemgr.ErrExists},
		{statemgr.Create(l.Root+"/nowhere/t", []byte("x")), statemgr.ErrNotFound},
		{statemgr.Set(absent, []byte("x")), statemgr.ErrNotFound},
		{statemgr.Set(there, []byte("x")).At(7), statemgr.ErrVersion},
		{statemgr.Delete(absent), statemgr.ErrNotFound},
		{statemgr.Delete(l.Root + "/topologies"), statemgr.ErrNotEmpty},
		{statemgr.Delete(there).At(7), statemgr.ErrVersion},
		{statemgr.Check(absent), statemgr.ErrNotFound},
		{statemgr.Check(there).At(7), statemgr.ErrVersion},
	}
	for _, b := range bad {
		for k := range len(good) + 1 {
			err := s.Apply(ctx, slices.Insert(slices.Clone(good), k, b.op)...)
			WantErr(t, err, b.want, b.op.Path)
			if !strings.Contains(err.Error(), b.op.Path) {
				t.Errorf("error %q does not name %s", err, b.op.Path)
			}
			WantNode(t, s, there, "old", 0)
			WantGone(t, s, l.PackingPlan("t"), l.Scheduler("t"), l.Locks("t"))
		}
	}
	Must(t, s.Apply(ctx, good...))
	WantNode(t, s, there, "new", 1)
	WantNode(t, s, l.PackingPlan("t"), "p", 0)
	WantGone(t, s, l.Scheduler("t"))
}

func testOrder(t *testing.T, f Fixture) {
	s, ctx, p := f.Tree(t), t.Context(), f.Layout().Topology("t")
	Must(t, s.Apply(ctx, statemgr.Create(p, []byte("1")), statemgr.Check(p).At(0), statemgr.Set(p, []byte("2")).At(0), statemgr.Check(p).At(1)))
	WantNode(t, s, p, "2", 1)
	Must(t, s.Apply(ctx, statemgr.Delete(p).At(1), statemgr.Create(p, []byte("3")), statemgr.Set(p, []byte("4")).At(0)))
	WantNode(t, s, p, "4", 1)
	Must(t, s.Apply(ctx, statemgr.Delete(p), statemgr.Create(p, nil), statemgr.Create(p+"/c", []byte("5"))))
	WantNode(t, s, p+"/c", "5", 0)
	Must(t, s.Apply(ctx, statemgr.Delete(p+"/c"), statemgr.Delete(p), statemgr.Create(p, []byte("6"))))
	WantNode(t, s, p, "6", 0)
	Must(t, s.Apply(ctx, statemgr.Set(p, []byte("7")), statemgr.Delete(p)))
	WantGone(t, s, p)
}

func testVersions(t *testing.T, f Fixture) {
	s, ctx, p := f.Tree(t), t.Context(), f.Layout().Topology("t")
	Must(t, s.Apply(ctx, statemgr.Create(p, []byte("0"))))
	for v := range 3 {
		WantErr(t, s.Apply(ctx, statemgr.Set(p, []byte("x")).At(v+1)), statemgr.ErrVersion, p)
		Must(t, s.Apply(ctx, statemgr.Check(p).At(v), statemgr.Set(p, fmt.Append(nil, v+1)).At(v)))
		WantErr(t, s.Apply(ctx, statemgr.Check(p).At(v)), statemgr.ErrVersion, p)
		WantErr(t, s.Apply(ctx, statemgr.Delete(p).At(v)), statemgr.ErrVersion, p)
		WantNode(t, s, p, fmt.Sprint(v+1), v+1)
	}
	Must(t, s.Apply(ctx, statemgr.Delete(p).At(3)))
}

func testCreated(t *testing.T, f Fixture) {
	s, ctx, p := f.Tree(t), t.Context(), f.Layout().PhysicalPlan("t")
	Must(t, s.Apply(ctx, statemgr.Create(p, []byte("a"))))
	first := WantNode(t, s, p, "a", 0)
	Must(t, s.Apply(ctx, statemgr.Set(p, []byte("b"))))
	if n := WantNode(t, s, p, "b", 1); n.Created != first.Created {
		t.Errorf("a set changed Created from %d to %d", first.Created, n.Created)
	}
	Must(t, s.Apply(ctx, statemgr.Delete(p)))
	Must(t, s.Apply(ctx, statemgr.Create(p, []byte("a"))))
	if n := WantNode(t, s, p, "a", 0); n.Created == first.Created {
		t.Errorf("a node that was made again has the same Created, %d", n.Created)
	}
}

func testShared(t *testing.T, f Fixture) {
	a, b, p := f.Tree(t), f.Open(t), f.Layout().Topology("t")
	Must(t, a.Apply(t.Context(), statemgr.Create(p, []byte("a"))))
	seen := WantNode(t, b, p, "a", 0)
	Must(t, a.Apply(t.Context(), statemgr.Set(p, []byte("b"))))
	WantErr(t, b.Apply(t.Context(), statemgr.Set(p, []byte("c")).At(seen.Version)), statemgr.ErrVersion, p)
	if n := WantNode(t, b, p, "b", 1); n.Created != seen.Created {
		t.Errorf("Created differs between clients: %d and %d", n.Created, seen.Created)
	}
}

func testChildren(t *testing.T, f Fixture) {
	s, ctx, l := f.Tree(t), t.Context(), f.Layout()
	for _, name := range []string{"b", "a-2", "a", "ä", "Z"} {
		Must(t, s.Apply(ctx, statemgr.Create(l.Topology(name), []byte("x"))))
	}
	for _, c := range []struct {
		path string
		want []string
	}{
		{l.Topologies(), []string{"Z", "a", "a-2", "b", "ä"}},
		{l.Topology("a"), nil},
		{l.Root + "/pplans", nil},
		{l.Root, []string{"deployments", "executionstate", "history", "locks", "metricscaches", "operations", "owners", "packingplans",
			"pplans", "schedulers", "statefulcheckpoints", "tmanagers", "topologies"}},
	} {
		if got, err := s.Children(ctx, c.path); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("children of %s are %v, %v, want %v", c.path, got, err, c.want)
		}
	}
	_, err := s.Children(ctx, l.Topology("absent"))
	WantErr(t, err, statemgr.ErrNotFound, "")
}

func testRace(t *testing.T, f Fixture) {
	l := f.Layout()
	f.Tree(t)
	var mu sync.Mutex
	var won []int
	together(t, 8, f.Open, func(i int, s statemgr.Store) error {
		mine := fmt.Append(nil, i)
		err := s.Apply(t.Context(), statemgr.Create(l.PackingPlan("t"), mine), statemgr.Create(l.Topology("t"), mine))
		if errors.Is(err, statemgr.ErrExists) {
			return nil
		}
		mu.Lock()
		won = append(won, i)
		mu.Unlock()
		return err
	})
	if len(won) != 1 {
		t.Fatalf("creators %v won, want one", won)
	}
	WantNode(t, f.Open(t), l.Topology("t"), fmt.Sprint(won[0]), 0)
	WantNode(t, f.Open(t), l.PackingPlan("t"), fmt.Sprint(won[0]), 0)
}

func testIncrements(t *testing.T, f Fixture) {
	const clients, each = 4, 10
	p := f.Layout().Topology("t")
	Must(t, f.Tree(t).Apply(t.Context(), statemgr.Create(p, []byte("0"))))
	together(t, clients, f.Open, func(_ int, s statemgr.Store) error {
		for done := 0; done < each; {
			n, err := s.Read(t.Context(), p)
			if err != nil {
				return err
			}
			var count int
			if _, err := fmt.Sscan(string(n.Data), &count); err != nil {
				return err
			}
			err = s.Apply(t.Context(), statemgr.Set(p, fmt.Append(nil, count+1)).At(n.Version))
			if err != nil && !errors.Is(err, statemgr.ErrVersion) {
				return err
			}
			if err == nil {
				done++
			}
		}
		return nil
	})
	WantNode(t, f.Open(t), p, fmt.Sprint(clients*each), clients*each)
}

func testInvalid(t *testing.T, f Fixture) {
	s, ctx, l := f.Tree(t), t.Context(), f.Layout()
	p := l.Topology("t")
	Must(t, s.Apply(ctx, statemgr.Create(p, []byte("x"))))
	for _, path := range []string{
		"", "topologies/t", l.Root + "//t", l.Root + "/t/", l.Topologies() + "/../t", l.Root + "/./t",
		l.Root + "/a\x00b", l.Root + "/a\nb", l.Root + "/a\xffb", l.Topology("../x"), l.Topology("a/b"), l.Topology(""),
	} {
		var invalid *statemgr.InvalidError
		_, err := s.Read(ctx, path)
		if !errors.As(err, &invalid) {
			t.Errorf("read of %q: %v", path, err)
		}
		if _, err = s.Children(ctx, path); !errors.As(err, &invalid) {
			t.Errorf("children of %q: %v", path, err)
		}
		if err = s.EnsureDirs(ctx, path); !errors.As(err, &invalid) {
			t.Errorf("directory %q: %v", path, err)
		}
		for _, op := range []statemgr.Op{statemgr.Create(path, []byte("x")), statemgr.Set(path, []byte("x")), statemgr.Delete(path), statemgr.Check(path)} {
			if err = s.Apply(ctx, op); !errors.As(err, &invalid) || invalid.Kind() != outcome.Usage {
				t.Errorf("operation %d on %q: %v", op.Kind, path, err)
			}
		}
	}
	var invalid *statemgr.InvalidError
	if err := s.Apply(ctx, statemgr.Set(p, nil)); !errors.As(err, &invalid) {
		t.Errorf("set to nothing: %v", err)
	}
	if err := s.Apply(ctx, statemgr.Op{Kind: 9, Path: p}); !errors.As(err, &invalid) {
		t.Errorf("unknown operation: %v", err)
	}
	WantNode(t, s, p, "x", 0)
}

func testCancelled(t *testing.T, f Fixture) {
	s, l := f.Tree(t), f.Layout()
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err := s.Read(ctx, l.Root)
	WantErr(t, err, why, "")
	WantErr(t, err, context.Canceled, "")
	_, err = s.Children(ctx, l.Root)
	WantErr(t, err, why, "")
	WantErr(t, s.EnsureDirs(ctx, l.Root+"/new"), why, "")
	WantErr(t, s.Apply(ctx, statemgr.Create(l.Topology("t"), []byte("x"))), why, "")
	WantGone(t, s, l.Topology("t"), l.Root+"/new")
}

func testLarge(t *testing.T, f Fixture) {
	s, ctx, l := f.Tree(t), t.Context(), f.Layout()
	large := strings.Repeat("0123456789abcdef", 900<<10/16)
	Must(t, s.Apply(ctx, statemgr.Create(l.Topology("t"), []byte(large)), statemgr.Create(l.PackingPlan("t"), []byte("p"))))
	WantNode(t, s, l.Topology("t"), large, 0)
	err := s.Apply(ctx, statemgr.Set(l.PackingPlan("t"), []byte("q")), statemgr.Create(l.Topology("u"), []byte(large+large)))
	if s.Fits(statemgr.Create(l.Topology("u"), []byte(large+large))) == nil {
		Must(t, err)
		WantNode(t, s, l.Topology("u"), large+large, 0)
		return
	}
	WantErr(t, err, statemgr.ErrTooLarge, "")
	WantNode(t, s, l.PackingPlan("t"), "p", 0)
	WantGone(t, s, l.Topology("u"))

	// A transaction just below the limit by our count is one that the server
	// takes as well.
	fits := sort.Search(2*len(large), func(n int) bool {
		return s.Fits(statemgr.Create(l.Topology("v"), make([]byte, n+1))) != nil
	})
	Must(t, s.Apply(ctx, statemgr.Create(l.Topology("v"), bytes.Repeat([]byte{1}, fits))))
	WantErr(t, s.Apply(ctx, statemgr.Create(l.Topology("w"), bytes.Repeat([]byte{1}, fits+1))), statemgr.ErrTooLarge, "")
	if n, err := s.Read(ctx, l.Topology("v")); err != nil || len(n.Data) != fits {
		t.Errorf("read of the largest possible node: %d bytes, %v", len(n.Data), err)
	}
}

func testBytes(t *testing.T, f Fixture) {
	s, p := f.Tree(t), f.Layout().Topology("syn-25_Odd Names-é")
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	Must(t, s.Apply(t.Context(), statemgr.Create(p, all)))
	WantNode(t, f.Open(t), p, string(all), 0)
}

func testClose(t *testing.T, f Fixture) {
	s := f.Tree(t)
	Must(t, s.Close())
	Must(t, s.Close())
	if _, err := s.Read(t.Context(), f.Root); err == nil || errors.Is(err, statemgr.ErrUnreachable) || errors.Is(err, statemgr.ErrNotFound) {
		t.Errorf("read after close: %v", err)
	}
	if err := s.Apply(t.Context(), statemgr.Delete(f.Root+"/pplans")); err == nil {
		t.Error("a closed store still writes")
	}
	WantNode(t, f.Open(t), f.Root+"/pplans", "", 0)
}
