package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// check refuses what cannot be activated or deactivated. It changes nothing.
func (s *switching) check(ctx context.Context) error {
	cl, there := s.cl, s.there
	if err := checkPending(cl, s.name, there.Pending); err != nil {
		return err
	}
	if err := s.checkThere(); err != nil {
		return err
	}
	if err := checkIdentity(cl, s.operation, there); err != nil {
		return err
	}
	s.id = there.ID()
	if err := s.checkDead(); err != nil {
		return err
	}
	if err := s.look(ctx); err != nil {
		return s.unreadable(err)
	}
	if s.seen.state != s.from && s.seen.state != s.to {
		return s.wrongState()
	}
	if s.nothingToDo() {
		return nil
	}
	if err := cl.State.CheckRights(ctx, claimRights(cl.State, s.name, there.Pending)...); err != nil {
		return fmt.Errorf("%s topology %q: %w; nothing was changed", s.operation, s.name, err)
	}
	return nil
}

// nothingToDo says that the topology is in the target state, and that no
// operation which died has left its intent.
func (s *switching) nothingToDo() bool { return s.seen.shows(s.to) && s.there.Pending == nil }

// checkThere demands the nodes that say which topology this is, and whose.
func (s *switching) checkThere() error {
	def, state := s.there.Definition, s.there.ExecutionState
	switch {
	case !def.There && !state.There:
		return outcome.Errorf(outcome.NotFound, "no topology %q in cluster %s: no state below %s", s.name, s.cl.Settings.Cluster, s.cl.State.Root)
	case def.Err != nil || state.Err != nil:
		return s.broken(outcome.Errorf(outcome.Differs, "%s topology %q: its state cannot be understood: %w", s.operation, s.name, errors.Join(def.Err, state.Err)))
	case !def.There:
		return s.broken(outcome.Errorf(outcome.Differs, "%s topology %q: its state is incomplete: no %s", s.operation, s.name, def.Path))
	case !state.There:
		return s.broken(outcome.Errorf(outcome.Differs, "%s topology %q: its state is incomplete: no %s", s.operation, s.name, state.Path))
	}
	return nil
}

// checkDead refuses a topology that an operation which died has left in parts. A
// submit that had written everything misses no more than the removal of its
// intent, which the TManager's answer proves: it needs the job.
func (s *switching) checkDead() error {
	dead := s.there.Pending
	if dead == nil {
		return nil
	}
	switch i := dead.Intent; i.Operation {
	case statemgr.OperationActivate, statemgr.OperationDeactivate:
		return nil
	case statemgr.OperationSubmit:
		if i.TopologyID == s.id && s.there.Complete(s.id) {
			return nil
		}
	}
	i := dead.Intent
	err := outcome.Errorf(outcome.Differs, "%s topology %q: %s died at the step %q; repeat that command first, or kill the topology",
		s.operation, s.name, i.Owner, i.Step)
	if i.Partial() {
		return s.broken(err)
	}
	return err
}

// broken adds the remedy for a topology of which a part is missing.
func (s *switching) broken(err error) error {
	return outcome.WithRemedy(err, s.cl.KillRemedy(s.name))
}

// unreadable words what the first look at TManager and plan found.
func (s *switching) unreadable(err error) error {
	hint := "wait until it runs"
	kind := outcome.KindOf(err)
	switch {
	case errors.Is(err, cluster.ErrNoTManager):
	case errors.Is(err, cluster.ErrNoStoredPlan):
		kind = outcome.Differs
	case errors.Is(err, tmanager.ErrUnreachable):
		hint = "see whether its container 0 runs and can be reached from here"
	default:
		return fmt.Errorf("%s topology %q: %w", s.operation, s.name, err)
	}
	return outcome.Errorf(kind, "%s topology %q: %w; nothing was changed; %s", s.operation, s.name, err, hint)
}
