package statemgr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Apply works out, under the lock, what the transaction makes of the tree,
// notes that in the journal and then does it. Another opener finishes what a
// dead one had noted.
func (s *localStore) Apply(ctx context.Context, ops ...Op) error {
	if err := checkOps(ops); err != nil {
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
		v := view{store: s, ix: ix, was: map[string]localNode{}, is: map[string]localNode{}}
		for _, op := range ops {
			if err := v.apply(op); err != nil {
				return &TxError{Op: op, Err: err}
			}
		}
		return s.commit(ix, v.effects())
	})
	var refused *TxError
	if errors.Is(err, ErrNotFound) && !errors.As(err, &refused) {
		return &TxError{Op: ops[0], Err: err} // there is no tree at all
	}
	return err
}

// view is the tree as the operations so far have made it.
type view struct {
	store *localStore
	ix    *index
	was   map[string]localNode
	is    map[string]localNode
	// order has the paths in the order of their last change: what is not
	// inside our lock sees them change in it.
	order []string
}

func (v *view) get(path string) (localNode, error) {
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

func (v *view) put(path string, n localNode) {
	v.is[path] = n
	v.order = append(slices.DeleteFunc(v.order, func(p string) bool { return p == path }), path)
}

func (v *view) apply(op Op) error {
	n, err := v.get(op.Path)
	if err != nil {
		return err
	}
	if op.Kind == OpCreate {
		return v.create(op, n)
	}
	if !n.present() && (op.Kind != OpDelete || n.kind != isEmpty) {
		return ErrNotFound
	}
	if op.Version != AnyVersion && op.Version != n.version {
		return ErrVersion
	}
	switch op.Kind {
	case OpSet:
		if n.kind == isDir {
			return &InvalidError{What: op.Path, Why: "is a folder and cannot hold data"}
		}
		v.put(op.Path, localNode{kind: isFile, data: op.Data, version: n.version + 1, created: n.created})
	case OpDelete:
		if n.kind == isDir {
			if empty, err := v.isEmpty(op.Path); err != nil || !empty {
				return orElse(err, ErrNotEmpty)
			}
		}
		v.put(op.Path, localNode{})
	}
	return nil
}

func (v *view) create(op Op, n localNode) error {
	if n.present() {
		return ErrExists
	}
	parent, err := v.get(parentOf(op.Path))
	if err != nil {
		return err
	}
	if parent.kind != isDir {
		return fmt.Errorf("%w: there is no folder %s", ErrNotFound, parentOf(op.Path))
	}
	n = localNode{kind: isFile, data: op.Data, created: v.ix.nextCreated()}
	if len(op.Data) == 0 {
		n.kind = isDir
	}
	v.put(op.Path, n)
	return nil
}

// isEmpty says whether a folder has nothing in it after the operations so far.
func (v *view) isEmpty(path string) (bool, error) {
	for p, n := range v.is {
		if parentOf(p) == path && n.kind != isAbsent {
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
