package nomad

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// Pauses between attempts grow from the first to the longest.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// unclearAttempts is how often a request is sent that Nomad answers with an
// error of its own which may be about the request.
const unclearAttempts = 5

// repeats says how long something is repeated, and pauses in between.
type repeats struct {
	client   *Client
	until    time.Time
	pause    time.Duration
	attempts int
}

// repeats are made for the request timeout, from now.
func (c *Client) repeats() *repeats {
	return &repeats{client: c, until: time.Now().Add(c.timeout), pause: firstPause}
}

// again waits until the next attempt is due. It is false where the time is
// over before that, or the context ends. A server that says when it wants to
// be asked again is not asked before that.
func (p *repeats) again(ctx context.Context, err error) bool {
	wait := p.pause/2 + rand.N(p.pause)
	p.pause = min(2*p.pause, longestPause)
	var trouble *UnreachableError
	if errors.As(err, &trouble) && trouble.RetryAfter > 0 {
		wait = trouble.RetryAfter + rand.N(firstPause)
	}
	if time.Now().Add(wait).After(p.until) || ctx.Err() != nil {
		return false
	}
	p.attempts++
	p.client.progress.Send(progress.Event{
		State: progress.Retrying, Step: "request", What: outcome.Resource{Kind: outcome.Server, ID: p.client.address},
		Err: err, Wait: wait, Attempt: p.attempts,
	})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// persist makes attempts until one succeeds, its failure is lasting, or the
// request timeout is over; the last error is returned. Each attempt gets what
// is left of the time.
func (c *Client) persist(ctx context.Context, what string, attempt func(context.Context) (verdict, error)) error {
	return c.persistBlocking(ctx, what, 0, attempt)
}

// persistBlocking is persist for a query that Nomad may answer only after
// block: that time does not count where the query is cut off.
func (c *Client) persistBlocking(ctx context.Context, what string, block time.Duration, attempt func(context.Context) (verdict, error)) error {
	p := c.repeats()
	p.until = p.until.Add(block)
	var last error
	for {
		bounded, cancel := context.WithDeadline(ctx, p.until)
		v, err := attempt(bounded)
		cut := bounded.Err() != nil
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return err
		case cut && last != nil && !errors.Is(err, ErrUnknownOutcome):
			// What failed before says more than that the time is over.
			return c.gaveUp(last)
		}
		last = err
		if v == lasting || v == unclear && p.attempts >= unclearAttempts {
			return err
		}
		if !p.again(ctx, err) {
			if ctx.Err() != nil {
				return fmt.Errorf("%s at %s: %w", what, c.address, context.Cause(ctx))
			}
			return c.gaveUp(err)
		}
	}
}

// gaveUp notes that a failure lasted as long as requests are repeated.
func (c *Client) gaveUp(err error) error {
	var trouble *UnreachableError
	if errors.As(err, &trouble) && trouble.Waited == 0 {
		trouble.Waited = c.timeout
	}
	return err
}

// retryHint is what the head of an answer says: when to send the next request,
// and what time it is.
type retryHint struct {
	after time.Duration
	// index is that of the state which the answer shows, 0 where it names none.
	index uint64
	// date is the server's clock, zero where it does not say.
	date time.Time
}

type retryHintKey struct{}

// withHint is a context whose requests leave a hint.
func withHint(ctx context.Context) (context.Context, *retryHint) {
	hint := &retryHint{}
	return context.WithValue(ctx, retryHintKey{}, hint), hint
}

// note reads Retry-After, in seconds or as a date, and the index.
func (h *retryHint) note(resp *http.Response) {
	h.date, _ = http.ParseTime(resp.Header.Get("Date"))
	h.index, _ = strconv.ParseUint(resp.Header.Get("X-Nomad-Index"), 10, 64)
	text := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		h.after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		h.after = max(0, time.Until(at))
	}
}
