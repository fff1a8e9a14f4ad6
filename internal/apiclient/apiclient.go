// Package apiclient carries out on a Heron API server what the use cases do on
// the servers themselves: its methods return the same results, and errors of
// the same kinds.
//
// At the other end may also be Apache Heron's own API server, which does a part
// of it: see Client.Original.
package apiclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/wire"
)

const (
	// requestTime bounds a request whose answer is there at once.
	requestTime = 30 * time.Second
	// connectTime bounds a new connection.
	connectTime = 10 * time.Second
	// answerLimit is the most that is read of an answer, in bytes.
	answerLimit = 64 << 20
)

// Options say which server to ask, and how.
type Options struct {
	// URL is the service URL. It may have a path, as behind a proxy.
	URL string
	// Token is a bearer token, "" for none. It is sent to the server of URL alone.
	Token string
	// Client is who asks, user@host, for records and messages; "" says nothing.
	Client string
	// TLS is how a server with https is checked; nil for the usual way.
	TLS *tls.Config
	// Progress gets what goes on.
	Progress progress.Sink
	// Lock is how long the server is to wait while another operation is at work on
	// the topology.
	Lock time.Duration
}

// Client asks one API server.
type Client struct {
	opts     Options
	base     *url.URL
	http     *http.Client
	version  map[string]string
	original bool
	// pause is the one before the first repetition of a request whose server was
	// lost.
	pause time.Duration
	// protected is that of the server's cluster.
	protected bool
}

// Connect asks the server at an address what it is.
func Connect(ctx context.Context, o Options) (*Client, error) {
	base, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	c := &Client{opts: o, base: base, pause: repeatPause}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTime}).DialContext,
		TLSHandshakeTimeout: connectTime,
		TLSClientConfig:     o.TLS,
		ForceAttemptHTTP2:   true,
	}
	c.http = &http.Client{Transport: &bearer{next: transport, token: o.Token, to: base}, CheckRedirect: c.redirect}
	return c, c.askVersion(ctx)
}

// parseURL reads a service URL.
func parseURL(address string) (*url.URL, error) {
	bad := func(reason string) (*url.URL, error) {
		return nil, outcome.Errorf(outcome.Usage, "the service URL %s %s; write it as http://host:9000", (&url.URL{Opaque: hidden(address)}).Opaque, reason)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return bad("is not an http or https URL")
	case u.User != nil:
		return bad("holds a user or a password, which others can see on command lines")
	case u.RawQuery != "" || u.Fragment != "":
		return bad("has a query or a fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// hidden is an address without what may be a password in it.
func hidden(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	if at := strings.LastIndex(rest, "@"); found && at >= 0 {
		return scheme + "://…" + rest[at:]
	}
	return address
}

// URL is the address of the server.
func (c *Client) URL() string { return c.base.String() }

// Version is the keys and values of the server's release file.
func (c *Client) Version() map[string]string { return c.version }

// Original says that the server is Apache Heron's own, which knows the requests
// of its own client alone.
func (c *Client) Original() bool { return c.original }

// Protected says that a person has to confirm before a topology of the cluster
// is killed.
func (c *Client) Protected() bool { return c.protected }

func (c *Client) askVersion(ctx context.Context) error {
	header, data, err := c.do(ctx, request{method: http.MethodGet, path: []string{"version"}})
	if err != nil {
		return err
	}
	c.original = header.Get(wire.HeaderAPI) == ""
	c.protected = header.Get(wire.HeaderProtected) == "true"
	var doc map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&doc); err != nil || doc == nil {
		return &Error{URL: c.URL(), Reason: "what it answers is not that of an API server; is the address right?", Err: err}
	}
	c.version = map[string]string{}
	for key, value := range doc {
		c.version[key] = fmt.Sprint(value)
	}
	if c.original && !strings.Contains(string(data), "heron.build") {
		return &Error{URL: c.URL(), Reason: "what it answers is not that of an API server; is the address right?"}
	}
	return nil
}

// bearer adds the token to requests to the server, and to no others.
type bearer struct {
	next  http.RoundTripper
	token string
	to    *url.URL
}

// RoundTrip implements http.RoundTripper.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" && sameServer(r.URL, b.to) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

func sameServer(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(hostPort(a), hostPort(b))
}

func hostPort(u *url.URL) string {
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}

// maxRedirects bounds how often a request is sent on.
const maxRedirects = 5

// redirect says whether a request may be sent on. To another server it may not,
// nor where that made another request of it.
func (c *Client) redirect(next *http.Request, before []*http.Request) error {
	switch {
	case !sameServer(next.URL, c.base):
		return outcome.Errorf(outcome.Usage, "it sends on to another server, %s://%s; if that is the right one, give it as the service URL", next.URL.Scheme, next.URL.Host)
	case next.Method != before[0].Method:
		return outcome.Errorf(outcome.Usage, "it answers %s with a redirect that makes %s of it", before[0].Method, next.Method)
	case len(before) > maxRedirects:
		return outcome.New(outcome.Usage, "it sends on too often")
	}
	return nil
}
