package apiclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
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
// breaks is asked for anew, with the query as it is then.
func (c *Client) stream(ctx context.Context, path []string, query func() url.Values, take func(line []byte) (over bool, err error)) error {
	return c.streamOf(ctx, func() (request, error) {
		return request{method: http.MethodGet, path: path, query: query()}, nil
	}, take)
}

// streamOf is stream of any request, made anew for each attempt.
func (c *Client) streamOf(ctx context.Context, next func() (request, error), take func(line []byte) (over bool, err error)) error {
	last, begun := time.Now(), false
	for {
		r, err := next()
		if err != nil {
			return err
		}
		over, err := c.read(ctx, r, func(line []byte) (bool, error) {
			// What takes the line may be slow, as a person who reads page by page.
			defer func() { last, begun = time.Now(), true }()
			return take(line)
		})
		if over || err == nil || ctx.Err() != nil || !c.mayGoOn(err, begun) || time.Since(last) > patience {
			return err
		}
		c.opts.Progress.Send(progress.Event{State: progress.Retrying, Step: "ask", What: c.resource(), Err: err, Wait: again})
		if err := sleep(ctx, again); err != nil {
			return err
		}
	}
}

// mayGoOn says that a stream may be had when it is asked for again. Where one has
// begun, a server or the proxy before it that is being restarted answers as if it
// were out of order.
func (c *Client) mayGoOn(err error, begun bool) bool {
	return passing(err) || refusedConnection(err) || begun && outcome.KindOf(err) == outcome.Unreachable
}

// refusedConnection says that no connection came about: the server may be just
// being restarted.
func refusedConnection(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Unreachable
}

// read reads one answer that is a stream.
func (c *Client) read(ctx context.Context, r request, take func([]byte) (bool, error)) (over bool, err error) {
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watch.Stop()
	req, err := c.newRequest(own, r, func() { watch.Reset(silence) })
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
	lines.Split(wholeLines)
	for lines.Scan() {
		watch.Stop()
		if over, err := take(lines.Bytes()); over || err != nil {
			return true, err
		}
		watch.Reset(silence)
	}
	if err := lines.Err(); err != nil {
		return false, c.failed(own, err, false)
	}
	return false, c.failed(own, fmt.Errorf("the answer ends too early: %w", io.ErrUnexpectedEOF), false)
}

// wholeLines is bufio.ScanLines without a last line that has no end: of one that
// is cut off nothing is known.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if bytes.IndexByte(data, '\n') < 0 {
		if atEOF {
			return len(data), nil, nil
		}
		return 0, nil, nil
	}
	return bufio.ScanLines(data, atEOF)
}
