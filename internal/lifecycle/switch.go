package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/subject"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// SwitchOptions change how Activate and Deactivate wait.
type SwitchOptions struct {
	// Wait is the longest time until the physical plan shows the new state.
	Wait time.Duration
}

// Switched is what a successful Activate or Deactivate did.
type Switched struct {
	Topology string `json:"topology"`
	ID       string `json:"id"`
	// State is that of the topology now: RUNNING or PAUSED.
	State string `json:"state"`
	// Changed is false for a topology that was in that state already.
	Changed bool `json:"changed"`
}

// stepRequest is the only step that the intent of an activation names.
const stepRequest = "request"

// Activate sets a paused topology running, through its TManager, and returns
// when both the TManager's own answer and the physical plan in the state show
// it. A topology that runs already is a success. It asks Nomad nothing, so
// topologies of the original client are no different. cl.TManager must be set.
//
// Before the TManager is asked to change anything, the error is NotFound,
// Usage, Busy, Differs (there is a topology, but it cannot be activated) or
// Unreachable (there is no TManager, or it does not answer). Afterwards, a wait
// that is over or interrupted is WaitExpired: the topology may be activated.
func Activate(ctx context.Context, cl cluster.Cluster, name string, opts SwitchOptions) (*Switched, error) {
	return switchTo(ctx, cl, name, opts, heronpb.TopologyState_RUNNING)
}

// Deactivate pauses a running topology. Its contract is that of Activate.
func Deactivate(ctx context.Context, cl cluster.Cluster, name string, opts SwitchOptions) (*Switched, error) {
	return switchTo(ctx, cl, name, opts, heronpb.TopologyState_PAUSED)
}

func switchTo(ctx context.Context, cl cluster.Cluster, name string, opts SwitchOptions, target heronpb.TopologyState) (*Switched, error) {
	op := statemgr.OperationActivate
	if target == heronpb.TopologyState_PAUSED {
		op = statemgr.OperationDeactivate
	}
	there, err := subject.Look(ctx, cl, op, name, cluster.Scope{})
	if err != nil {
		return nil, err
	}
	s := newSwitching(there, target)
	s.wait = opts.Wait
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	result := &Switched{Topology: name, ID: s.ID(), State: target.String()}
	if s.nothingToDo() {
		return result, nil
	}
	// The intent names no job and no package, because none is touched.
	if s.claim, err = s.Take(ctx, s.Intent(stepRequest)); err != nil {
		return nil, err
	}
	if err := s.claim.Finish(ctx, s.act(ctx)); err != nil {
		return nil, err
	}
	result.Changed = s.changed
	return result, nil
}

// newSwitching is a change to a state, RUNNING or PAUSED.
func newSwitching(there *subject.Subject, target heronpb.TopologyState) *switching {
	s := &switching{Subject: there, request: there.Cluster.TManager.Activate, from: heronpb.TopologyState_PAUSED, to: target}
	if target == heronpb.TopologyState_PAUSED {
		s.request, s.from = there.Cluster.TManager.Deactivate, heronpb.TopologyState_RUNNING
	}
	return s
}

// switching is one run of Activate or Deactivate.
type switching struct {
	*subject.Subject
	wait     time.Duration
	request  func(context.Context, *heronpb.TManagerLocation) error
	from, to heronpb.TopologyState
	claim    *operation.Claim
	seen     sight
	// sent: the TManager was asked, and its answer may have been lost. accepted:
	// it said yes. changed: what is there now is this run's doing.
	sent, accepted, changed bool
	refusals                int
}

// refusalLimit is how many refusals in a row end the command. Another client
// may have changed the state between the look and the request; the look after
// the first refusal tells.
const refusalLimit = 2

// act asks the TManager and waits until the change shows. A TManager that dies
// meanwhile is asked again when it is back.
func (s *switching) act(ctx context.Context) error {
	s.Cluster.Progress.Begin(s.Operation, s.Resource())
	bounded, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	tick := time.NewTicker(cluster.PlanPoll)
	defer tick.Stop()
	var last error
	for {
		err := s.look(bounded)
		switch {
		case bounded.Err() != nil:
		case err == nil && s.seen.shows(s.to):
			s.changed = s.sent
			return nil
		case err == nil && !s.accepted && s.seen.state == s.from:
			if err = s.ask(ctx); s.final(err) {
				return err
			}
			if err == nil {
				continue // it stores the state before it answers
			}
		case err == nil && !s.accepted && s.seen.state != s.to:
			return s.wrongState()
		case err != nil && !cluster.PlanMayCome(err):
			return err
		}
		if err == nil {
			err = s.seen.missing(s.to)
		}
		if bounded.Err() != nil {
			if last == nil {
				last = err
			}
			return s.expired(ctx, last)
		}
		last = err
		select {
		case <-bounded.Done():
			return s.expired(ctx, last)
		case <-tick.C:
		}
	}
}

// ask sends the request. An interrupt does not cut it off, because it could
// still arrive; the TManager's client bounds it.
func (s *switching) ask(ctx context.Context) error {
	if s.claim.Lost(ctx) {
		return &operation.LostError{Topology: s.Name}
	}
	err := s.request(context.WithoutCancel(ctx), s.seen.at)
	var refused *tmanager.RefusedError
	switch {
	case err == nil:
		s.sent, s.accepted = true, true
		s.Cluster.Progress.Begin("wait for", outcome.Resource{Kind: outcome.PhysicalPlan, ID: s.Name})
	case errors.Is(err, tmanager.ErrUnreachable) && !errors.Is(err, tmanager.ErrOther):
		s.sent = true
	case errors.As(err, &refused):
		s.refusals++
	}
	return err
}

// final says whether an answer to the request ends the command.
func (s *switching) final(err error) bool {
	var refused *tmanager.RefusedError
	switch {
	case errors.As(err, &refused):
		return s.refusals >= refusalLimit
	case errors.Is(err, tmanager.ErrOther):
		return true
	case err == nil, errors.Is(err, tmanager.ErrUnreachable), errors.Is(err, tmanager.ErrNoPlan):
		return false
	}
	return true
}

// expired is the end of a wait: its time is over, or the caller interrupted it.
func (s *switching) expired(ctx context.Context, last error) error {
	switch {
	case ctx.Err() != nil && !s.sent:
		return ctx.Err()
	case ctx.Err() != nil:
		return s.Errorf(outcome.WaitExpired, "stopped waiting; its TManager was asked, but the physical plan was not seen to be %s", s.to)
	}
	return s.Errorf(outcome.WaitExpired, "not known to be %s after %v: %w; the same command waits again", s.to, s.wait, last)
}

func (s *switching) wrongState() error {
	return s.Errorf(outcome.Differs, "it is %s, not %s", s.seen.state, s.from)
}
