package statemgr

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// CheckRights returns ErrDenied if the store would not let us do ops, or create
// the missing directories of the layout. Nothing is changed: ops are sent in
// one transaction with a check that cannot hold. Other obstacles, such as a
// node that exists already, are no error here.
func (t Tree) CheckRights(ctx context.Context, ops ...Op) error {
	var all []Op
	there, err := t.ReadAll(ctx, t.Dirs()...)
	if err != nil {
		return fmt.Errorf("check the rights below %s: %w", t.Root, err)
	}
	for _, dir := range t.Dirs() {
		if _, ok := there[dir]; !ok {
			all = append(all, Create(dir, nil))
		}
	}
	for _, op := range ops {
		if op.Kind == OpCreate || op.Kind == OpSet {
			op.Data = []byte{0} // rights do not depend on the data
		}
		all = append(all, op)
	}
	all = append(all, Check(t.Root+"/no-such-node").At(math.MaxInt32))
	err = t.Apply(ctx, all...)
	var refused *TxError
	if errors.As(err, &refused) && !errors.Is(err, ErrDenied) {
		return nil
	}
	if err == nil {
		err = errors.New("a check that cannot hold did")
	}
	return fmt.Errorf("check the rights below %s: %w", t.Root, err)
}
