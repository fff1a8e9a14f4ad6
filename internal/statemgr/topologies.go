package statemgr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Submission is what a new topology writes: messages in their serialized
// form.
type Submission struct {
	Topology string
	// Definition is without the components' objects.
	Definition        []byte
	PackingPlan       []byte
	ExecutionState    []byte
	SchedulerLocation []byte
	Deployment        DeploymentRecord
}

// Ops are the creations. The definition is the last: where they do not fit
// into one transaction it must be, for that it exists means that the topology
// does.
func (s Submission) Ops(l Layout) ([]Op, error) {
	if err := CheckName(s.Topology); err != nil {
		return nil, err
	}
	record, err := s.Deployment.Encode()
	if err != nil {
		return nil, err
	}
	ops := []Op{
		Create(l.PackingPlan(s.Topology), s.PackingPlan),
		Create(l.ExecutionState(s.Topology), s.ExecutionState),
		Create(l.Scheduler(s.Topology), s.SchedulerLocation),
		Create(l.Deployment(s.Topology), record),
		Create(l.Topology(s.Topology), s.Definition),
	}
	for _, op := range ops {
		if len(op.Data) == 0 {
			return nil, &InvalidError{What: op.Path, Why: "would be made without data"}
		}
	}
	return ops, nil
}

// Done says whether the creations and changes among ops are there, with their
// data: for use after ErrUnreachable or ErrExists, when our own request may
// have been the one that made them. It is false when any is not, and as true
// as the data are unique to this caller; a topology's id makes them so.
func Done(ctx context.Context, store Store, ops ...Op) (bool, error) {
	for _, op := range ops {
		if op.Kind == OpCheck {
			continue
		}
		node, err := store.Read(ctx, op.Path)
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

// Deletion reads what there is of a topology and returns the operations that
// remove it, none where there is nothing. The definition is the last, so that
// a deletion cut short leaves something to name the rest by. The list of
// checkpoints stays unless asked for: from it a topology of the same name
// goes on where this one stopped. An Intent stays as well: it outlives what it
// tells of.
func Deletion(ctx context.Context, store Store, l Layout, topology string, withCheckpoints bool) ([]Op, error) {
	if err := CheckName(topology); err != nil {
		return nil, err
	}
	paths := []string{
		l.TManager(topology), l.MetricsCache(topology), l.PackingPlan(topology), l.PhysicalPlan(topology),
		l.Scheduler(topology), l.Locks(topology), l.ExecutionState(topology),
		l.Deployment(topology), l.Topology(topology),
	}
	if withCheckpoints {
		paths = slices.Insert(paths, 7, l.Checkpoints(topology))
	}
	found := make([][]Op, len(paths))
	group, inner := errgroup.WithContext(ctx)
	for i, path := range paths {
		group.Go(func() error {
			// The listing shows what Read does not: a file that was left empty.
			names, err := store.Children(inner, parentOf(path))
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil || !slices.Contains(names, path[len(parentOf(path))+1:]) {
				return err
			}
			found[i], err = deleteTree(inner, store, path)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("find the state of topology %s: %w", topology, err)
	}
	return slices.Concat(found...), nil
}

// deleteTree removes a node with all below it, which comes first.
func deleteTree(ctx context.Context, store Store, path string) ([]Op, error) {
	names, err := store.Children(ctx, path)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	var ops []Op
	for _, name := range names {
		below, err := deleteTree(ctx, store, path+"/"+name)
		if err != nil {
			return nil, err
		}
		ops = append(ops, below...)
	}
	return append(ops, Delete(path)), nil
}

// deleteTries bounds how often DeleteTopology looks again. Heron's processes
// may still be changing their nodes, but each only a few times while it ends.
const deleteTries = 20

// DeleteTopology removes all of a topology and nothing of others, in one
// transaction where it fits, and only while all guards hold, which are checks.
// What is not there is no error. Where nodes come and go meanwhile it reads
// again.
func DeleteTopology(ctx context.Context, store Store, l Layout, topology string, withCheckpoints bool, guards ...Op) error {
	for try := 1; ; try++ {
		ops, err := Deletion(ctx, store, l, topology, withCheckpoints)
		if err != nil || len(ops) == 0 {
			return err
		}
		err = store.Apply(ctx, append(guards[:len(guards):len(guards)], ops...)...)
		if errors.Is(err, ErrTooLarge) {
			err = oneByOne(ctx, store, ops, guards)
		}
		if err == nil {
			return nil
		}
		var refused *TxError
		if errors.As(err, &refused) && refused.Op.Kind == OpCheck {
			return fmt.Errorf("delete the state of topology %s: %w", topology, err)
		}
		if moved := errors.Is(err, ErrNotFound) || errors.Is(err, ErrNotEmpty); !moved || try == deleteTries {
			return fmt.Errorf("delete the state of topology %s: %w", topology, err)
		}
	}
}

// oneByOne is for deletions that need not be undone.
func oneByOne(ctx context.Context, store Store, ops, guards []Op) error {
	for _, op := range ops {
		if err := store.Apply(ctx, append(guards[:len(guards):len(guards)], op)...); err != nil {
			return err
		}
	}
	return nil
}
