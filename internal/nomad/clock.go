package nomad

import (
	"context"
	"time"

	"github.com/hashicorp/nomad/api"
)

// ClockAhead is how much the clock of the agent that answers is ahead of this
// machine's, to about a second: HTTP tells the time in whole ones. ok is false
// where the answer does not tell it.
func (c *Client) ClockAhead(ctx context.Context) (ahead time.Duration, ok bool, err error) {
	var leader string
	err = c.read(ctx, "ask for the time", "", func(q *api.QueryOptions) error {
		began := time.Now()
		_, err := c.api.Raw().Query("/v1/status/leader", &leader, q)
		took := time.Since(began)
		if hint, has := q.Context().Value(retryHintKey{}).(*retryHint); has && !hint.date.IsZero() {
			// The middle of the second that it names, and of the request.
			ahead, ok = hint.date.Add(time.Second/2).Sub(began.Add(took/2)), true
		}
		return err
	})
	return ahead, ok, err
}
