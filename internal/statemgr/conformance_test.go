package statemgr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestConformance_zookeeper(t *testing.T) { conformance(t, zkFixture) }

func TestConformance_localfs(t *testing.T) { conformance(t, localFixture) }

// conformance is what every Store does.
func conformance(t *testing.T, make func(testing.TB) fixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, fixture)
	}{
		{"directories are made with their parents, as often as one likes", testEnsureDirs},
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
		{"close", testClose},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, make(t)) })
	}
}

func testEnsureDirs(t *testing.T, f fixture) {
	s, l := f.open(t), f.layout()
	wantGone(t, s, l.Root)
	deep := l.Root + "/a/b/c"
	for range 2 {
		must(t, s.EnsureDirs(t.Context(), append(l.Dirs(), deep)...))
	}
	for _, d := range append(l.Dirs(), deep) {
		if n := wantNode(t, s, d, "", 0); n.Ephemeral {
			t.Errorf("%s is ephemeral", d)
		}
	}
	must(t, s.Apply(t.Context(), Create(l.Topology("t"), []byte("x"))))
	must(t, s.EnsureDirs(t.Context(), l.Dirs()...))
	wantNode(t, s, l.Topology("t"), "x", 0)
	must(t, s.EnsureDirs(t.Context()))
}

func testEnsureDirsTogether(t *testing.T, f fixture) {
	together(t, 8, f.open, func(_ int, s Store) error { return s.EnsureDirs(t.Context(), f.layout().Dirs()...) })
	s := f.open(t)
	for _, d := range f.layout().Dirs() {
		wantNode(t, s, d, "", 0)
	}
}

// together runs f n times at once, each with a store of its own.
func together(t *testing.T, n int, open func(testing.TB) Store, f func(i int, s Store) error) {
	t.Helper()
	stores := make([]Store, n)
	for i := range stores {
		stores[i] = open(t)
	}
	var wait sync.WaitGroup
	errs := make([]error, n)
	for i, s := range stores {
		wait.Go(func() { errs[i] = f(i, s) })
	}
	wait.Wait()
	must(t, errors.Join(errs...))
}

func testLife(t *testing.T, f fixture) {
	s, ctx, p := f.dirs(t), t.Context(), f.layout().PackingPlan("t")
	wantGone(t, s, p)
	wantErr(t, s.Apply(ctx, Set(p, []byte("x"))), ErrNotFound, p)
	wantErr(t, s.Apply(ctx, Delete(p)), ErrNotFound, p)
	wantErr(t, s.Apply(ctx, Check(p)), ErrNotFound, p)

	must(t, s.Apply(ctx, Create(p, []byte("one"))))
	if n := wantNode(t, s, p, "one", 0); n.Ephemeral || n.Created == 0 {
		t.Errorf("a new node is %+v", n)
	}
	wantErr(t, s.Apply(ctx, Create(p, []byte("other"))), ErrExists, p)
	must(t, s.Apply(ctx, Set(p, []byte("two"))))
	wantNode(t, s, p, "two", 1)
	must(t, s.Apply(ctx, Set(p, []byte("two"))))
	wantNode(t, s, p, "two", 2)
	must(t, s.Apply(ctx, Check(p)))
	wantNode(t, s, p, "two", 2)
	must(t, s.Apply(ctx, Delete(p)))
	wantGone(t, s, p)
	must(t, s.Apply(ctx))
}

func testDirectory(t *testing.T, f fixture) {
	s, ctx, dir := f.dirs(t), t.Context(), f.layout().Locks("t")
	child := dir + "/leases"
	wantErr(t, s.Apply(ctx, Create(child, []byte("x"))), ErrNotFound, child)
	must(t, s.Apply(ctx, Create(dir, nil), Create(child, []byte("x"))))
	wantNode(t, s, dir, "", 0)
	wantErr(t, s.Apply(ctx, Create(dir, nil)), ErrExists, dir)
	wantErr(t, s.Apply(ctx, Delete(dir)), ErrNotEmpty, dir)
	wantErr(t, s.Apply(ctx, Delete(dir), Delete(child)), ErrNotEmpty, dir)
	must(t, s.Apply(ctx, Check(dir), Delete(child), Delete(dir)))
	wantGone(t, s, dir, child)
}

func testAtomic(t *testing.T, f fixture) {
	s, ctx, l := f.dirs(t), t.Context(), f.layout()
	there, absent := l.Topology("there"), l.Topology("absent")
	must(t, s.Apply(ctx, Create(there, []byte("old"))))
	good := []Op{
		Create(l.PackingPlan("t"), []byte("p")), Set(there, []byte("new")),
		Create(l.Scheduler("t"), []byte("s")), Delete(l.Scheduler("t")), Create(l.Locks("t"), nil),
	}
	bad := []struct {
		op   Op
		want error
	}{
		{Create(there, []byte("x")), ErrExists},
		{Create(l.Root+"/nowhere/t", []byte("x")), ErrNotFound},
		{Set(absent, []byte("x")), ErrNotFound},
		{Set(there, []byte("x")).At(7), ErrVersion},
		{Delete(absent), ErrNotFound},
		{Delete(l.Root + "/topologies"), ErrNotEmpty},
		{Delete(there).At(7), ErrVersion},
		{Check(absent), ErrNotFound},
		{Check(there).At(7), ErrVersion},
	}
	for _, b := range bad {
		for k := range len(good) + 1 {
			err := s.Apply(ctx, slices.Insert(slices.Clone(good), k, b.op)...)
			wantErr(t, err, b.want, b.op.Path)
			if !strings.Contains(err.Error(), b.op.Path) {
				t.Errorf("error %q does not name %s", err, b.op.Path)
			}
			wantNode(t, s, there, "old", 0)
			wantGone(t, s, l.PackingPlan("t"), l.Scheduler("t"), l.Locks("t"))
		}
	}
	must(t, s.Apply(ctx, good...))
	wantNode(t, s, there, "new", 1)
	wantNode(t, s, l.PackingPlan("t"), "p", 0)
	wantGone(t, s, l.Scheduler("t"))
}

func testOrder(t *testing.T, f fixture) {
	s, ctx, p := f.dirs(t), t.Context(), f.layout().Topology("t")
	must(t, s.Apply(ctx, Create(p, []byte("1")), Check(p).At(0), Set(p, []byte("2")).At(0), Check(p).At(1)))
	wantNode(t, s, p, "2", 1)
	must(t, s.Apply(ctx, Delete(p).At(1), Create(p, []byte("3")), Set(p, []byte("4")).At(0)))
	wantNode(t, s, p, "4", 1)
	must(t, s.Apply(ctx, Delete(p), Create(p, nil), Create(p+"/c", []byte("5"))))
	wantNode(t, s, p+"/c", "5", 0)
	must(t, s.Apply(ctx, Delete(p+"/c"), Delete(p), Create(p, []byte("6"))))
	wantNode(t, s, p, "6", 0)
	must(t, s.Apply(ctx, Set(p, []byte("7")), Delete(p)))
	wantGone(t, s, p)
}

func testVersions(t *testing.T, f fixture) {
	s, ctx, p := f.dirs(t), t.Context(), f.layout().Topology("t")
	must(t, s.Apply(ctx, Create(p, []byte("0"))))
	for v := range 3 {
		wantErr(t, s.Apply(ctx, Set(p, []byte("x")).At(v+1)), ErrVersion, p)
		must(t, s.Apply(ctx, Check(p).At(v), Set(p, fmt.Append(nil, v+1)).At(v)))
		wantErr(t, s.Apply(ctx, Check(p).At(v)), ErrVersion, p)
		wantErr(t, s.Apply(ctx, Delete(p).At(v)), ErrVersion, p)
		wantNode(t, s, p, fmt.Sprint(v+1), v+1)
	}
	must(t, s.Apply(ctx, Delete(p).At(3)))
}

func testCreated(t *testing.T, f fixture) {
	s, ctx, p := f.dirs(t), t.Context(), f.layout().PhysicalPlan("t")
	must(t, s.Apply(ctx, Create(p, []byte("a"))))
	first := wantNode(t, s, p, "a", 0)
	must(t, s.Apply(ctx, Set(p, []byte("b"))))
	if n := wantNode(t, s, p, "b", 1); n.Created != first.Created {
		t.Errorf("a set changed Created from %d to %d", first.Created, n.Created)
	}
	must(t, s.Apply(ctx, Delete(p)))
	must(t, s.Apply(ctx, Create(p, []byte("a"))))
	if n := wantNode(t, s, p, "a", 0); n.Created == first.Created {
		t.Errorf("a node that was made again has the same Created, %d", n.Created)
	}
}

func testShared(t *testing.T, f fixture) {
	a, b, p := f.dirs(t), f.open(t), f.layout().Topology("t")
	must(t, a.Apply(t.Context(), Create(p, []byte("a"))))
	seen := wantNode(t, b, p, "a", 0)
	must(t, a.Apply(t.Context(), Set(p, []byte("b"))))
	wantErr(t, b.Apply(t.Context(), Set(p, []byte("c")).At(seen.Version)), ErrVersion, p)
	if n := wantNode(t, b, p, "b", 1); n.Created != seen.Created {
		t.Errorf("Created differs between clients: %d and %d", n.Created, seen.Created)
	}
}

func testChildren(t *testing.T, f fixture) {
	s, ctx, l := f.dirs(t), t.Context(), f.layout()
	for _, name := range []string{"b", "a-2", "a", "ä", "Z"} {
		must(t, s.Apply(ctx, Create(l.Topology(name), []byte("x"))))
	}
	for _, c := range []struct {
		path string
		want []string
	}{
		{l.Topologies(), []string{"Z", "a", "a-2", "b", "ä"}},
		{l.Topology("a"), nil},
		{l.Root + "/pplans", nil},
		{l.Root, []string{"deployments", "executionstate", "locks", "metricscaches", "operations", "owners", "packingplans",
			"pplans", "schedulers", "statefulcheckpoints", "tmanagers", "topologies"}},
	} {
		if got, err := s.Children(ctx, c.path); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("children of %s are %v, %v, want %v", c.path, got, err, c.want)
		}
	}
	_, err := s.Children(ctx, l.Topology("absent"))
	wantErr(t, err, ErrNotFound, "")
}

func testRace(t *testing.T, f fixture) {
	l := f.layout()
	f.dirs(t)
	var mu sync.Mutex
	var won []int
	together(t, 8, f.open, func(i int, s Store) error {
		mine := fmt.Append(nil, i)
		err := s.Apply(t.Context(), Create(l.PackingPlan("t"), mine), Create(l.Topology("t"), mine))
		if errors.Is(err, ErrExists) {
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
	wantNode(t, f.open(t), l.Topology("t"), fmt.Sprint(won[0]), 0)
	wantNode(t, f.open(t), l.PackingPlan("t"), fmt.Sprint(won[0]), 0)
}

func testIncrements(t *testing.T, f fixture) {
	const clients, each = 4, 10
	p := f.layout().Topology("t")
	must(t, f.dirs(t).Apply(t.Context(), Create(p, []byte("0"))))
	together(t, clients, f.open, func(_ int, s Store) error {
		for done := 0; done < each; {
			n, err := s.Read(t.Context(), p)
			if err != nil {
				return err
			}
			var count int
			if _, err := fmt.Sscan(string(n.Data), &count); err != nil {
				return err
			}
			err = s.Apply(t.Context(), Set(p, fmt.Append(nil, count+1)).At(n.Version))
			if err != nil && !errors.Is(err, ErrVersion) {
				return err
			}
			if err == nil {
				done++
			}
		}
		return nil
	})
	wantNode(t, f.open(t), p, fmt.Sprint(clients*each), clients*each)
}

func testInvalid(t *testing.T, f fixture) {
	s, ctx, l := f.dirs(t), t.Context(), f.layout()
	p := l.Topology("t")
	must(t, s.Apply(ctx, Create(p, []byte("x"))))
	for _, path := range []string{
		"", "topologies/t", l.Root + "//t", l.Root + "/t/", l.Topologies() + "/../t", l.Root + "/./t",
		l.Root + "/a\x00b", l.Root + "/a\nb", l.Root + "/a\xffb", l.Topology("../x"), l.Topology("a/b"), l.Topology(""),
	} {
		var invalid *InvalidError
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
		for _, op := range []Op{Create(path, []byte("x")), Set(path, []byte("x")), Delete(path), Check(path)} {
			if err = s.Apply(ctx, op); !errors.As(err, &invalid) || invalid.Kind() != outcome.Usage {
				t.Errorf("operation %d on %q: %v", op.Kind, path, err)
			}
		}
	}
	var invalid *InvalidError
	if err := s.Apply(ctx, Set(p, nil)); !errors.As(err, &invalid) {
		t.Errorf("set to nothing: %v", err)
	}
	if err := s.Apply(ctx, Op{Kind: 9, Path: p}); !errors.As(err, &invalid) {
		t.Errorf("unknown operation: %v", err)
	}
	wantNode(t, s, p, "x", 0)
}

func testCancelled(t *testing.T, f fixture) {
	s, l := f.dirs(t), f.layout()
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err := s.Read(ctx, l.Root)
	wantErr(t, err, why, "")
	wantErr(t, err, context.Canceled, "")
	_, err = s.Children(ctx, l.Root)
	wantErr(t, err, why, "")
	wantErr(t, s.EnsureDirs(ctx, l.Root+"/new"), why, "")
	wantErr(t, s.Apply(ctx, Create(l.Topology("t"), []byte("x"))), why, "")
	wantGone(t, s, l.Topology("t"), l.Root+"/new")
}

func testLarge(t *testing.T, f fixture) {
	s, ctx, l := f.dirs(t), t.Context(), f.layout()
	large := strings.Repeat("0123456789abcdef", 900<<10/16)
	must(t, s.Apply(ctx, Create(l.Topology("t"), []byte(large)), Create(l.PackingPlan("t"), []byte("p"))))
	wantNode(t, s, l.Topology("t"), large, 0)
	err := s.Apply(ctx, Set(l.PackingPlan("t"), []byte("q")), Create(l.Topology("u"), []byte(large+large)))
	if f.limit == 0 {
		must(t, err)
		wantNode(t, s, l.Topology("u"), large+large, 0)
		return
	}
	wantErr(t, err, ErrTooLarge, "")
	wantNode(t, s, l.PackingPlan("t"), "p", 0)
	wantGone(t, s, l.Topology("u"))

	// What is just below the limit by our count the server takes as well.
	fits := f.limit - f.acls().multiSize([]Op{Create(l.Topology("v"), nil)})
	must(t, s.Apply(ctx, Create(l.Topology("v"), bytes.Repeat([]byte{1}, fits))))
	wantErr(t, s.Apply(ctx, Create(l.Topology("w"), bytes.Repeat([]byte{1}, fits+1))), ErrTooLarge, "")
	if n, err := s.Read(ctx, l.Topology("v")); err != nil || len(n.Data) != fits {
		t.Errorf("read of a node as large as can be: %d bytes, %v", len(n.Data), err)
	}
}

func testBytes(t *testing.T, f fixture) {
	s, p := f.dirs(t), f.layout().Topology("syn-25_Odd Names-é")
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	must(t, s.Apply(t.Context(), Create(p, all)))
	wantNode(t, f.open(t), p, string(all), 0)
}

func testClose(t *testing.T, f fixture) {
	s := f.dirs(t)
	must(t, s.Close())
	must(t, s.Close())
	if _, err := s.Read(t.Context(), f.root); err == nil || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNotFound) {
		t.Errorf("read after close: %v", err)
	}
	if err := s.Apply(t.Context(), Delete(f.root+"/pplans")); err == nil {
		t.Error("a closed store still writes")
	}
	wantNode(t, f.open(t), f.root+"/pplans", "", 0)
}
