// Package statemgrtest is the one suite of tests for all stores of package
// statemgr: each store's own tests run it on trees that they make.
package statemgrtest

import (
	"errors"
	"testing"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// Fixture is one kind of store, and a root in it that only one test uses.
type Fixture struct {
	Root string
	// Open opens the tree once more, until the test ends.
	Open func(t testing.TB) statemgr.Store
	// Env are environment variables, "name=value", with which another process of
	// the test program finds the store; see HoldHelper.
	Env []string
}

// Layout returns that of the fixture's root.
func (f Fixture) Layout() statemgr.Layout { return statemgr.Layout{Root: f.Root} }

// Opened opens the tree and makes nothing.
func (f Fixture) Opened(t testing.TB) statemgr.Tree {
	t.Helper()
	return statemgr.Tree{Store: f.Open(t), Layout: f.Layout()}
}

// Tree opens the tree and makes its directories.
func (f Fixture) Tree(t testing.TB) statemgr.Tree {
	t.Helper()
	tree := f.Opened(t)
	Must(t, tree.EnsureDirs(t.Context(), tree.Dirs()...))
	return tree
}

// Must ends the test on an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// WantErr checks the sentinel and, unless path is "", which operation was
// refused.
func WantErr(t testing.TB, err, want error, path string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
	var refused *statemgr.TxError
	switch {
	case path == "":
	case !errors.As(err, &refused):
		t.Fatalf("error %v does not say which operation was refused", err)
	case refused.Op.Path != path:
		t.Fatalf("error %v names %s, want %s", err, refused.Op.Path, path)
	}
}

// WantNode checks the data and the version of a node; version -1 for any.
func WantNode(t testing.TB, s statemgr.Store, path, data string, version int) statemgr.Node {
	t.Helper()
	n, err := s.Read(t.Context(), path)
	Must(t, err)
	if string(n.Data) != data {
		t.Fatalf("%s holds %.40q, want %.40q", path, n.Data, data)
	}
	if version >= 0 && n.Version != version {
		t.Fatalf("%s has version %d, want %d", path, n.Version, version)
	}
	return n
}

// WantGone checks that none of the nodes exists.
func WantGone(t testing.TB, s statemgr.Store, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if n, err := s.Read(t.Context(), p); !errors.Is(err, statemgr.ErrNotFound) {
			t.Fatalf("%s should not exist: read returned %v, %v", p, n, err)
		}
	}
}
