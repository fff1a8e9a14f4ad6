package statemgr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// LeftoverError says that changes were begun, failed, and could not all be
// taken back.
type LeftoverError struct {
	// Paths are the nodes that may not be as they were.
	Paths []string
	// Err is why the changes failed, Undo why taking them back did.
	Err, Undo error
}

// Error names the nodes.
func (e *LeftoverError) Error() string {
	return fmt.Sprintf("%v; what was done before could not be undone (%v): look at %s",
		e.Err, e.Undo, strings.Join(e.Paths, ", "))
}

// Unwrap gives both reasons.
func (e *LeftoverError) Unwrap() []error { return []error{e.Err, e.Undo} }

// Kind implements the contract of package outcome.
func (e *LeftoverError) Kind() outcome.Kind { return outcome.LeftBehind }

// ApplyAll is Apply for any size. What is too large for one transaction is
// done in order, one operation at a time, each together with all checks among
// ops, so that a caller who has lost its lock does no more. When one fails,
// those before it are undone, in reverse, and its error is returned, inside a
// LeftoverError if that fails as well. Undoing goes on when ctx has ended,
// within the store's own time limits.
func ApplyAll(ctx context.Context, store Store, ops ...Op) error {
	err := store.Apply(ctx, ops...)
	if !errors.Is(err, ErrTooLarge) {
		return err
	}
	var checks []Op
	for _, op := range ops {
		if op.Kind == OpCheck {
			checks = append(checks, op)
		}
	}
	var undo []Op // by the operations so far, in their order
	for _, op := range ops {
		if op.Kind == OpCheck {
			continue
		}
		back, err := inverse(ctx, store, op)
		if err == nil {
			err = store.Apply(ctx, append(checks[:len(checks):len(checks)], op)...)
		}
		var unknown bool
		if err != nil && (errors.Is(err, ErrUnreachable) || ctx.Err() != nil) {
			done, readErr := Done(context.WithoutCancel(ctx), store, op)
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
			return takeBack(context.WithoutCancel(ctx), store, undo, err)
		}
	}
	return nil
}

// inverse is the operation that takes op back.
func inverse(ctx context.Context, store Store, op Op) (Op, error) {
	if op.Kind == OpCreate {
		return Delete(op.Path), nil
	}
	node, err := store.Read(ctx, op.Path)
	if err != nil {
		return Op{}, &TxError{Op: op, Err: err}
	}
	if op.Kind == OpDelete {
		return Create(op.Path, node.Data), nil
	}
	return Set(op.Path, node.Data), nil
}

// takeBack undoes, last first, all that it can, and returns why that was
// necessary.
func takeBack(ctx context.Context, store Store, undo []Op, why error) error {
	var left []string
	var failed []error
	for i := len(undo) - 1; i >= 0; i-- {
		err := store.Apply(ctx, undo[i])
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
