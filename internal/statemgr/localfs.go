package statemgr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// hiddenDir is the folder below the root with what the tree of plain files
// cannot hold: a lock, the versions, the journal of a transaction.
const hiddenDir = ".heron-tx"

// localStore is a Store in a folder: each node with data is a file of just
// these bytes, each without a folder, so that Heron's processes and other
// clients read it as theirs. They write to it as well, without our lock;
// what they do is seen as a change of the node.
//
// An empty file is what such a writer leaves when it dies, or has just begun:
// it reads as not found, can be created over and can be deleted.
type localStore struct {
	root   string
	closed atomic.Bool
	// step, unless nil, is called before each step that changes the disk. Its
	// error stops a transaction as the death of the process would.
	step func() error

	// held are the files of this store's holds, by path.
	mu   sync.Mutex
	held map[string]*os.File
}

// OpenLocal opens the store in the folder root, an absolute path. The folder
// need not exist: EnsureDirs makes it.
func OpenLocal(root string) (Store, error) { return openLocal(root) }

func openLocal(root string) (*localStore, error) {
	if err := CheckRoot(root); err != nil {
		return nil, err
	}
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		return nil, &InvalidError{What: root, Why: "is a file: the state of topologies needs a folder"}
	}
	return &localStore{root: root, held: map[string]*os.File{}}, nil
}

// Close ends all holds and refuses what comes after.
func (s *localStore) Close() error {
	s.closed.Store(true)
	return s.releaseAll()
}

func (s *localStore) Read(ctx context.Context, path string) (Node, error) {
	var node Node
	err := s.locked(ctx, "read", path, true, func(ix *index) error {
		n, err := s.look(ix, path)
		if err != nil {
			return err
		}
		if !n.present() {
			return ErrNotFound
		}
		node = Node{Data: n.data, Version: n.version, Created: n.created, Ephemeral: s.canHold(path)}
		return nil
	})
	return node, err
}

func (s *localStore) Children(ctx context.Context, path string) ([]string, error) {
	var names []string
	err := s.locked(ctx, "list", path, true, func(ix *index) error {
		n, err := s.look(ix, path)
		switch {
		case err != nil:
			return err
		case !n.present():
			return ErrNotFound
		case n.kind == isFile:
			return nil
		}
		names, err = s.names(path)
		return err
	})
	return names, err
}

// names lists a folder, without our own.
func (s *localStore) names(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if path != s.root || e.Name() != hiddenDir {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// EnsureDirs makes folders, with the permissions that the user's umask leaves.
func (s *localStore) EnsureDirs(ctx context.Context, paths ...string) error {
	for _, p := range paths {
		if err := s.check(ctx, p); err != nil {
			return err
		}
	}
	for _, p := range paths {
		if err := os.MkdirAll(p, 0o777); err != nil {
			return s.explain("create directory", p, err)
		}
	}
	return nil
}

// check says whether the store may touch path.
func (s *localStore) check(ctx context.Context, path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if path != s.root && !strings.HasPrefix(path, s.root+"/") || strings.HasPrefix(path+"/", s.hidden()+"/") {
		return &InvalidError{What: path, Why: "is not below the root " + s.root}
	}
	if s.closed.Load() {
		return fmt.Errorf("state in %s: %w", s.root, errStoreClosed)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("state in %s: %w", s.root, ended(ctx))
	}
	return nil
}

func (s *localStore) hidden(name ...string) string {
	return filepath.Join(append([]string{s.root, hiddenDir}, name...)...)
}

// explain adds what was done, and to what, and turns the system's errors into
// those of this package.
func (s *localStore) explain(doing, path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}
