package nomad

import (
	"context"
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// StopAllocation has Nomad end one allocation. Where the job still wants that
// many containers, another takes its place under the same index, at once, while
// the old one may still be ending. One that Nomad does not know, or that has
// ended, is no error where Nomad takes it for none.
func (c *Client) StopAllocation(ctx context.Context, allocID string) error {
	//nolint:contextcheck // the context is in w
	return c.write(ctx, fmt.Sprintf("stop allocation %q", allocID), allocLifecycle, func(w *api.WriteOptions) error {
		q := (&api.QueryOptions{}).WithContext(w.Context())
		_, err := c.api.Allocations().Stop(&api.Allocation{ID: allocID}, q)
		return err
	})
}
