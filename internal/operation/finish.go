package operation

import (
	"context"
	"errors"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Drop removes the intent and releases the claim. A claim that was lost is a
// *LostError.
func (c *Claim) Drop(ctx context.Context) error {
	defer c.Release(ctx)
	guard := statemgr.Check(c.tree.Owner(c.name, c.intent.Owner.Token))
	err := c.tree.Apply(ctx, guard, statemgr.Delete(c.tree.Operation(c.name)).At(c.version))
	if errors.Is(err, statemgr.ErrUnreachable) {
		if _, readErr := c.tree.Read(ctx, c.tree.Operation(c.name)); errors.Is(readErr, statemgr.ErrNotFound) {
			return nil
		}
	}
	return c.Seen(err)
}

// Release gives up the claim and leaves the intent to the next operation.
func (c *Claim) Release(ctx context.Context) {
	if err := c.release(ctx); err != nil {
		c.progress.Warn("release", c.Resource(), "could not release the claim; it ends with the session", err)
	}
}

// Keep releases the claim after a run that failed and that others have to
// continue or to undo: the intent stays for them, and counts as left. A failure
// that is no *Failure becomes one of an action on the claim.
func (c *Claim) Keep(ctx context.Context, action string, remedy outcome.Remedy, err error) error {
	c.Release(context.WithoutCancel(ctx))
	if errors.As(err, new(*LostError)) {
		return err
	}
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Action: action, Of: c.Resource(), Err: err, Remedy: &remedy}
	}
	f.Left = append(f.Left, outcome.Leftover{Resource: c.Resource(), Why: "it names what a dead operation left"})
	return f
}

// Finish ends the claim after a run that ended with err. The intent goes,
// unless something is left that the next operation has to find by it. It works
// also when ctx has ended.
func (c *Claim) Finish(ctx context.Context, err error) error {
	ctx = context.WithoutCancel(ctx)
	var f *Failure
	failed := errors.As(err, &f)
	switch {
	case c.lost && err != nil:
		c.Release(ctx)
		return &LostError{Topology: c.name}
	case failed && f.repairable():
		c.Release(ctx)
		return err
	}
	dropErr := c.Drop(ctx)
	switch {
	case dropErr == nil:
	case err == nil && c.lost:
		return dropErr
	case err == nil || !failed:
		c.warnLeft(dropErr)
	case !c.lost:
		f.Left = append(f.Left, outcome.Leftover{Resource: c.Resource(), Why: dropErr.Error()})
	}
	if failed && !f.repairable() {
		f.Remedy = nil // nothing is left that it could remove
	}
	return err
}
