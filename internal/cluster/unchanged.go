package cluster

import "context"

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
