package statemgr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Submission is what a new topology writes: serialized messages.
type Submission struct {
	Topology string
	// Definition is without the components' objects.
	Definition        []byte
	PackingPlan       []byte
	ExecutionState    []byte
	SchedulerLocation []byte
	Deployment        DeploymentRecord
}

// First is the topology's first version, made by an operation: with the Nomad
// job, in JSON and without secrets, of so many containers.
func (s Submission) First(operation string, job []byte, containers int) Version {
	return Version{
		Number: 1, Operation: operation, By: s.Deployment.SubmittedBy, Via: s.Deployment.Via, At: s.Deployment.SubmittedAt, Containers: containers,
		Deployment: s.Deployment, ExecutionState: s.ExecutionState, SchedulerLocation: s.SchedulerLocation,
		VersionContent: VersionContent{Definition: s.Definition, PackingPlan: s.PackingPlan, Job: job},
	}
}

// Ops returns the creations. The definition is the last, also when they do not
// fit into one transaction: a topology exists once its definition does.
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
			return nil, &InvalidError{What: op.Path, Why: "would be created without data"}
		}
	}
	return ops, nil
}

// Deletion reads what there is of a topology and returns the operations that
// remove it, none if there is nothing. The definition is the last, so that an
// interrupted deletion leaves something to name the rest by. The list of
// checkpoints is kept unless withCheckpoints is set: a topology of the same
// name continues from it. An Intent is kept as well: it must outlive what it
// describes.
func (t Tree) Deletion(ctx context.Context, topology string, withCheckpoints bool) ([]Op, error) {
	if err := CheckName(topology); err != nil {
		return nil, err
	}
	paths := []string{
		t.TManager(topology), t.MetricsCache(topology), t.PackingPlan(topology), t.PhysicalPlan(topology),
		t.Scheduler(topology), t.Locks(topology), t.ExecutionState(topology),
		t.History(topology), t.Deployment(topology), t.Topology(topology),
	}
	if withCheckpoints {
		paths = slices.Insert(paths, 7, t.Checkpoints(topology))
	}
	found := make([][]Op, len(paths))
	group, inner := errgroup.WithContext(ctx)
	for i, path := range paths {
		group.Go(func() error {
			// The listing shows what Read does not: a file that was left empty.
			names, err := t.Children(inner, Parent(path))
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil || !slices.Contains(names, path[len(Parent(path))+1:]) {
				return err
			}
			found[i], err = t.deletionBelow(inner, path)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("find the state of topology %s: %w", topology, err)
	}
	return slices.Concat(found...), nil
}

// deletionBelow removes a node and everything below it, which comes first.
func (t Tree) deletionBelow(ctx context.Context, path string) ([]Op, error) {
	names, err := t.Children(ctx, path)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	var ops []Op
	for _, name := range names {
		below, err := t.deletionBelow(ctx, path+"/"+name)
		if err != nil {
			return nil, err
		}
		ops = append(ops, below...)
	}
	return append(ops, Delete(path)), nil
}

// deleteTries bounds how often DeleteTopology reads again. Heron's processes
// may still change their nodes, but each only a few times while it ends.
const deleteTries = 20

// DeleteTopology removes all of a topology and nothing of others, in one
// transaction if it fits, and only while all guards hold, which are checks.
// Missing nodes are no error. If nodes come or go in the meantime it reads
// again. For withCheckpoints see Deletion.
func (t Tree) DeleteTopology(ctx context.Context, topology string, withCheckpoints bool, guards ...Op) error {
	for try := 1; ; try++ {
		ops, err := t.Deletion(ctx, topology, withCheckpoints)
		if err != nil || len(ops) == 0 {
			return err
		}
		err = t.Apply(ctx, append(guards[:len(guards):len(guards)], ops...)...)
		if errors.Is(err, ErrTooLarge) {
			err = t.oneByOne(ctx, ops, guards)
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

// oneByOne deletes without undoing anything when one deletion fails.
func (t Tree) oneByOne(ctx context.Context, ops, guards []Op) error {
	for _, op := range ops {
		if err := t.Apply(ctx, append(guards[:len(guards):len(guards)], op)...); err != nil {
			return err
		}
	}
	return nil
}
