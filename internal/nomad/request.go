package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"syscall"
	"time"

	"github.com/hashicorp/nomad/api"
)

// read makes one reading request, and repeats it through failures that pass,
// for the request timeout in all. needs is the right that a token must have
// for it.
func (c *Client) read(ctx context.Context, what string, needs right, do func(*api.QueryOptions) error) error {
	return c.readBlocking(ctx, what, 0, needs, do)
}

// readBlocking is read for a query that Nomad may answer only after block.
func (c *Client) readBlocking(ctx context.Context, what string, block time.Duration, needs right, do func(*api.QueryOptions) error) error {
	return c.persistBlocking(ctx, what, block, func(bounded context.Context) (verdict, error) {
		v, err := c.ask(ctx, bounded, what, needs, do)
		if v == unclear {
			v = passing
		}
		return v, err
	})
}

// ask makes one attempt of a reading request.
func (c *Client) ask(ctx, bounded context.Context, what string, needs right, do func(*api.QueryOptions) error) (verdict, error) {
	hinted, hint := withHint(bounded)
	raw := do((&api.QueryOptions{}).WithContext(hinted))
	return judge(raw), c.explain(ctx, bounded, what, needs, hint, raw)
}

// write makes one changing request. It is repeated like a read as long as it
// is certain that nothing was done. Where it may have been done without an
// answer that says so the error wraps ErrUnknownOutcome.
func (c *Client) write(ctx context.Context, what string, needs right, do func(*api.WriteOptions) error) error {
	return c.persist(ctx, what, func(bounded context.Context) (verdict, error) {
		hinted, hint := withHint(bounded)
		traced, sent := traceSent(hinted)
		raw := do((&api.WriteOptions{}).WithContext(traced))
		err := c.explain(ctx, bounded, what, needs, hint, raw)
		if err == nil || !sent() || decided(raw) {
			return judge(raw), err
		}
		return lasting, &lostError{write: err}
	})
}

// decided says whether an answer means that the write was not done.
func decided(err error) bool {
	var answer api.UnexpectedResponseError
	return errors.As(err, &answer) && (answer.StatusCode() < 500 || indexRefused(answer))
}

// explain turns an error of the API into one of this package. caller is the
// context of the caller, bounded the one with the request's deadline.
func (c *Client) explain(caller, bounded context.Context, what string, needs right, hint *retryHint, err error) error {
	if err == nil {
		return nil
	}
	var answer api.UnexpectedResponseError
	if errors.As(err, &answer) {
		return c.explainAnswer(what, needs, hint, answer)
	}
	if caller.Err() != nil {
		return fmt.Errorf("%s at %s: %w", what, c.address, context.Cause(caller))
	}
	unreachable := &UnreachableError{What: what, Address: c.address, From: c.from, Err: err}
	if bounded.Err() != nil {
		unreachable.Err = fmt.Errorf("no answer within %s", c.timeout)
		return unreachable
	}
	// The outer error repeats method and URL, and that of a connection the
	// address.
	var outer *url.Error
	var number syscall.Errno
	if errors.As(err, &outer) {
		unreachable.Err = outer.Err
	}
	if errors.As(err, &number) && c.direct {
		unreachable.Err = number
	}
	return unreachable
}
