package statemgr

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Tree is a store together with the layout of its nodes: all that a use case
// needs of the state. It is a Store itself, and its paths are those of its
// Layout.
type Tree struct {
	Store
	Layout
}

// readsAtOnce bounds how many reads ReadAll has under way. ZooKeeper answers
// them one after the other over one connection, without a pause between them.
const readsAtOnce = 64

// ReadAll reads several nodes at once. Nodes that do not exist are missing from
// the result, which is not an error. It is no snapshot: nodes may change
// between two reads.
func (t Tree) ReadAll(ctx context.Context, paths ...string) (map[string]Node, error) {
	nodes := make(map[string]Node, len(paths))
	var mu sync.Mutex
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for _, path := range paths {
		group.Go(func() error {
			node, err := t.Read(inner, path)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			nodes[path] = node
			mu.Unlock()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return nodes, nil
}

// Done reports whether the changes among ops are there, with their data. It is
// for use after ErrUnreachable or ErrExists, when our own request may have been
// the one that made them. It is only as reliable as the data are unique to the
// caller; a topology's id makes them so.
func (t Tree) Done(ctx context.Context, ops ...Op) (bool, error) {
	for _, op := range ops {
		if op.Kind == OpCheck {
			continue
		}
		node, err := t.Read(ctx, op.Path)
		there := err == nil
		if err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
		if there == (op.Kind == OpDelete) || there && string(node.Data) != string(op.Data) {
			return false, nil
		}
	}
	return true, nil
}

// CheckSize returns ErrTooLarge, with the node's path and the limit's key, if
// the store could not take one of ops even by itself, which is how ApplyAll
// writes what does not fit into one transaction: each change together with all
// checks among ops. It asks no server.
func (t Tree) CheckSize(ops ...Op) error {
	if t.Fits(ops...) == nil {
		return nil
	}
	checks := checksOf(ops)
	for _, op := range ops {
		if op.Kind == OpCheck {
			continue
		}
		if err := t.Fits(append(checks[:len(checks):len(checks)], op)...); err != nil {
			return fmt.Errorf("%s: %w", op.Path, err)
		}
	}
	return nil
}

// checksOf returns the operations that change nothing.
func checksOf(ops []Op) []Op {
	var checks []Op
	for _, op := range ops {
		if op.Kind == OpCheck {
			checks = append(checks, op)
		}
	}
	return checks
}
