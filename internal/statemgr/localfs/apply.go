package localfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// Apply works out, under the lock, how the transaction changes the tree, writes
// that to the journal and then does it. If this process dies in between, the
// next one to take the lock finishes what the journal says.
func (s *store) Apply(ctx context.Context, ops ...statemgr.Op) error {
	if err := statemgr.CheckOps(ops); err != nil {
		return err
	}
	for _, op := range ops {
		if err := s.check(ctx, op.Path); err != nil {
			return err
		}
	}
	if len(ops) == 0 {
		return nil
	}
	err := s.locked(ctx, "write", ops[0].Path, false, func(ix *index) error {
		v := view{store: s, ix: ix, was: map[string]node{}, is: map[string]node{}}
		for _, op := range ops {
			if err := v.apply(op); err != nil {
				return &statemgr.TxError{Op: op, Err: err}
			}
		}
		return s.commit(ix, v.effects())
	})
	var refused *statemgr.TxError
	if errors.Is(err, statemgr.ErrNotFound) && !errors.As(err, &refused) {
		return &statemgr.TxError{Op: ops[0], Err: err} // there is no tree at all
	}
	return err
}

// view is the tree as the operations so far have made it.
type view struct {
	store *store
	ix    *index
	was   map[string]node
	is    map[string]node
	// order has the paths in the order of their last change: readers that do not
	// take our lock see the changes in this order.
	order []string
}

func (v *view) get(path string) (node, error) {
	if n, ok := v.is[path]; ok {
		return n, nil
	}
	n, err := v.store.look(v.ix, path)
	if err != nil {
		return n, err
	}
	v.was[path], v.is[path] = n, n
	return n, nil
}

func (v *view) put(path string, n node) {
	v.is[path] = n
	v.order = append(slices.DeleteFunc(v.order, func(p string) bool { return p == path }), path)
}

func (v *view) apply(op statemgr.Op) error {
	n, err := v.get(op.Path)
	if err != nil {
		return err
	}
	if op.Kind == statemgr.OpCreate {
		return v.create(op, n)
	}
	if !n.present() && (op.Kind != statemgr.OpDelete || n.kind != isEmpty) {
		return statemgr.ErrNotFound
	}
	if op.Version != statemgr.AnyVersion && op.Version != n.version {
		return statemgr.ErrVersion
	}
	switch op.Kind {
	case statemgr.OpSet:
		if n.kind == isDir {
			return &statemgr.InvalidError{What: op.Path, Why: "is a folder and cannot hold data"}
		}
		v.put(op.Path, node{kind: isFile, data: op.Data, version: n.version + 1, created: n.created})
	case statemgr.OpDelete:
		if n.kind == isDir {
			if empty, err := v.isEmpty(op.Path); err != nil || !empty {
				return orElse(err, statemgr.ErrNotEmpty)
			}
		}
		v.put(op.Path, node{})
	}
	return nil
}

func (v *view) create(op statemgr.Op, n node) error {
	if n.present() {
		return statemgr.ErrExists
	}
	parent, err := v.get(statemgr.Parent(op.Path))
	if err != nil {
		return err
	}
	if parent.kind != isDir {
		return fmt.Errorf("%w: there is no folder %s", statemgr.ErrNotFound, statemgr.Parent(op.Path))
	}
	n = node{kind: isFile, data: op.Data, created: v.ix.nextCreated()}
	if len(op.Data) == 0 {
		n.kind = isDir
	}
	v.put(op.Path, n)
	return nil
}

// isEmpty reports whether a folder is empty after the operations so far.
func (v *view) isEmpty(path string) (bool, error) {
	for p, n := range v.is {
		if statemgr.Parent(p) == path && n.kind != isAbsent {
			return false, nil
		}
	}
	if v.was[path].kind != isDir {
		return true, nil // made by this transaction
	}
	names, err := v.store.names(path)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if _, seen := v.is[path+"/"+name]; !seen {
			return false, nil
		}
	}
	return true, nil
}

// effects are the changes that remain.
func (v *view) effects() []effect {
	var all []effect
	for _, p := range v.order {
		was, is := v.was[p], v.is[p]
		if was.kind == is.kind && was.version == is.version && was.created == is.created {
			continue
		}
		all = append(all, effect{
			Path: strings.TrimPrefix(p, v.store.root), From: stateOf(was), To: stateOf(is),
		})
	}
	return all
}

func orElse(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
