package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// updateLockWait is how long a lock of another client is waited for. The
// original's client gives up after 5 s.
const updateLockWait = 10 * time.Second

// kindFolder is the kind of a state store in a folder.
const kindFolder = "localfs"

// LockUpdate takes the lock that the original's client takes for an update, so
// that such a client waits. Our own commands exclude each other by the claim,
// which the owner must have. A lock that somebody else has for longer than it is
// worth waiting for is an error of kind Busy.
//
// In ZooKeeper the lock ends with the session. In a folder it is a file, as the
// original makes it; one that a dead command of ours left is taken over.
func (c Cluster) LockUpdate(ctx context.Context, name string, owner statemgr.Owner) (release func(context.Context) error, err error) {
	if c.Settings.State.Kind == kindFolder {
		return c.lockFile(ctx, name, owner)
	}
	return c.lockLease(ctx, name, owner)
}

// lockLease has a lease of Curator's semaphore. It takes no place in Curator's
// own queue: two that see each other's lease wait, and the other side gives up
// first.
func (c Cluster) lockLease(ctx context.Context, name string, owner statemgr.Owner) (func(context.Context) error, error) {
	leases := c.State.Leases(name)
	what := fmt.Sprintf("take the lock for updates of topology %q at %s", name, leases)
	data, err := json.Marshal(owner)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if err := c.State.EnsureDirs(ctx, leases); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	held, err := c.State.Hold(ctx, c.State.Lease(name, owner.Token), data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	release := func(ctx context.Context) error {
		if err := held(ctx); err != nil {
			return err
		}
		c.tidyLock(ctx, name)
		return nil
	}
	if err = c.onlyLease(ctx, name, leases); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", what, err), release(context.WithoutCancel(ctx)))
	}
	return release, nil
}

// onlyLease waits until there is no other lease. Those of dead commands of ours
// last until their session ends, and are removed.
func (c Cluster) onlyLease(ctx context.Context, name, leases string) error {
	bounded, cancel := context.WithTimeout(ctx, updateLockWait)
	defer cancel()
	tick := time.NewTicker(PlanPoll)
	defer tick.Stop()
	for {
		names, err := c.State.Children(bounded, leases)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && len(names) <= 1:
			return nil
		case err != nil && bounded.Err() == nil:
			return err
		}
		for _, lease := range names {
			if _, err := c.dropDead(bounded, name, leases+"/"+lease); err != nil && bounded.Err() == nil {
				return err
			}
		}
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return outcome.Errorf(outcome.Busy, "another client updates the topology; try again when it has ended, or, if it has crashed, when its session has expired")
		case <-tick.C:
		}
	}
}

// tidyLock removes the empty directories of the lock. Curator makes them again;
// a failure costs nothing but tidiness.
func (c Cluster) tidyLock(ctx context.Context, name string) {
	for _, path := range []string{c.State.Leases(name), c.State.Locks(name)} {
		if err := c.State.Apply(ctx, statemgr.Delete(path)); err != nil && !errors.Is(err, statemgr.ErrNotFound) {
			return
		}
	}
}

// lockFile makes the file that is the lock.
func (c Cluster) lockFile(ctx context.Context, name string, owner statemgr.Owner) (func(context.Context) error, error) {
	path := c.State.Locks(name)
	what := fmt.Sprintf("take the lock for updates of topology %q at %s", name, path)
	data, err := json.Marshal(owner)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	bounded, cancel := context.WithTimeout(ctx, updateLockWait)
	defer cancel()
	tick := time.NewTicker(PlanPoll)
	defer tick.Stop()
	for {
		err := c.State.Apply(ctx, statemgr.Create(path, data))
		if err == nil {
			return func(ctx context.Context) error { return c.unlockFile(ctx, path, string(data)) }, nil
		}
		if !errors.Is(err, statemgr.ErrExists) {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		gone, err := c.dropDead(ctx, name, path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		if gone {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-bounded.Done():
			return nil, outcome.Errorf(outcome.Busy, "%s: another client updates the topology; try again when it has ended, or, if it has crashed, remove that file", what)
		case <-tick.C:
		}
	}
}

// dropDead removes a lock that a dead command of ours left, and says whether it
// is gone.
func (c Cluster) dropDead(ctx context.Context, name, path string) (bool, error) {
	node, err := c.State.Read(ctx, path)
	if errors.Is(err, statemgr.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	var owner statemgr.Owner
	if json.Unmarshal(node.Data, &owner) != nil || c.State.Owner(name, owner.Token) == "" {
		return false, nil // the original's
	}
	alive, err := c.State.OwnerAlive(ctx, name, owner)
	if alive || err != nil {
		return false, err
	}
	if err = c.State.Apply(ctx, statemgr.Delete(path)); errors.Is(err, statemgr.ErrNotFound) {
		err = nil
	}
	return err == nil, err
}

// unlockFile removes the lock if it is still this one.
func (c Cluster) unlockFile(ctx context.Context, path, data string) error {
	node, err := c.State.Read(ctx, path)
	if err == nil && string(node.Data) == data {
		err = c.State.Apply(ctx, statemgr.Delete(path))
	}
	if errors.Is(err, statemgr.ErrNotFound) {
		return nil
	}
	return err
}
