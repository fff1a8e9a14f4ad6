package versions

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
)

// takeBack are the steps that put the base back where a change died, the last
// part of the change first. Each does what is missing.
func (c *change) takeBack() []operation.Step {
	do := func(undo func(context.Context) (bool, error)) func(context.Context) error {
		return func(ctx context.Context) error { _, err := undo(ctx); return err }
	}
	list := []operation.Step{
		{Action: operation.Stop, Of: c.job(), Do: do(c.endTarget)},
		{Action: operation.Await, Of: outcome.Resource{Kind: outcome.Containers, ID: c.jobID()}, Do: c.awaitEnd},
		{Action: operation.Write, Of: c.cl.StateResource(c.name), Do: do(c.restoreState)},
		{Action: operation.Register, Of: c.job(), Do: do(c.restoreJob)},
	}
	if c.drop != nil && c.pkg.ID != "" {
		list = append(list, operation.Step{Action: operation.Remove, Of: c.pkg, Do: do(c.dropPackage)})
	}
	return list
}

// endTarget stops the target's job and waits until its containers have ended.
func (c *change) endTarget(ctx context.Context) (bool, error) {
	if c.claim.Lost(ctx) {
		return false, nil
	}
	job, err := c.readJob(ctx)
	if err != nil || !c.isTarget(job) {
		return false, err
	}
	if err := c.cl.Jobs.Stop(ctx, job); err != nil {
		return true, err
	}
	return true, c.cl.AwaitEnd(ctx, c.jobID())
}

// restoreState puts the base's state back, and takes the target out of the
// history.
func (c *change) restoreState(ctx context.Context) (bool, error) {
	if c.claim.Lost(ctx) {
		return false, nil
	}
	job, err := c.readJob(ctx)
	if err != nil {
		return false, err
	}
	if c.isTarget(job) && !jobspec.Stopped(job) {
		return false, fmt.Errorf("job %s of version %d still runs", c.jobID(), c.target.Number)
	}
	gone, err := c.versionNodes(c.target, false)
	if err != nil {
		return false, err
	}
	if c.checkBack(ctx) == nil {
		// It was never written, or is back already. Without a record there may be
		// parts of the target nevertheless.
		return c.write(ctx, gone)
	}
	nodes, err := c.stateOf(c.base, c.target.PausedBefore)
	if err != nil {
		return false, err
	}
	if len(c.target.Checkpoints) > 0 {
		nodes = append(nodes, node{path: c.cl.State.Checkpoints(c.name), data: c.target.Checkpoints})
	}
	did, err := c.write(ctx, append(nodes, gone...))
	var lost *operation.LostError
	if errors.As(err, &lost) {
		return false, nil
	}
	return did, err
}

// restoreJob starts the base's job again.
func (c *change) restoreJob(ctx context.Context) (bool, error) {
	if c.claim.Lost(ctx) {
		return false, nil
	}
	if err := c.checkBack(ctx); err != nil {
		return false, err
	}
	there, err := c.readJob(ctx)
	if err != nil {
		return false, err
	}
	if there != nil && !c.isTarget(there) && !jobspec.Stopped(there) {
		return false, nil
	}
	job, err := c.baseJob(ctx, there)
	if err != nil {
		return false, err
	}
	return true, c.put(ctx, job, func(now *api.Job) bool { return !c.isTarget(now) })
}

// baseJob is the base's job to register: as Nomad has it or had it, else as it
// was recorded.
func (c *change) baseJob(ctx context.Context, there *api.Job) (*api.Job, error) {
	job := c.old
	if there != nil && !c.isTarget(there) {
		job = there
	}
	if job != nil {
		again := *job
		again.Stop = nil
		return &again, nil
	}
	cl, err := c.clusterOf(c.base)
	if err != nil {
		return nil, err
	}
	fetch, err := fetchURI(ctx, cl, c.name, c.base)
	if err != nil {
		return nil, err
	}
	return jobspec.Restore(c.base.Job, fetch, c.cl.Settings.Nomad.DockerAuth)
}
