package nomad

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// idleConnections are kept: more than requests are in flight at a time, so
// that following logs does not make a connection for each request.
const idleConnections = 16

// dialer connects to an address, as net.Dialer's DialContext does.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// httpClient is the HTTP client for an endpoint. It keeps connections and
// speaks HTTP/1 only, as the library's own. Proxies of the environment count
// only where dial is nil and the endpoint is not a socket.
func httpClient(to endpoint, dial dialer, files *api.TLSConfig, observe func(string, time.Duration)) (*http.Client, error) {
	own := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext:           dial,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   idleConnections,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	switch {
	case to.socket != "":
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return own.DialContext(ctx, "unix", to.socket)
		}
	case dial == nil:
		t.DialContext, t.Proxy = own.DialContext, http.ProxyFromEnvironment
	}
	client := &http.Client{Transport: t}
	if err := api.ConfigureTLS(client, files); err != nil {
		return nil, err
	}
	client.Transport = &wire{next: t, prefix: to.prefix, observe: observe}
	return client, nil
}

// wire carries requests to Nomad. It does what the library does not: put a
// path before Nomad's own, and read Retry-After.
type wire struct {
	next   *http.Transport
	prefix string
	// observe is told the method of a request and the time until its answer
	// began; it may be nil.
	observe func(method string, took time.Duration)
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.prefix != "" {
		r = r.Clone(r.Context())
		r.URL = prefixed(r.URL, w.prefix)
	}
	began := time.Now()
	resp, err := w.next.RoundTrip(r)
	if w.observe != nil && !blocking(r.URL) {
		w.observe(r.Method, time.Since(began))
	}
	if hint, ok := r.Context().Value(retryHintKey{}).(*retryHint); ok && err == nil {
		hint.note(resp)
	}
	return resp, err
}

// blocking says whether a request waits for something to happen.
func blocking(u *url.URL) bool {
	return u.Query().Has("index") || strings.HasSuffix(u.Path, "/event/stream")
}

// CloseIdleConnections lets http.Client close them.
func (w *wire) CloseIdleConnections() { w.next.CloseIdleConnections() }

// prefixed is a URL with an escaped path before its own.
func prefixed(u *url.URL, prefix string) *url.URL {
	out := *u
	unescaped, err := url.PathUnescape(prefix)
	if err != nil {
		unescaped = prefix
	}
	out.Path, out.RawPath = unescaped+u.Path, prefix+u.EscapedPath()
	return &out
}
