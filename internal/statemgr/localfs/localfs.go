// Package localfs keeps the state of topologies in a folder, for trials on one
// machine. It implements statemgr.Store with plain files, which Heron's
// processes and other clients read and write as well.
package localfs

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

	"github.com/heron-nomad/heron/internal/statemgr"
)

// hiddenDir is the folder below the root for what plain files cannot hold: a
// lock, the versions, the journal of a transaction.
const hiddenDir = ".heron-tx"

// store is a Store in a folder. A node with data is a file of exactly these
// bytes, a node without data is a folder, as Heron's processes and other clients
// expect. They write as well, without our lock; what they do is seen as a change
// of the node.
//
// An empty file is what such a writer leaves when it has just begun or has died:
// it reads as not found, and it can be replaced and deleted.
type store struct {
	root   string
	closed atomic.Bool
	// step, unless nil, is called before each step that changes the disk. Its
	// error stops a transaction as a crash of the process would.
	step func() error

	// turn is taken by the one goroutine that has or waits for the lock on the
	// folder, which is polled.
	turn chan struct{}

	// held are the files that this store holds, by path.
	mu   sync.Mutex
	held map[string]*os.File
}

// Open opens the store in the folder root, an absolute path. The folder
// need not exist: EnsureDirs makes it.
func Open(root string) (statemgr.Store, error) {
	s, err := open(root)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func open(root string) (*store, error) {
	if err := statemgr.CheckRoot(root); err != nil {
		return nil, err
	}
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		return nil, &statemgr.InvalidError{What: root, Why: "is a file, but the state of topologies needs a folder"}
	}
	return &store{root: root, held: map[string]*os.File{}, turn: make(chan struct{}, 1)}, nil
}

// Fits always succeeds: a folder takes transactions of any size.
func (s *store) Fits(...statemgr.Op) error { return nil }

// Close ends all holds and refuses later calls.
func (s *store) Close() error {
	s.closed.Store(true)
	return s.releaseAll()
}

func (s *store) Read(ctx context.Context, path string) (statemgr.Node, error) {
	var node statemgr.Node
	err := s.locked(ctx, "read", path, true, func(ix *index) error {
		n, err := s.look(ix, path)
		if err != nil {
			return err
		}
		if !n.present() {
			return statemgr.ErrNotFound
		}
		node = statemgr.Node{Data: n.data, Version: n.version, Created: n.created, Ephemeral: s.canHold(path)}
		return nil
	})
	return node, err
}

func (s *store) Children(ctx context.Context, path string) ([]string, error) {
	var names []string
	err := s.locked(ctx, "list", path, true, func(ix *index) error {
		n, err := s.look(ix, path)
		switch {
		case err != nil:
			return err
		case !n.present():
			return statemgr.ErrNotFound
		case n.kind == isFile:
			return nil
		}
		names, err = s.names(path)
		return err
	})
	return names, err
}

// names lists a folder, without our hidden one.
func (s *store) names(path string) ([]string, error) {
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
func (s *store) EnsureDirs(ctx context.Context, paths ...string) error {
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

// check returns why the store may not touch path.
func (s *store) check(ctx context.Context, path string) error {
	if err := statemgr.CheckPath(path); err != nil {
		return err
	}
	if path != s.root && !strings.HasPrefix(path, s.root+"/") || strings.HasPrefix(path+"/", s.hidden()+"/") {
		return &statemgr.InvalidError{What: path, Why: "is not below the root " + s.root}
	}
	if s.closed.Load() {
		return fmt.Errorf("state in %s: %w", s.root, statemgr.ErrClosed)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("state in %s: %w", s.root, statemgr.Ended(ctx))
	}
	return nil
}

func (s *store) hidden(name ...string) string {
	return filepath.Join(append([]string{s.root, hiddenDir}, name...)...)
}

// explain adds what was done, and to what, and turns the system's errors into
// those of package statemgr.
func (s *store) explain(doing, path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: %w", statemgr.ErrDenied, err)
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}
