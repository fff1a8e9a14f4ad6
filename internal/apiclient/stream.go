package apiclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/heron-nomad/heron/internal/progress"
)

const (
	// silence is how long a stream may be without a line. The server writes one
	// every 15 seconds.
	silence = 45 * time.Second
	// again is the pause before a stream that broke is asked for anew, and
	// patience how long it may be without a line in all.
	again    = time.Second
	patience = time.Minute
	// lineLimit is the longest line.
	lineLimit = 16 << 20
)

// errSilent is a stream without a line for too long.
var errSilent = errors.New("nothing came for " + silence.String())

// stream reads a stream of documents until take says that it is over. One that
// breaks is asked for anew, with the query as it is then; nil for a stream that
// cannot be continued.
func (c *Client) stream(ctx context.Context, path []string, query func() url.Values, take func(line []byte) (over bool, err error)) error {
	last := time.Now()
	for {
		over, err := c.read(ctx, path, query(), func(line []byte) (bool, error) {
			last = time.Now()
			return take(line)
		})
		if over || err == nil || ctx.Err() != nil || !passing(err) && !refusedConnection(err) || time.Since(last) > patience {
			return err
		}
		c.opts.Progress.Send(progress.Event{State: progress.Retrying, Step: "ask", What: c.resource(), Err: err, Wait: again})
		if err := sleep(ctx, again); err != nil {
			return err
		}
	}
}

// refusedConnection says that no connection came about: the server may be just
// being restarted.
func refusedConnection(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Unreachable
}

// read reads one answer that is a stream.
func (c *Client) read(ctx context.Context, path []string, query url.Values, take func([]byte) (bool, error)) (over bool, err error) {
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watch.Stop()
	req, err := c.newRequest(own, request{method: http.MethodGet, path: path, query: query}, nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("Accept", "application/x-ndjson")
	resp, err := c.http.Do(req)
	if err != nil {
		return false, c.failed(own, err, false)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, answerLimit)) // the status says it failed
		return false, c.refusal(resp, body)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, lineLimit)
	for lines.Scan() {
		watch.Reset(silence)
		if over, err := take(lines.Bytes()); over || err != nil {
			return true, err
		}
	}
	if err := lines.Err(); err != nil {
		return false, c.failed(own, err, false)
	}
	return false, c.failed(own, fmt.Errorf("the answer ends too early: %w", io.ErrUnexpectedEOF), false)
}
