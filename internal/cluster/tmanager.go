package cluster

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// Errors about a topology's TManager that callers tell apart.
var (
	// ErrNoTManager: the state has no location of a TManager of this topology.
	ErrNoTManager = outcome.New(outcome.Unreachable, "no TManager of it has registered")
	// ErrNoStoredPlan: the state has no physical plan of this topology.
	ErrNoStoredPlan = errors.New("its TManager has not made a physical plan")
)

// FindTManager reads where the TManager of a topology id is. A location that
// an earlier topology of the name left, or that cannot be understood, counts
// as none: it is ErrNoTManager.
func (c Cluster) FindTManager(ctx context.Context, name, id string) (*heronpb.TManagerLocation, error) {
	path := c.State.TManager(name)
	node, err := c.State.Read(ctx, path)
	if errors.Is(err, statemgr.ErrNotFound) {
		return nil, fmt.Errorf("%w at %s", ErrNoTManager, path)
	}
	if err != nil {
		return nil, err
	}
	return tmanagerAt(node, path, id)
}

// tmanagerAt is the location in a node, where it is of a topology id.
func tmanagerAt(node statemgr.Node, path, id string) (*heronpb.TManagerLocation, error) {
	at := &heronpb.TManagerLocation{}
	if err := proto.Unmarshal(node.Data, at); err != nil {
		return nil, fmt.Errorf("%w: %s cannot be understood: %w", ErrNoTManager, path, err)
	}
	if at.GetTopologyId() != id {
		return nil, fmt.Errorf("%w: %s is of an earlier run, %s, not of %s", ErrNoTManager, path, at.GetTopologyId(), id)
	}
	return at, nil
}

// StoredPlan reads the physical plan of a topology id that its TManager stored
// last. It may name stream managers that are gone, but its state is the one
// that the TManager goes by. A plan of another id, or one that cannot be
// understood, is ErrNoStoredPlan.
func (c Cluster) StoredPlan(ctx context.Context, name, id string) (*heronpb.PhysicalPlan, error) {
	path := c.State.PhysicalPlan(name)
	node, err := c.State.Read(ctx, path)
	if errors.Is(err, statemgr.ErrNotFound) {
		return nil, ErrNoStoredPlan
	}
	if err != nil {
		return nil, err
	}
	plan := &heronpb.PhysicalPlan{}
	if err := proto.Unmarshal(node.Data, plan); err != nil {
		return nil, fmt.Errorf("%w: %s cannot be understood: %w", ErrNoStoredPlan, path, err)
	}
	if there := plan.GetTopology().GetId(); there != id {
		return nil, fmt.Errorf("%w: %s is of an earlier run, %s, not of %s", ErrNoStoredPlan, path, there, id)
	}
	return plan, nil
}

// PlanMayCome says of an error that it may pass: a TManager that has ended is
// started again, and makes a physical plan when its stream managers are back.
func PlanMayCome(err error) bool {
	return errors.Is(err, tmanager.ErrUnreachable) && !errors.Is(err, tmanager.ErrOther) || errors.Is(err, tmanager.ErrNoPlan) ||
		errors.Is(err, ErrNoTManager) || errors.Is(err, ErrNoStoredPlan)
}
