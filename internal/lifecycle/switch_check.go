package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// check refuses what cannot be activated or deactivated. It changes nothing.
func (s *switching) check(ctx context.Context) error {
	if err := s.CheckWhole(); err != nil {
		return err
	}
	// That a submit which died had registered its job is proved by the TManager's
	// answer.
	if _, err := s.CheckDead(""); err != nil {
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
	return s.CheckRights(ctx)
}

// nothingToDo says that the topology is in the target state, and that no
// operation which died has left its intent.
func (s *switching) nothingToDo() bool { return s.seen.shows(s.to) && s.There.Pending == nil }

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
		return fmt.Errorf("%s topology %q: %w", s.Operation, s.Name, err)
	}
	return s.Errorf(kind, "%w; nothing was changed; %s", err, hint)
}
