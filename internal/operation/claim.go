package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Claim is this process's right to act on one topology: an intent that names
// the operation and its step, and a node that this process holds as long as it
// lives. It is lost when the servers take the process for dead and another
// operation takes over. A Claim is used by one goroutine at a time.
type Claim struct {
	tree     statemgr.Tree
	name     string
	progress progress.Sink
	intent   statemgr.Intent
	// version is that of the intent's node, -1 before it is written.
	version int
	release func(context.Context) error
	lost    bool
	notes   []func(*statemgr.Intent)
}

// Take claims a topology for the operation, the owner and the steps that the
// intent names, in place of the one that was found; nil for none. Another
// operation that began in between is a *BusyError.
func Take(ctx context.Context, tree statemgr.Tree, sink progress.Sink, name string, intent statemgr.Intent, found *Pending) (*Claim, error) {
	what := fmt.Sprintf("claim topology %q at %s", name, tree.Operation(name))
	if err := tree.EnsureDirs(ctx, tree.Dirs()...); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	release, err := tree.HoldOwner(ctx, name, intent.Owner)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	c := &Claim{tree: tree, name: name, progress: sink, intent: intent, version: -1, release: release}
	if found != nil {
		c.version = found.Version
	}
	if err := c.Write(ctx, intent); err != nil {
		if found == nil && !errors.Is(err, statemgr.ErrExists) {
			c.takeBack(context.WithoutCancel(ctx))
		}
		c.Release(context.WithoutCancel(ctx))
		if errors.Is(err, statemgr.ErrExists) || c.lost {
			return nil, fmt.Errorf("%s: %w", what, &BusyError{Topology: name})
		}
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	Sweep(ctx, tree, sink, name)
	return c, nil
}

// Sweep removes what dead owners of a topology left behind. A failure costs
// nothing but tidiness.
func Sweep(ctx context.Context, tree statemgr.Tree, sink progress.Sink, name string) {
	if err := tree.SweepOwners(ctx, name); err != nil {
		sink.Warn("remove", outcome.Resource{Kind: outcome.Node, ID: tree.Owners()}, "could not remove what dead owners left", err)
	}
}

// Intent is the intent as this claim wrote it last.
func (c *Claim) Intent() statemgr.Intent { return c.intent }

// Resource names the claim's note in the state store.
func (c *Claim) Resource() outcome.Resource {
	return outcome.Resource{Kind: outcome.Claim, ID: c.tree.Operation(c.name)}
}

// takeBack removes an intent that may or may not have been written.
func (c *Claim) takeBack(ctx context.Context) {
	path := c.tree.Operation(c.name)
	node, err := c.tree.Read(ctx, path)
	if err == nil {
		var there statemgr.Intent
		if there, err = statemgr.DecodeIntent(node.Data); err != nil || there.Owner.Token != c.intent.Owner.Token {
			return
		}
		err = c.tree.Apply(ctx, statemgr.Delete(path).At(node.Version))
	}
	if err != nil && !errors.Is(err, statemgr.ErrNotFound) {
		c.warnLeft(err)
	}
}

// warnLeft says that the intent may still be there.
func (c *Claim) warnLeft(err error) {
	c.progress.Warn("remove", c.Resource(), "it may still be there, which does no harm: the next operation removes it", err)
}

// Write stores an intent as this claim's, if the claim still holds.
func (c *Claim) Write(ctx context.Context, intent statemgr.Intent) error {
	data, err := intent.Encode()
	if err != nil {
		return err
	}
	path := c.tree.Operation(c.name)
	op := statemgr.Create(path, data)
	if c.version >= 0 {
		op = statemgr.Set(path, data).At(c.version)
	}
	err = c.tree.Apply(ctx, statemgr.Check(c.tree.Owner(c.name, intent.Owner.Token)), op)
	if errors.Is(err, statemgr.ErrUnreachable) {
		// The reply may have been lost on the way.
		if done, readErr := c.tree.Done(ctx, op); readErr == nil && done {
			err = nil
		}
	}
	if err != nil {
		return c.Seen(err)
	}
	c.intent, c.version = intent, c.version+1
	return nil
}

// Note changes the intent with the next step that is reached.
func (c *Claim) Note(change func(*statemgr.Intent)) { c.notes = append(c.notes, change) }

// reach notes in the intent that a step begins. An operation that continues
// another one's work does not return to a step before the one which that had reached.
func (c *Claim) reach(ctx context.Context, step string) error {
	next := c.intent
	if slices.Index(next.Steps, next.Step) <= slices.Index(next.Steps, step) {
		next.Step = step
	}
	if next.Step == c.intent.Step && len(c.notes) == 0 {
		return nil
	}
	for _, change := range c.notes {
		change(&next)
	}
	if err := c.Write(ctx, next); err != nil {
		return err
	}
	c.notes = nil
	return nil
}

// Guards are checks for a transaction: it is refused once the claim is lost.
func (c *Claim) Guards() []statemgr.Op {
	return []statemgr.Op{
		statemgr.Check(c.tree.Owner(c.name, c.intent.Owner.Token)),
		statemgr.Check(c.tree.Operation(c.name)).At(c.version),
	}
}

// Seen turns a transaction's error into a *LostError where it shows that the
// claim is lost, and returns any other as it is.
func (c *Claim) Seen(err error) error {
	var refused *statemgr.TxError
	if !errors.As(err, &refused) || !errors.Is(err, statemgr.ErrNotFound) && !errors.Is(err, statemgr.ErrVersion) {
		return err
	}
	if path := refused.Op.Path; path != c.tree.Operation(c.name) && !strings.HasPrefix(path, c.tree.Owners()+"/") {
		return err
	}
	c.lost = true
	return &LostError{Topology: c.name, Err: err}
}

// Lost asks whether another operation has taken over. Where the store does not
// answer, what was known last holds.
func (c *Claim) Lost(ctx context.Context) bool {
	if !c.lost {
		_ = c.Seen(c.tree.Apply(ctx, c.Guards()...))
	}
	return c.lost
}
