package tmanager

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
)

// What the controller says in its status line where it refuses.
const (
	reasonOtherID = "Topology id does not match"
	reasonNoPlan  = "Tmanager still not initialized (physical plan is not available)"
)

// RefusedError says that the TManager refused a request. Nothing was changed.
type RefusedError struct {
	// Action is "activate", "deactivate" or "update the runtime configuration",
	// Where the TManager's address.
	Action, Where string
	// Status and Reason are those of the answer. A TManager gives no reason for
	// a topology that is not in the state to change from.
	Status int
	Reason string
}

// Error names the reason.
func (e *RefusedError) Error() string {
	reason := cmp.Or(e.Reason, http.StatusText(e.Status))
	if e.Reason == "" && e.Status == http.StatusBadRequest && (e.Action == "activate" || e.Action == "deactivate") {
		reason = "the topology is not in the state for that"
	}
	return fmt.Sprintf("%s: the TManager at %s refuses: %d %s", e.Action, e.Where, e.Status, reason)
}

// Kind implements the contract of package outcome.
func (e *RefusedError) Kind() outcome.Kind {
	if e.Status == http.StatusBadRequest {
		return outcome.Differs
	}
	return outcome.Failed
}

// Activate sets a paused topology running. It returns when the TManager has
// stored the new state. A topology in another state than PAUSED is a
// *RefusedError; ErrNoPlan and ErrOther mean that nothing was changed, too.
// After ErrUnreachable it may have been, unless it is ErrOther as well.
func (c *Client) Activate(ctx context.Context, at *heronpb.TManagerLocation) error {
	return c.change(ctx, at, "activate", "/activate", nil)
}

// Deactivate pauses a running topology. Its contract is that of Activate.
func (c *Client) Deactivate(ctx context.Context, at *heronpb.TManagerLocation) error {
	return c.change(ctx, at, "deactivate", "/deactivate", nil)
}

// Configure changes the runtime configuration of a topology: items are
// "key:value" for the topology and "component:key:value" for a component. It
// returns when the TManager has stored it in the physical plan and sent it to
// the instances. A component that the topology does not have is a
// *RefusedError. Otherwise its contract is that of Activate.
func (c *Client) Configure(ctx context.Context, at *heronpb.TManagerLocation, items []string) error {
	return c.change(ctx, at, "update the runtime configuration", "/runtime_config/update", items)
}

func (c *Client) change(ctx context.Context, at *heronpb.TManagerLocation, action, path string, items []string) error {
	where := net.JoinHostPort(at.GetHost(), strconv.Itoa(int(at.GetControllerPort())))
	query := url.Values{"topologyid": {at.GetTopologyId()}}
	if len(items) > 0 {
		query["runtime-config"] = items
	}
	got, err := c.get(ctx, where, path, query)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w at %s: %w", action, ErrUnreachable, where, err)
	case got.status == http.StatusOK:
		return nil
	case got.reason == reasonOtherID:
		return fmt.Errorf("%s: %w at %s: %w, not %s", action, ErrUnreachable, where, ErrOther, at.GetTopologyId())
	case got.reason == reasonNoPlan:
		return fmt.Errorf("%s at %s: %w", action, where, ErrNoPlan)
	case got.status == http.StatusBadRequest, got.status == http.StatusInternalServerError:
		return &RefusedError{Action: action, Where: where, Status: got.status, Reason: got.reason}
	}
	return fmt.Errorf("%s: %w at %s: it answers %d %s", action, ErrUnreachable, where, got.status, got.reason)
}
