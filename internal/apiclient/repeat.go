package apiclient

import (
	"context"
	"errors"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/wire"
)

const (
	// repeats is how often a request is sent again whose server was lost.
	repeats = 5
	// repeatPause is the pause before the first repetition, and doubles.
	repeatPause = time.Second
	// interrupted is the state of an operation that its server did not end.
	interrupted = "interrupted"
)

// errRestarted is why an operation that a server did not end is asked for again.
var errRestarted = errors.New("the server was started anew in the middle of it")

// run has the server carry an operation out and returns how it ended. Where the
// server is lost, or was started anew, the same request is sent again: what was
// done by then counts, and the rest is done. begun says that it has begun, also
// beside an error.
func (c *Client) run(ctx context.Context, r request) (end *operationDoc, op operationDoc, begun bool, err error) {
	pause := c.pause
	for n := 0; ; n++ {
		end = nil
		var next operationDoc
		if next, err = c.begin(ctx, r); err == nil {
			op, begun = next, true
			end, err = c.follow(ctx, op)
		}
		var lost *lostError
		begun = begun || errors.As(err, &lost)
		why := lostServer(end, err)
		if why == nil || !begun || n == repeats || ctx.Err() != nil {
			return end, op, begun, err
		}
		c.opts.Progress.Send(progress.Event{
			State: progress.Retrying, Step: "ask", What: c.resource(), Err: why, Wait: pause, Attempt: n + 1, Attempts: repeats + 1,
		})
		if err := sleep(ctx, pause); err != nil {
			return end, op, begun, err
		}
		pause *= 2
		r.header.Set(wire.HeaderAgain, "true")
	}
}

// lostServer is why a request may be sent again: an operation that its server
// did not end, a server that does not answer, or one that does not know the
// operation. It is nil where there is an answer.
func lostServer(end *operationDoc, err error) error {
	switch {
	case end != nil && end.State == interrupted:
		return errRestarted
	case err == nil:
		return nil
	}
	var told *Problem
	if errors.As(err, &told) && outcome.KindOf(err) == outcome.NotFound {
		return errRestarted
	}
	if outcome.KindOf(err) == outcome.Unreachable {
		return err
	}
	return nil
}

// begin has the server begin an operation.
func (c *Client) begin(ctx context.Context, r request) (op operationDoc, err error) {
	_, data, err := c.do(ctx, r)
	if err != nil {
		return op, err
	}
	if err = c.decode(data, &op); err == nil && op.ID == "" {
		err = &Error{URL: c.URL(), Reason: "it does not say which operation it began; does a proxy take the header Prefer away?"}
	}
	if err != nil {
		return op, &lostError{&Error{URL: c.URL(), Reason: err.Error(), Err: err}}
	}
	return op, nil
}
