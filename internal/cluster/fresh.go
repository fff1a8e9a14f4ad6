package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// notYet is why a topology does not run as it should, while that may pass.
type notYet struct{ why string }

func (e *notYet) Error() string { return e.why }

// noTManager is what is missing where no TManager has registered.
const noTManager = "its TManager has not registered"

func yet(format string, args ...any) error { return &notYet{fmt.Sprintf(format, args...)} }

// planFresh is nil where the TManager has a complete physical plan and that is
// the one of the containers that run now; a *notYet where that may still come.
// A plan in the state alone may be one of stream managers that are gone.
func (w *waiting) planFresh(ctx context.Context) error {
	c, r := w.Cluster, w.r
	l := c.State.Layout
	nodes, err := c.State.ReadAll(ctx, l.TManager(r.Name), l.PhysicalPlan(r.Name), l.PackingPlan(r.Name))
	if err != nil {
		return err
	}
	located, there := nodes[l.TManager(r.Name)]
	if !there {
		return yet(noTManager)
	}
	stored, there := nodes[l.PhysicalPlan(r.Name)]
	switch {
	case r.TManagerAfter != nil && !c.newer(located, r.TManagerAfter.tmanager):
		return yet("its TManager has not registered anew")
	case !there:
		return yet("its TManager has not made a physical plan")
	case r.PlanAfter != nil && !c.newer(stored, r.PlanAfter.plan):
		return yet("its TManager has not made a new physical plan")
	case r.RewrittenAfter != nil && stampOf(stored) == r.RewrittenAfter.plan:
		return yet("its TManager has not written its physical plan again")
	}
	at, plan, err := w.plan(ctx, located, stored)
	if err != nil {
		return err
	}
	if packing, there := nodes[l.PackingPlan(r.Name)]; there {
		if err := fits(plan, packing); err != nil {
			return err
		}
	}
	return w.portsFit(ctx, at, plan)
}

// plan is the TManager's own, with where that is. Where it cannot be reached from here, for
// instance because it is in another network, a warning says so and the plan in
// the state has to do.
func (w *waiting) plan(ctx context.Context, located, stored statemgr.Node) (*heronpb.TManagerLocation, *heronpb.PhysicalPlan, error) {
	c, r := w.Cluster, w.r
	at, err := tmanagerAt(located, c.State.TManager(r.Name), r.ID)
	if err != nil {
		// A location of an earlier topology stays until its session ends.
		return nil, nil, yet(noTManager)
	}
	if c.TManager == nil {
		plan, err := storedPlan(stored, r.ID)
		return at, plan, err
	}
	plan, err := c.TManager.PhysicalPlan(ctx, at)
	switch {
	case err == nil:
		return at, plan, nil
	case errors.Is(err, tmanager.ErrUnreachable) && !errors.Is(err, tmanager.ErrOther) && ctx.Err() == nil:
		plan, refused := storedPlan(stored, r.ID)
		if refused == nil {
			refused = w.portsFit(ctx, at, plan)
		}
		if refused != nil {
			return nil, nil, refused
		}
		c.Progress.Warn("wait for", outcome.Resource{Kind: outcome.PhysicalPlan, ID: r.Name}, "the physical plan in the state counts", err)
		return at, plan, nil
	}
	return nil, nil, yet("its TManager has no complete physical plan")
}

// storedPlan is the plan in the state, where it is of the topology id.
func storedPlan(n statemgr.Node, id string) (*heronpb.PhysicalPlan, error) {
	plan := &heronpb.PhysicalPlan{}
	if err := proto.Unmarshal(n.Data, plan); err != nil {
		return nil, yet("its physical plan cannot be understood: %v", err)
	}
	if there := plan.GetTopology().GetId(); there != id {
		return nil, yet("its physical plan is of an earlier run, %s", there)
	}
	return plan, nil
}

// fits compares a physical plan with the packing plan: it must have a stream
// manager for each container, and no other.
func fits(plan *heronpb.PhysicalPlan, packing statemgr.Node) error {
	want, err := packingPlan(packing)
	if err != nil {
		return yet("its packing plan cannot be understood: %v", err)
	}
	have := map[int]bool{}
	for _, s := range plan.GetStmgrs() {
		have[stmgrIndex(s.GetId())] = true
	}
	for _, p := range want.GetContainerPlans() {
		if !have[int(p.GetId())] {
			return yet("its physical plan has no stream manager of container %d", p.GetId())
		}
		delete(have, int(p.GetId()))
	}
	for index := range have {
		return yet("its physical plan still has the stream manager of container %d", index)
	}
	return nil
}

// stmgrIndex is the index of the container that a stream manager's id names,
// -1 for none.
func stmgrIndex(id string) int {
	digits, ok := strings.CutPrefix(id, "stmgr-")
	index, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return -1
	}
	return index
}

// portsFit compares the ports of the TManager and of the stream managers with
// those that Nomad has given to the containers which run now. The TManager of a
// lost node stays registered until its session ends, and may still answer. Hosts
// are not compared: the name that an executor has for its host need not be one
// that Nomad knows, and several ports at once are hardly ever the same by chance.
func (w *waiting) portsFit(ctx context.Context, at *heronpb.TManagerLocation, plan *heronpb.PhysicalPlan) error {
	if w.r.JobID == "" {
		return nil // one job per container
	}
	ports, err := w.Jobs.ContainerPorts(ctx, w.r.JobID, jobspec.PortServer, jobspec.PortTManagerCtl, jobspec.PortTManagerStats)
	if err != nil {
		return err
	}
	if given, known := ports[0]; known {
		for i, registered := range []int32{at.GetServerPort(), at.GetControllerPort(), at.GetStatsPort()} {
			if given[i] > 0 && registered > 0 && given[i] != int(registered) {
				return yet("its registered TManager, at %s:%d, is not the one of the container 0 that runs now", at.GetHost(), at.GetControllerPort())
			}
		}
	}
	var wrong []int
	for _, s := range plan.GetStmgrs() {
		index := stmgrIndex(s.GetId())
		if given, known := ports[index]; known && given[0] != int(s.GetDataPort()) {
			wrong = append(wrong, index)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return yet("its physical plan is of earlier stream managers in containers %s", Ranges(wrong))
	}
	return nil
}
