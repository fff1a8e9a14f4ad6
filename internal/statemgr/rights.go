package statemgr

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// CheckRights says whether the store would let us do ops, and before them make
// what is missing of the layout's directories. Nothing is changed: ops are
// sent in one transaction with a check that cannot hold. It returns ErrDenied
// where a right is missing. What else stands in the way of ops, such as a node
// that is there already, is no error here.
func CheckRights(ctx context.Context, store Store, l Layout, ops ...Op) error {
	var all []Op
	for _, dir := range l.Dirs() {
		switch _, err := store.Read(ctx, dir); {
		case errors.Is(err, ErrNotFound):
			all = append(all, Create(dir, nil))
		case err != nil:
			return fmt.Errorf("check the rights below %s: %w", l.Root, err)
		}
	}
	for _, op := range ops {
		if op.Kind == OpCreate || op.Kind == OpSet {
			op.Data = []byte{0} // rights do not depend on it
		}
		all = append(all, op)
	}
	all = append(all, Check(l.Root+"/no-such-node").At(math.MaxInt32))
	err := store.Apply(ctx, all...)
	var refused *TxError
	if errors.As(err, &refused) && !errors.Is(err, ErrDenied) {
		return nil
	}
	if err == nil {
		err = errors.New("a check that cannot hold did")
	}
	return fmt.Errorf("check the rights below %s: %w", l.Root, err)
}
