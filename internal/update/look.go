package update

import (
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/subject"
	"github.com/heron-nomad/heron/internal/tmanager"
	"github.com/heron-nomad/heron/internal/topology"
)

// sight is a topology that can be updated, as it was found.
type sight struct {
	*subject.Subject
	digest string
	dead   subject.Dead
	// stored is its packing plan; base the one that the request is about: another
	// than stored where an update that died has to be undone.
	stored, base *packing.Plan
	// running is the topology in its physical plan, with its state and runtime
	// configuration; nil where an update died and its TManager is not back.
	running *topology.Definition
	// was is the state that the topology is to have: the one that it had before
	// this update, or before the one that died.
	was heronpb.TopologyState
	// adopts: the original client put the topology up, with a job for each
	// container, which the update makes one job.
	adopts bool
}

// look reads a topology and refuses what cannot be updated. It changes nothing.
func look(ctx context.Context, cl cluster.Cluster, name string, r Request) (*sight, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("update topology %q: %w", name, err)
	}
	sub, err := subject.Look(ctx, cl, statemgr.OperationUpdate, name, cluster.Scope{Job: true, Originals: true, Versions: true})
	if err != nil {
		return nil, err
	}
	s := &sight{Subject: sub}
	if s.digest, err = r.digest(); err != nil {
		return nil, err
	}
	for _, check := range []func() error{sub.CheckWhole, sub.CheckPlan, s.checkDead, s.checkJobs} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	if s.stored, err = packing.Decode(sub.There.PackingPlan.Data); err != nil {
		return nil, sub.Broken(sub.Errorf(outcome.Differs, "its packing plan cannot be understood: %w", err))
	}
	if s.base, err = s.basePlan(ctx); err != nil {
		return nil, err
	}
	if err := s.checkStateful(r); err != nil {
		return nil, err
	}
	return s, s.lookAtPlan(ctx)
}

func (s *sight) checkDead() (err error) {
	s.dead, err = s.CheckDead(s.digest)
	return err
}

// checkStateful refuses to deal the instances of a topology anew whose state is
// kept by instance: its checkpoints would belong to others.
func (s *sight) checkStateful(r Request) error {
	stateful, err := s.There.Definition.Value.Stateful()
	if err != nil {
		return s.Errorf(outcome.Usage, "%w", err)
	}
	if !stateful || !r.scales() {
		return nil
	}
	return s.Errorf(outcome.Usage, "it is effectively-once, and its checkpoints are those of the instances that it has now; only its runtime configuration can be updated. To scale it, kill it and submit it with the new numbers")
}

// basePlan is the plan that the request is about. An update of something else
// that died is undone first: the request is about the plan before that one, if
// the history has it.
func (s *sight) basePlan(ctx context.Context) (*packing.Plan, error) {
	versions := s.There.Versions
	if s.dead != subject.DeadOther || len(versions) < 2 {
		return s.stored, nil
	}
	newest, before := versions[len(versions)-1], versions[len(versions)-2]
	dead := s.There.Pending.Intent
	if newest.Operation != statemgr.OperationUpdate || newest.At.Before(dead.Owner.Since) || before.Deployment.TopologyID != s.ID() {
		return s.stored, nil // it died before it changed the plan
	}
	v, err := s.Cluster.State.Content(ctx, s.Name, before)
	if err != nil {
		return nil, err
	}
	plan, err := packing.Decode(v.PackingPlan)
	if err != nil {
		return nil, s.Errorf(outcome.Differs, "the packing plan of its version %d cannot be understood: %w", before.Number, err)
	}
	return plan, nil
}

// lookAtPlan finds out in what state the topology is, and with what runtime
// configuration. Where an update died the TManager may be on its way.
func (s *sight) lookAtPlan(ctx context.Context) error {
	plan, err := s.physicalPlan(ctx)
	if err != nil && s.adopts && s.There.Pending != nil {
		// Its TManager was stopped. The stored plan may be the only place of the
		// runtime configuration.
		plan, err = s.Cluster.StoredPlan(ctx, s.Name, s.ID())
	}
	if err == nil {
		s.running = topology.FromProto(plan.GetTopology())
		s.was = s.running.State()
	}
	if pending := s.There.Pending; pending != nil && pending.Intent.State != "" {
		state, known := heronpb.TopologyState_value[pending.Intent.State]
		if !known {
			return s.Errorf(outcome.Differs, "%s left the unknown state %q", pending.Intent.Owner, pending.Intent.State)
		}
		s.was = heronpb.TopologyState(state)
		return nil
	}
	if err != nil {
		return s.unreadable(err)
	}
	if s.was != heronpb.TopologyState_RUNNING && s.was != heronpb.TopologyState_PAUSED {
		return s.Errorf(outcome.Differs, "it is %s", s.was)
	}
	return nil
}

// physicalPlan is the TManager's own plan, or, while not all stream managers are
// connected, the one that it stored.
func (s *sight) physicalPlan(ctx context.Context) (*heronpb.PhysicalPlan, error) {
	at, err := s.Cluster.FindTManager(ctx, s.Name, s.ID())
	if err != nil {
		return nil, err
	}
	plan, err := s.Cluster.TManager.PhysicalPlan(ctx, at)
	if errors.Is(err, tmanager.ErrNoPlan) {
		return s.Cluster.StoredPlan(ctx, s.Name, s.ID())
	}
	return plan, err
}

// unreadable words why nobody knows whether the topology runs or is paused.
func (s *sight) unreadable(err error) error {
	hint, kind := "wait until it runs", outcome.KindOf(err)
	switch {
	case errors.Is(err, cluster.ErrNoTManager):
	case errors.Is(err, cluster.ErrNoStoredPlan):
		kind = outcome.Differs
	case errors.Is(err, tmanager.ErrUnreachable):
		hint = "see whether its container 0 runs and can be reached from here"
	default:
		return fmt.Errorf("update topology %q: %w", s.Name, err)
	}
	return s.Errorf(kind, "%w; nothing was changed; %s", err, hint)
}
