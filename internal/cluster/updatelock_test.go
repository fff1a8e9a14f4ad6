package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

func owner() statemgr.Owner { return statemgr.NewOwner(statemgr.OperationUpdate, "ann", time.Now()) }

func TestTheLockOfUpdatesInAFolder(t *testing.T) {
	t.Parallel()
	b := clustertest.New(t)
	ctx, c := t.Context(), b.Cluster
	b.Must(c.State.EnsureDirs(ctx, c.State.Dirs()...))
	path := c.State.Locks("words")

	one := owner()
	release, err := c.LockUpdate(ctx, "words", one)
	b.Must(err)
	if _, err := c.State.Read(ctx, path); err != nil {
		t.Error("the original's client would not wait:", err)
	}
	// Its owner has no node, so it counts as dead.
	again, err := c.LockUpdate(ctx, "words", owner())
	if err != nil {
		t.Error("the lock of a dead command:", err)
	}
	b.Must(release(ctx))
	if _, err := c.State.Read(ctx, path); err != nil {
		t.Error("somebody else's lock was released:", err)
	}
	b.Must(again(ctx))
	if _, err := c.State.Read(ctx, path); !errors.Is(err, statemgr.ErrNotFound) {
		t.Error("the lock is still there:", err)
	}

	b.Must(c.State.Apply(ctx, statemgr.Create(path, []byte("main"))))
	_, err = c.LockUpdate(ctx, "words", owner())
	if outcome.KindOf(err) != outcome.Busy || !strings.Contains(err.Error(), "remove that file") || !strings.Contains(err.Error(), path) {
		t.Errorf("the original's lock: %v", err)
	}
}
