package localfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/statemgrtest"
)

var (
	must     = statemgrtest.Must
	wantErr  = statemgrtest.WantErr
	wantNode = statemgrtest.WantNode
	wantGone = statemgrtest.WantGone
)

func TestConformance(t *testing.T) { statemgrtest.Conformance(t, fixture) }

func TestTrees(t *testing.T) { statemgrtest.Trees(t, fixture) }

func TestHoldHelper(t *testing.T) { statemgrtest.HoldHelper(t, Open) }

func TestGolden(t *testing.T) {
	statemgrtest.Golden(t, "LocalFileSystemStateManager", true, func(t *testing.T, root string) (statemgr.Tree, string, statemgrtest.Backend) {
		base := t.TempDir() + "/dir"
		root = base + strings.TrimPrefix(root, "<dir>")
		tree := statemgr.Tree{Store: openDir(t, root), Layout: statemgr.Layout{Root: root}}
		return tree, base, dirBackend{base: base, root: root}
	})
}

// fixture is a folder that does not exist yet.
func fixture(t testing.TB) statemgrtest.Fixture {
	root := t.TempDir() + "/state"
	return statemgrtest.Fixture{Root: root, Open: func(t testing.TB) statemgr.Store { return openDir(t, root) }}
}

func openDir(t testing.TB, root string) *store {
	t.Helper()
	s, err := open(root)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// newTree opens a fixture and makes its directories.
func newTree(t testing.TB, f statemgrtest.Fixture) *store {
	t.Helper()
	return f.Tree(t).Store.(*store)
}

// dirBackend is a folder. The folder of the store's own is not part of the
// tree.
type dirBackend struct{ base, root string }

func (b dirBackend) Snapshot(t *testing.T) statemgrtest.State {
	t.Helper()
	got := statemgrtest.State{}
	err := filepath.WalkDir(b.base, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == b.base:
			return nil
		case err != nil:
			return err
		case path == b.root+"/"+hiddenDir:
			return filepath.SkipDir
		}
		rel := strings.TrimPrefix(path, b.base)
		if rel == "" {
			rel = "/"
		}
		n := statemgrtest.Node{Dir: d.IsDir()}
		if !n.Dir {
			if n.Data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		got[rel] = n
		return nil
	})
	must(t, err)
	return got
}

func (b dirBackend) Write(t *testing.T, path string, n *statemgrtest.Node) {
	t.Helper()
	switch {
	case n == nil:
		must(t, os.Remove(path))
	case n.Dir:
		must(t, os.MkdirAll(path, 0o777))
	default:
		must(t, os.WriteFile(path, n.Data, 0o666))
	}
}
