package cluster

import (
	"context"

	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Take claims a topology with an intent, in place of that of an operation which
// died. Where another command has changed the topology since it was looked at,
// that is a *operation.BusyError, and the claim is given back: what was decided
// may not fit any more.
func (c Cluster) Take(ctx context.Context, seen *Topology, intent statemgr.Intent) (*operation.Claim, error) {
	claim, err := operation.Take(ctx, c.State, c.Progress, seen.Name, intent, seen.Pending)
	if err != nil || seen.Pending != nil { // the note of the dead one shows that nobody came in between
		return claim, err
	}
	unchanged, err := c.Unchanged(ctx, seen)
	if err == nil && !unchanged {
		err = &operation.BusyError{Topology: seen.Name}
	}
	if err != nil {
		return nil, claim.Finish(ctx, err)
	}
	return claim, nil
}

// Unchanged reads the state of a topology once more and says whether its nodes
// are still the ones that the look found. A look comes before the claim: what
// another command did in between, from its claim to its end, shows only here.
func (c Cluster) Unchanged(ctx context.Context, seen *Topology) (bool, error) {
	now := &Topology{Name: seen.Name}
	if err := c.readState(ctx, now); err != nil {
		return false, err
	}
	return same(seen.Definition, now.Definition) && same(seen.PackingPlan, now.PackingPlan) &&
		same(seen.ExecutionState, now.ExecutionState) && same(seen.Scheduler, now.Scheduler) &&
		same(seen.Record, now.Record), nil
}

// same says that a part is the same node as before, never written since.
func same[T any](before, now Part[T]) bool {
	return before.There == now.There && before.stamp == now.stamp
}
