package nomad

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors about single allocations.
var (
	// ErrNoAllocation: Nomad does not know the allocation any more, or cannot
	// reach its node.
	ErrNoAllocation = outcome.New(outcome.NotFound, "no such allocation")
	// ErrTaskNotRunning: the task could not be restarted in place, because it does
	// not run.
	ErrTaskNotRunning = outcome.New(outcome.Differs, "the task is not running")
)

// StopAllocation makes Nomad end an allocation and place another one under its
// index, unless the job needs none there. It returns when Nomad has taken the
// request, not when the allocation has ended. An allocation that has ended already
// is no error, and is not replaced for it; one that Nomad does not know is
// ErrNoAllocation. Where an answer is lost it asks again: stopping an allocation
// twice is stopping it once.
func (c *Client) StopAllocation(ctx context.Context, allocID string) error {
	p := c.repeats()
	for tries := 1; ; tries++ {
		err := c.changeAllocation(ctx, "stop allocation "+allocID, func(q *api.QueryOptions) error {
			_, err := c.api.Allocations().Stop(&api.Allocation{ID: allocID}, q)
			return err
		})
		if !errors.Is(err, ErrUnknownOutcome) {
			return err
		}
		if more := p.again(ctx, err) || tries == 1; !more || ctx.Err() != nil {
			return err
		}
	}
}

// RestartInPlace ends a task of an allocation and starts it again in the same
// place, with the same ports. Nomad answers when the old program has ended,
// which takes up to the task's kill timeout. A task that does not run is
// ErrTaskNotRunning, an allocation that cannot be reached ErrNoAllocation; then
// nothing was done. Where the answer is lost the error is ErrUnknownOutcome, and
// the request is not repeated: the container's Started and Signaled tell whether
// it arrived.
func (c *Client) RestartInPlace(ctx context.Context, allocID, task string) error {
	return c.changeAllocation(ctx, "restart allocation "+allocID, func(q *api.QueryOptions) error {
		return c.api.Allocations().Restart(&api.Allocation{ID: allocID}, task, q)
	})
}

// changeAllocation makes one changing request about an allocation.
func (c *Client) changeAllocation(ctx context.Context, what string, do func(*api.QueryOptions) error) error {
	var answer error
	//nolint:contextcheck // the context is in w
	err := c.write(ctx, what, allocLifecycle, func(w *api.WriteOptions) error {
		answer = do((&api.QueryOptions{}).WithContext(w.Context()))
		return answer
	})
	var said api.UnexpectedResponseError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%s: nomad at %s: %w", what, c.address, ErrNoAllocation)
	case errors.As(answer, &said) && saysNotRunning(said):
		return fmt.Errorf("%s: nomad at %s: %w", what, c.address, ErrTaskNotRunning)
	case errors.As(answer, &said) && saysUnknown(said):
		return fmt.Errorf("%s: nomad at %s: %w: %s", what, c.address, ErrNoAllocation, oneLine(said.Body()))
	}
	return err
}

// Nomad answers 500 to much of what is about an allocation, so its words decide.
func saysNotRunning(answer api.UnexpectedResponseError) bool {
	return strings.Contains(answer.Body(), "Task not running") || strings.Contains(answer.Body(), "task not running")
}

func saysUnknown(answer api.UnexpectedResponseError) bool {
	for _, mark := range []string{"Unknown allocation", "unknown allocation", "No path to node", "Unknown node", "alloc not found"} {
		if strings.Contains(answer.Body(), mark) {
			return true
		}
	}
	return false
}
