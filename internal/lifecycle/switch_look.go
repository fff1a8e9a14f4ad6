package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// sight is what TManager and state say about a topology's state.
type sight struct {
	// at is where the TManager is.
	at *heronpb.TManagerLocation
	// state is the TManager's own, where it has a complete plan; else that of
	// the plan that it stored.
	state heronpb.TopologyState
	// stored is that of the plan in the state.
	stored heronpb.TopologyState
	// incomplete is why the TManager has no complete plan; nil where it has one.
	incomplete error
}

// shows says that everybody agrees on a state.
func (s sight) shows(state heronpb.TopologyState) bool {
	return s.incomplete == nil && s.state == state && s.stored == state
}

// missing says why a state does not show.
func (s sight) missing(state heronpb.TopologyState) error {
	switch {
	case s.incomplete != nil:
		return s.incomplete
	case s.state != state:
		return fmt.Errorf("the TManager's physical plan says %s", s.state)
	}
	return fmt.Errorf("the physical plan in the state says %s", s.stored)
}

// look asks TManager and state.
func (s *switching) look(ctx context.Context) error {
	at, err := s.Cluster.FindTManager(ctx, s.Name, s.ID())
	if err != nil {
		return err
	}
	plan, asked := s.Cluster.TManager.PhysicalPlan(ctx, at)
	if asked != nil && !errors.Is(asked, tmanager.ErrNoPlan) {
		return asked
	}
	// Read after the TManager has answered: it stores a state before it says so.
	stored, err := s.Cluster.StoredPlan(ctx, s.Name, s.ID())
	if err != nil {
		return err
	}
	s.seen = sight{at: at, stored: stored.GetTopology().GetState(), incomplete: asked}
	s.seen.state = s.seen.stored
	if asked == nil {
		s.seen.state = plan.GetTopology().GetState()
	}
	return nil
}
