package testenv

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// An HTTPFault is what goes wrong with a request.
type HTTPFault int

// The faults. After a "lost" one the upstream has done what was asked, and the
// client cannot know it.
const (
	// HTTPError answers 500 and forwards nothing.
	HTTPError HTTPFault = iota + 1
	// HTTPCut closes the connection and forwards nothing.
	HTTPCut
	// HTTPHang forwards nothing and answers nothing until the client gives up.
	HTTPHang
	// HTTPErrorLost forwards the request and answers 500.
	HTTPErrorLost
	// HTTPCutLost forwards the request and closes the connection.
	HTTPCutLost
	// HTTPHangLost forwards the request and answers nothing until the client
	// gives up.
	HTTPHangLost
)

// An HTTPFaultProxy stands between a client and an HTTP server. It forwards
// what no rule catches. It is for use by several goroutines at once.
type HTTPFaultProxy struct {
	// URL is what the client is given instead of the server's.
	URL string

	forward *httputil.ReverseProxy
	closed  chan struct{}

	mu       sync.Mutex
	rules    []httpRule
	seen     []httpRequest
	answered func()
}

type httpRule struct {
	match func(method, path string) bool
	fault HTTPFault
	left  int // how often it still applies; negative: always
}

type httpRequest struct{ method, path string }

type faultKey struct{}

// errLost is why an answer that came is not passed on.
var errLost = errors.New("answer withheld")

// HTTPProxy runs a proxy before the server at a URL until the test ends.
func HTTPProxy(t testing.TB, upstream string) *HTTPFaultProxy {
	t.Helper()
	target, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	p := &HTTPFaultProxy{closed: make(chan struct{}), answered: func() {}}
	transport := &http.Transport{}
	p.forward = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		FlushInterval:  -1,
		ModifyResponse: p.judge,
		ErrorHandler:   p.failed,
	}
	server := httptest.NewServer(p)
	p.URL = server.URL
	t.Cleanup(func() {
		close(p.closed)
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	return p
}

// Fail has the fault happen to the next times requests that match, to all of
// them when times is negative. Of several rules that match the first one made
// counts.
func (p *HTTPFaultProxy) Fail(fault HTTPFault, times int, match func(method, path string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, httpRule{match: match, fault: fault, left: times})
}

// Heal drops every rule.
func (p *HTTPFaultProxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
}

// Answered calls f after each answer of the upstream, before that is passed on.
func (p *HTTPFaultProxy) Answered(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = f
}

// Count is how many requests that match have come, failed ones included.
func (p *HTTPFaultProxy) Count(match func(method, path string) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	for _, r := range p.seen {
		if match(r.method, r.path) {
			count++
		}
	}
	return count
}

// note counts a request and says what is to go wrong with it, 0 for nothing.
func (p *HTTPFaultProxy) note(r *http.Request) HTTPFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, httpRequest{r.Method, r.URL.Path})
	for i := range p.rules {
		rule := &p.rules[i]
		if rule.left != 0 && rule.match(r.Method, r.URL.Path) {
			rule.left--
			return rule.fault
		}
	}
	return 0
}

// ServeHTTP is for the server that HTTPProxy runs.
func (p *HTTPFaultProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := p.note(r)
	switch fault {
	case HTTPError, HTTPCut, HTTPHang:
		// A server notices that its client has gone once the body is read.
		_, _ = io.Copy(io.Discard, r.Body)
		p.fail(w, r, fault)
	default:
		// A server may answer before it has read the end of a body. Then one
		// that is still passed on would end the connection, and the answer with
		// it.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r = r.WithContext(context.WithValue(r.Context(), faultKey{}, fault))
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		if len(body) == 0 {
			r.Body = http.NoBody
		}
		p.forward.ServeHTTP(w, r)
	}
}

func (p *HTTPFaultProxy) fail(w http.ResponseWriter, r *http.Request, fault HTTPFault) {
	switch fault {
	case HTTPError, HTTPErrorLost:
		http.Error(w, "made to fail", http.StatusInternalServerError)
	case HTTPHang, HTTPHangLost:
		select {
		case <-r.Context().Done():
		case <-p.closed:
		}
		panic(http.ErrAbortHandler)
	default:
		panic(http.ErrAbortHandler)
	}
}

func (p *HTTPFaultProxy) judge(answer *http.Response) error {
	p.mu.Lock()
	answered := p.answered
	p.mu.Unlock()
	answered()
	return withhold(answer)
}

// withhold lets an answer through unless its request is to fail. It reads it
// whole first: then the upstream is done.
func withhold(answer *http.Response) error {
	if fault, _ := answer.Request.Context().Value(faultKey{}).(HTTPFault); fault == 0 {
		return nil
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	return errLost
}

// failed ends a request whose answer was withheld, and one whose upstream is
// down, which for the client looks as if its own connection had been cut.
func (p *HTTPFaultProxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	fault, _ := r.Context().Value(faultKey{}).(HTTPFault)
	if !errors.Is(err, errLost) {
		fault = HTTPCut
	}
	p.fail(w, r, fault)
}
