package statemgr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// LeftoverError says that changes were begun, failed, and could not all be undone.
type LeftoverError struct {
	// Paths are the nodes that may not be as they were.
	Paths []string
	// Err is why the changes failed, Undo why undoing them did.
	Err, Undo error
}

// Error names the nodes.
func (e *LeftoverError) Error() string {
	return fmt.Sprintf("%v; the changes made before that could not be undone (%v): look at %s",
		e.Err, e.Undo, strings.Join(e.Paths, ", "))
}

// Unwrap returns both reasons.
func (e *LeftoverError) Unwrap() []error { return []error{e.Err, e.Undo} }

// Kind implements the contract of package outcome.
func (e *LeftoverError) Kind() outcome.Kind { return outcome.LeftBehind }

// ApplyAll is Apply for any size. What is too large for one transaction is
// done in order, one change at a time, each together with all checks among
// ops, so that a caller who has lost its claim does no more. If one fails,
// those before it are undone, in reverse, and its error is returned, inside a
// LeftoverError if undoing fails as well. Undoing continues after ctx has
// ended, within the store's own time limits.
func (t Tree) ApplyAll(ctx context.Context, ops ...Op) error {
	err := t.Apply(ctx, ops...)
	if !errors.Is(err, ErrTooLarge) {
		return err
	}
	checks := checksOf(ops)
	var undo []Op // the inverse of each operation so far, in their order
	for _, op := range ops {
		if op.Kind == OpCheck {
			continue
		}
		back, err := t.inverse(ctx, op)
		if err == nil {
			err = t.Apply(ctx, append(checks[:len(checks):len(checks)], op)...)
		}
		var unknown bool
		if err != nil && (errors.Is(err, ErrUnreachable) || ctx.Err() != nil) {
			done, readErr := t.Done(context.WithoutCancel(ctx), op)
			unknown = readErr != nil
			if done && ctx.Err() == nil {
				err = nil
			}
			if done || unknown {
				undo = append(undo, back)
			}
		} else if err == nil {
			undo = append(undo, back)
		}
		if err != nil {
			return t.takeBack(context.WithoutCancel(ctx), undo, err)
		}
	}
	return nil
}

// inverse returns the operation that undoes op.
func (t Tree) inverse(ctx context.Context, op Op) (Op, error) {
	if op.Kind == OpCreate {
		return Delete(op.Path), nil
	}
	node, err := t.Read(ctx, op.Path)
	if err != nil {
		return Op{}, &TxError{Op: op, Err: err}
	}
	if op.Kind == OpDelete {
		return Create(op.Path, node.Data), nil
	}
	return Set(op.Path, node.Data), nil
}

// takeBack undoes as much as it can, last first, and returns why that was
// necessary.
func (t Tree) takeBack(ctx context.Context, undo []Op, why error) error {
	var left []string
	var failed []error
	for i := len(undo) - 1; i >= 0; i-- {
		err := t.Apply(ctx, undo[i])
		gone := undo[i].Kind == OpDelete && errors.Is(err, ErrNotFound)
		if err != nil && !gone {
			left = append(left, undo[i].Path)
			failed = append(failed, err)
		}
	}
	if len(left) == 0 {
		return why
	}
	return &LeftoverError{Paths: left, Err: why, Undo: errors.Join(failed...)}
}

// Leftovers implements the contract of outcome.LeftoversOf.
func (e *LeftoverError) Leftovers() []outcome.Leftover {
	var list []outcome.Leftover
	for _, path := range e.Paths {
		list = append(list, outcome.Leftover{Resource: outcome.Resource{Kind: outcome.Node, ID: path}, Why: e.Undo.Error()})
	}
	return list
}
