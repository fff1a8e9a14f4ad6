package update

import (
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/tmanager"
	"github.com/heron-nomad/heron/internal/topology"
)

// setState pauses the topology or sets it running, through its TManager, and
// returns when both the TManager and the stored plan show it.
func (u *updating) setState(ctx context.Context, to heronpb.TopologyState) error {
	request := u.Cluster.TManager.Activate
	if to == heronpb.TopologyState_PAUSED {
		request = u.Cluster.TManager.Deactivate
	}
	return u.ask(ctx, func(t *heronpb.Topology) bool { return t.GetState() == to }, request)
}

// configure gives the TManager the runtime configuration, which it stores in the
// physical plan and sends to the instances.
func (u *updating) configure(ctx context.Context) error {
	items := make([]string, 0, len(u.request.Runtime))
	for _, v := range u.request.Runtime {
		items = append(items, v.String())
	}
	shows := func(t *heronpb.Topology) bool { return hasValues(topology.FromProto(t), u.request.Runtime) }
	return u.ask(ctx, shows, func(ctx context.Context, at *heronpb.TManagerLocation) error {
		return u.Cluster.TManager.Configure(ctx, at, items)
	})
}

// errNotShown says that a change does not show yet.
var errNotShown = fmt.Errorf("%w that shows it", cluster.ErrNoStoredPlan)

// ask has the TManager change something, and returns when its own plan and the
// stored one show it. A TManager that ends meanwhile is asked again when it is
// back. A request is not cut off by an interrupt, because it could still arrive;
// the TManager's client bounds it.
func (u *updating) ask(ctx context.Context, shows func(*heronpb.Topology) bool, request func(context.Context, *heronpb.TManagerLocation) error) error {
	accepted, refused := false, false
	var see func(context.Context) error
	see = func(ctx context.Context) error {
		at, err := u.Cluster.FindTManager(ctx, u.Name, u.ID())
		if err != nil {
			return err
		}
		plan, err := u.Cluster.TManager.PhysicalPlan(ctx, at)
		if err != nil {
			return err
		}
		if shows(plan.GetTopology()) {
			stored, err := u.Cluster.StoredPlan(ctx, u.Name, u.ID())
			if err == nil && !shows(stored.GetTopology()) {
				err = errNotShown
			}
			return err
		}
		if accepted {
			return errNotShown
		}
		if u.claim.Lost(ctx) {
			return &operation.LostError{Topology: u.Name}
		}
		err = request(context.WithoutCancel(ctx), at)
		var no *tmanager.RefusedError
		switch {
		case err == nil:
			accepted = true
			return see(ctx) // it stores the change before it answers
		case errors.As(err, &no) && !refused:
			refused = true // somebody else may have done it between the look and the request
			return errNotShown
		}
		return err
	}
	return u.poll(ctx, see)
}
