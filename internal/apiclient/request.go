package apiclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/wire"
)

// attempts is how often a request is sent that may be repeated; firstPause is the
// pause after the first attempt, and doubles.
const (
	attempts   = 4
	firstPause = 500 * time.Millisecond
)

// request is one request to the server.
type request struct {
	method string
	// path is what comes behind /api/v1; its parts are escaped.
	path   []string
	query  url.Values
	header http.Header
	// body opens the body, anew for each attempt; nil for none.
	body func() (io.Reader, error)
	size int64
	// once: the server does it anew each time, so that it is not sent again when
	// there was no answer.
	once bool
	// patient: the answer comes when the work is done, whenever that is.
	patient bool
}

// lostError says that a request was sent and that no answer came: what it asked
// for may be done.
type lostError struct{ err *Error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// do sends a request, again if need be, and reads the answer, which has to be a
// success.
func (c *Client) do(ctx context.Context, r request) (http.Header, []byte, error) {
	pause := firstPause
	var lost *lostError
	for n := 1; ; n++ {
		header, data, err := c.once(ctx, r)
		if err == nil {
			return header, data, nil
		}
		if n == attempts || ctx.Err() != nil || r.once || !passing(err) {
			return nil, nil, stillLost(err, lost)
		}
		_ = errors.As(err, &lost)
		c.opts.Progress.Send(progress.Event{
			State: progress.Retrying, Step: "ask", What: c.resource(), Err: err, Wait: pause, Attempt: n, Attempts: attempts,
		})
		if err := sleep(ctx, pause); err != nil {
			return nil, nil, err
		}
		pause *= 2
	}
}

// stillLost is the error of the last attempt at a request. Where an earlier one
// was sent and not answered, no connection now does not say that nothing was done.
func stillLost(err error, earlier *lostError) error {
	var e *Error
	if earlier == nil || !errors.As(err, &e) || !e.Unreachable {
		return err
	}
	return &lostError{e}
}

// resource is the server.
func (c *Client) resource() outcome.Resource {
	return outcome.Resource{Kind: outcome.Server, ID: c.URL()}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passing says that a request may succeed when it is sent again: the connection
// was lost, but for one that never came about.
func passing(err error) bool {
	var e *Error
	var dial *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case !errors.As(err, &e) || !e.Unreachable, errors.As(err, &dial) && dial.Op == "dial", errors.As(err, &cert):
		return false
	}
	return true
}

// once sends a request once. What ends ctx ends it until it is sent; then the
// answer, which says what was begun, is waited for.
func (c *Client) once(ctx context.Context, r request) (http.Header, []byte, error) {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var sent atomic.Bool
	hold := r.method != http.MethodGet && !r.patient
	stop := context.AfterFunc(ctx, func() {
		if !hold || !sent.Load() {
			cancel(context.Canceled)
		}
	})
	defer stop()
	limit := time.AfterFunc(requestTime, func() { cancel(context.DeadlineExceeded) })
	defer limit.Stop()
	traced := httptrace.WithClientTrace(own, &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
		sent.Store(i.Err == nil)
		if r.patient {
			limit.Stop()
		} else {
			limit.Reset(requestTime)
		}
	}})
	req, err := c.newRequest(traced, r, func() { limit.Reset(requestTime) })
	if err != nil {
		return nil, nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, c.failed(own, err, sent.Load() && r.method != http.MethodGet)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return nil, nil, c.failed(own, err, r.method != http.MethodGet)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, nil, c.refusal(resp, data)
	}
	return resp.Header, data, nil
}

// newRequest makes a request; moved is called whenever a piece of its body is
// sent.
func (c *Client) newRequest(ctx context.Context, r request, moved func()) (*http.Request, error) {
	u := c.base.JoinPath("api", "v1")
	for _, part := range r.path {
		u = u.JoinPath(url.PathEscape(part))
	}
	u.RawQuery = r.query.Encode()
	var body io.Reader
	if r.body != nil {
		opened, err := r.body()
		if err != nil {
			return nil, err
		}
		body = &watched{opened, moved}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.ContentLength = r.size
		req.GetBody = func() (io.ReadCloser, error) {
			opened, err := r.body()
			return &watched{opened, moved}, err
		}
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	if c.opts.Client != "" {
		req.Header.Set(wire.HeaderClient, c.opts.Client)
	}
	return req, nil
}

// watched is a body that says when a piece of it is read.
type watched struct {
	io.Reader
	moved func()
}

func (w *watched) Read(p []byte) (int, error) {
	w.moved()
	return w.Reader.Read(p)
}

// Close closes the body.
func (w *watched) Close() error {
	if c, ok := w.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// failed is the error of a request that was not answered.
func (c *Client) failed(ctx context.Context, err error, sent bool) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // it names the URL once more
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if outcome.KindOf(err) == outcome.Usage {
		return outcome.Errorf(outcome.Usage, "ask the API server %s: %w", c.URL(), err)
	}
	reason := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		reason = "no answer within " + requestTime.String()
	}
	e := &Error{URL: c.URL(), Reason: reason, Err: err, Unreachable: true}
	if sent {
		return &lostError{e}
	}
	return e
}

// get asks for a document.
func (c *Client) get(ctx context.Context, path []string, query url.Values, into any) error {
	return c.document(ctx, request{method: http.MethodGet, path: path, query: query}, into)
}

// getAnew asks for a document as it is now, which the server may keep for a short
// time.
func (c *Client) getAnew(ctx context.Context, path []string, query url.Values, into any) error {
	return c.document(ctx, request{method: http.MethodGet, path: path, query: query, header: http.Header{"Cache-Control": {"no-cache"}}}, into)
}

func (c *Client) document(ctx context.Context, r request, into any) error {
	_, data, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	return c.decode(data, into)
}

// decode reads a document that the server answered with.
func (c *Client) decode(data []byte, into any) error {
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(into); err != nil {
		return &Error{URL: c.URL(), Reason: "its answer cannot be read: " + err.Error(), Err: err}
	}
	return nil
}
