package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/subject"
)

// UnlockOptions change what Unlock takes away.
type UnlockOptions struct {
	// Force takes the claim and the update lock from those who hold them, also
	// where they may be at work.
	Force bool
}

// Unlocked is what Unlock found and removed.
type Unlocked struct {
	Topology string `json:"topology"`
	// ID is the topology's, "" where nothing tells it.
	ID string `json:"id"`
	// Operation is the one whose claim was looked at, nil where there was none.
	Operation *UnlockedOperation `json:"operation,omitempty"`
	Removed   []outcome.Resource `json:"removed"`
	// Kept is the intent of an operation that has left something half done: the
	// next command needs it.
	Kept []outcome.Leftover `json:"kept"`
	// Remedy finishes or removes what is half done; nil where nothing is.
	Remedy *outcome.Remedy `json:"-"`
}

// UnlockedOperation is an operation that died, or whose claim was taken away.
type UnlockedOperation struct {
	Name  string    `json:"name"`
	Step  string    `json:"step"`
	User  string    `json:"user"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
	// Via is on whose behalf it acted, if it was an API server's.
	Via statemgr.Via `json:"via,omitzero"`
	// Alive: it was at work, or may have been.
	Alive bool `json:"alive"`
}

// Unlock removes what an operation that died on a topology holds: its claim and
// the update lock of the original client. While the holder may be alive, it
// refuses with an error of kind outcome.Busy and changes nothing, unless it is
// forced. An operation that left something half done keeps its intent, without
// which no command could finish or undo it.
func Unlock(ctx context.Context, cl cluster.Cluster, name string, opts UnlockOptions) (*Unlocked, error) {
	u := &unlocking{cl: cl, name: name, opts: opts, done: &Unlocked{Topology: name, Removed: []outcome.Resource{}, Kept: []outcome.Leftover{}}}
	if err := u.look(ctx); err != nil {
		return nil, err
	}
	if err := u.check(); err != nil {
		return nil, err
	}
	if err := u.owners(ctx); err != nil {
		return nil, u.failed(err)
	}
	if err := u.intent(ctx); err != nil {
		return nil, u.failed(err)
	}
	if err := u.updateLock(ctx); err != nil {
		return nil, u.failed(err)
	}
	return u.done, nil
}

// unlocking is one run of Unlock.
type unlocking struct {
	cl    cluster.Cluster
	name  string
	opts  UnlockOptions
	there *cluster.Topology
	lock  *statemgr.UpdateLock
	done  *Unlocked
}

// look reads what there is. Nomad is asked only about operations that make
// topologies or remove them.
func (u *unlocking) look(ctx context.Context) error {
	found, err := operation.Find(ctx, u.cl.State, u.name)
	if err != nil {
		return err
	}
	partial := found != nil && found.Intent.Partial()
	if u.there, err = u.cl.Look(ctx, u.name, cluster.Scope{Job: partial, Nodes: partial}); err != nil {
		return err
	}
	u.lock, err = u.cl.State.FindUpdateLock(ctx, u.name)
	return err
}

// check refuses what must not be taken away.
func (u *unlocking) check() error {
	if err := subject.CheckIdentity(u.cl, "unlock", u.there); err != nil {
		return err
	}
	u.done.ID = u.there.AnyID()
	if p := u.there.Pending; p != nil {
		i := p.Intent
		if err := subject.CheckIntent(u.cl, u.name, i); err != nil {
			return err
		}
		u.done.Operation = &UnlockedOperation{
			Name: i.Operation, Step: i.Step, User: i.Owner.User, Host: i.Owner.Host, PID: i.Owner.PID, Since: i.Owner.Since, Via: i.Owner.Via, Alive: p.Alive,
		}
		if p.Alive && !u.opts.Force {
			return &operation.BusyError{Topology: u.name, Owner: i.Owner}
		}
	}
	if u.lock != nil && !u.lock.Dead && !u.opts.Force {
		return outcome.Errorf(outcome.Busy, "topology %q: %s; nothing was changed", u.name, u.lock)
	}
	return nil
}

// owners removes the nodes of dead owners, and that of one whose claim is taken
// away: from then on the store refuses what it writes.
func (u *unlocking) owners(ctx context.Context) error {
	tree := u.cl.State
	paths, err := tree.DeadOwners(ctx, u.name)
	if err != nil {
		return err
	}
	if p := u.there.Pending; p != nil && p.Alive {
		paths = append(paths, tree.Owner(u.name, p.Intent.Owner.Token))
	}
	for _, path := range paths {
		if err := u.remove(ctx, statemgr.Delete(path)); err != nil {
			return err
		}
	}
	return nil
}

// intent removes the intent, unless it tells what is half done.
func (u *unlocking) intent(ctx context.Context) error {
	p := u.there.Pending
	if p == nil {
		return nil
	}
	path := u.cl.State.Operation(u.name)
	if halfDone := HalfDone(u.there); halfDone != "" {
		claim := outcome.Resource{Kind: outcome.Claim, ID: path}
		u.done.Kept = append(u.done.Kept, outcome.Leftover{Resource: claim, Why: halfDone})
		u.done.Remedy = u.remedy(p.Intent)
		return nil
	}
	err := u.remove(ctx, statemgr.Delete(path).At(p.Version))
	if errors.Is(err, statemgr.ErrVersion) {
		return &operation.BusyError{Topology: u.name}
	}
	return err
}

// remedy is what finishes or undoes a dead operation.
func (u *unlocking) remedy(i statemgr.Intent) *outcome.Remedy {
	r := u.cl.KillRemedy(u.name)
	if i.Operation != statemgr.OperationKill {
		r.Action = outcome.Repeat
	}
	return &r
}

// updateLock takes the original client's lock away.
func (u *unlocking) updateLock(ctx context.Context) error {
	if u.lock == nil {
		return nil
	}
	for _, path := range u.lock.Paths {
		if err := u.remove(ctx, statemgr.Delete(path)); err != nil && !errors.Is(err, statemgr.ErrNotEmpty) {
			return err
		}
	}
	return nil
}

// remove deletes one node; one that is gone is no error.
func (u *unlocking) remove(ctx context.Context, op statemgr.Op) error {
	of := outcome.Resource{Kind: outcome.Node, ID: op.Path}
	err := u.cl.State.Apply(ctx, op)
	if errors.Is(err, statemgr.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	u.cl.Progress.Send(progress.Event{State: progress.Ended, Step: operation.Remove, What: of})
	u.done.Removed = append(u.done.Removed, of)
	return nil
}

// failed says what was done before.
func (u *unlocking) failed(err error) error {
	err = fmt.Errorf("unlock topology %q: %w", u.name, err)
	if len(u.done.Removed) > 0 {
		return fmt.Errorf("%w; removed before: %d nodes; the same command continues", err, len(u.done.Removed))
	}
	return err
}
