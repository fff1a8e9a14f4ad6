package submit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// begun is an intent as it was found.
type begun struct {
	intent  statemgr.Intent
	version int
	// alive: its owner is, or may be, still at it.
	alive bool
}

// readIntent looks for an operation on a topology that has not ended, nil for
// none.
func (e Env) readIntent(ctx context.Context, layout statemgr.Layout, name string) (*begun, error) {
	path := layout.Operation(name)
	node, err := e.Store.Read(ctx, path)
	if errors.Is(err, statemgr.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an operation on %q: %w", name, err)
	}
	intent, err := statemgr.DecodeIntent(node.Data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	alive, err := e.Store.OwnerAlive(ctx, name, intent.Owner)
	if err != nil {
		return nil, fmt.Errorf("see whether %s is under way: %w", intent.Owner, err)
	}
	return &begun{intent: intent, version: node.Version, alive: alive}, nil
}

// busy says that somebody else is at it.
func busy(name string, o statemgr.Owner) error {
	return outcome.Errorf(outcome.Exists, "topology %q: %s is under way; wait until it has ended. Should it have died on another machine, that shows when its session has ended, %s",
		name, o, "heron.statemgr.zookeeper.session.timeout.ms after its death")
}

// claim is this process's right to act on one topology: an intent that names
// it, and the node that it holds for as long as it lives. It is lost when the
// servers take the process for dead and somebody else takes over.
type claim struct {
	env     Env
	layout  statemgr.Layout
	name    string
	intent  statemgr.Intent
	version int
	release func(context.Context) error
	// lost is set when somebody else was found to have taken over.
	lost bool
}

// claimIntent writes an intent of the given owner, in the place of the one
// that was found, nil for none.
func (e Env) claimIntent(ctx context.Context, layout statemgr.Layout, name string, owner statemgr.Owner, intent statemgr.Intent, found *begun) (*claim, error) {
	what := fmt.Sprintf("claim topology %q at %s", name, layout.Operation(name))
	if err := e.Store.EnsureDirs(ctx, layout.Dirs()...); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	release, err := e.Store.HoldOwner(ctx, name, owner)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	intent.Owner = owner
	c := &claim{env: e, layout: layout, name: name, release: release, intent: intent, version: -1}
	if found != nil {
		c.version = found.version
	}
	if err := c.write(ctx, intent); err != nil {
		if found == nil && !errors.Is(err, statemgr.ErrExists) {
			c.takeBack(context.WithoutCancel(ctx))
		}
		c.letGo(context.WithoutCancel(ctx))
		if errors.Is(err, statemgr.ErrExists) || c.lost {
			err = outcome.Errorf(outcome.Exists, "%s: somebody else began at the same moment; wait until that has ended", what)
		}
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	e.sweep(ctx, layout, name)
	return c, nil
}

// sweep removes what dead owners of a topology left. Where that fails nothing
// is lost but tidiness.
func (e Env) sweep(ctx context.Context, layout statemgr.Layout, name string) {
	if err := e.Store.SweepOwners(ctx, name); err != nil {
		e.Report.say("could not remove what dead owners left in %s: %v", layout.Owners(), err)
	}
}

// takeBack removes an intent of which nobody knows whether it was written.
func (c *claim) takeBack(ctx context.Context) {
	path := c.layout.Operation(c.name)
	node, err := c.env.Store.Read(ctx, path)
	if err == nil {
		var there statemgr.Intent
		if there, err = statemgr.DecodeIntent(node.Data); err != nil || there.Owner.Token != c.intent.Owner.Token {
			return
		}
		err = c.env.Store.Apply(ctx, statemgr.Delete(path).At(node.Version))
	}
	if err != nil && !errors.Is(err, statemgr.ErrNotFound) {
		c.env.Report.say("%s may be left, which does no harm and goes with the next submit or kill: %v", path, err)
	}
}

// write stores the intent as this claim's, if it still is.
func (c *claim) write(ctx context.Context, intent statemgr.Intent) error {
	data, err := intent.Encode()
	if err != nil {
		return err
	}
	path := c.layout.Operation(c.name)
	op := statemgr.Create(path, data)
	if c.version >= 0 {
		op = statemgr.Set(path, data).At(c.version)
	}
	err = c.env.Store.Apply(ctx, statemgr.Check(c.layout.Owner(c.name, intent.Owner.Token)), op)
	if errors.Is(err, statemgr.ErrUnreachable) {
		// The reply may have been lost on the way.
		if done, readErr := c.env.Store.Done(ctx, op); readErr == nil && done {
			err = nil
		}
	}
	if err != nil {
		return c.seen(err)
	}
	c.intent, c.version = intent, c.version+1
	return nil
}

// reach notes that a step begins.
func (c *claim) reach(ctx context.Context, step string, change func(*statemgr.Intent)) error {
	next := c.intent
	if !after(next.Step, step) {
		next.Step = step
	}
	if change != nil {
		change(&next)
	}
	return c.write(ctx, next)
}

// The steps of a submission, as its intent names them.
const (
	stepPackage = "package"
	stepState   = "state"
	stepJob     = "job"
)

// after says whether a step of a submission comes after another.
func after(a, b string) bool {
	order := []string{stepPackage, stepState, stepJob}
	return slices.Index(order, a) > slices.Index(order, b)
}

// guards are checks for a transaction: it is refused once the claim is lost.
func (c *claim) guards() []statemgr.Op {
	return []statemgr.Op{
		statemgr.Check(c.layout.Owner(c.name, c.intent.Owner.Token)),
		statemgr.Check(c.layout.Operation(c.name)).At(c.version),
	}
}

// errLost is how an operation ends that somebody else has taken over.
var errLost = errors.New("somebody else has taken it over, for this process was taken for dead")

// seen takes note of a transaction's error that says that the claim is lost.
func (c *claim) seen(err error) error {
	var refused *statemgr.TxError
	if !errors.As(err, &refused) || !errors.Is(err, statemgr.ErrNotFound) && !errors.Is(err, statemgr.ErrVersion) {
		return err
	}
	if path := refused.Op.Path; path != c.layout.Operation(c.name) && !strings.HasPrefix(path, c.layout.Owners()+"/") {
		return err
	}
	c.lost = true
	return outcome.Errorf(outcome.Exists, "topology %q: %w (%w)", c.name, errLost, err)
}

// isLost asks whether somebody else has taken over. Where the store does not
// answer the last that is known holds.
func (c *claim) isLost(ctx context.Context) bool {
	if !c.lost {
		_ = c.seen(c.env.Store.Apply(ctx, c.guards()...))
	}
	return c.lost
}

// drop removes the intent and lets go. That it was lost is an error.
func (c *claim) drop(ctx context.Context) error {
	defer c.letGo(ctx)
	guard := statemgr.Check(c.layout.Owner(c.name, c.intent.Owner.Token))
	err := c.env.Store.Apply(ctx, guard, statemgr.Delete(c.layout.Operation(c.name)).At(c.version))
	if errors.Is(err, statemgr.ErrUnreachable) {
		if _, readErr := c.env.Store.Read(ctx, c.layout.Operation(c.name)); errors.Is(readErr, statemgr.ErrNotFound) {
			return nil
		}
	}
	return c.seen(err)
}

// letGo leaves the intent to whoever comes next.
func (c *claim) letGo(ctx context.Context) {
	if err := c.release(ctx); err != nil {
		c.env.Report.say("could not let go of topology %q; that ends with the session: %v", c.name, err)
	}
}
