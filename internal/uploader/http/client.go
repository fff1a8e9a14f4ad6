package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/proxyurl"
	"github.com/heron-nomad/heron/internal/uploader"
)

const (
	dialTimeout = 10 * time.Second
	// continueWait is how long a server may take to say that it wants the
	// body; some never say so.
	continueWait = time.Second
	// askLimit bounds one question without a package in it.
	askLimit = 30 * time.Second
	// sendBuffer is how much is read and written at a time.
	sendBuffer = 256 << 10
	// writeErrorWait bounds the wait for what the server says after it has
	// closed its ear.
	writeErrorWait = 5 * time.Second
)

// newClients makes the client that signs in, and the one that does as
// nodes do.
//
// Every request has a connection of its own: there are few, minutes may lie
// between them, and a POST on a connection that the server has closed
// meanwhile could not be told from one that got lost. HTTP/2 is not used: one
// upload gains nothing by it.
func newClients(s conf.HTTPUpload, opts uploader.Options) (own, nodes *http.Client, err error) {
	trust, err := loadTrust(s)
	if err != nil {
		return nil, nil, err
	}
	signed := trust.Clone()
	signed.ServerName = s.ServerName
	if s.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(s.ClientCert, s.ClientKey)
		if err != nil {
			return nil, nil, &uploader.ConfigError{
				What: "heron.uploader.http.tls.client.cert", Value: s.ClientCert,
				Reason: "it and " + s.ClientKey + " must be a certificate and its key in PEM: " + err.Error(),
			}
		}
		signed.Certificates = []tls.Certificate{pair}
	}
	proxy, err := chooseProxy(opts.Getenv)
	if err != nil {
		return nil, nil, err
	}
	transport := func(config *tls.Config) *http.Transport {
		return &http.Transport{
			Proxy:                 proxy,
			DialContext:           dial,
			TLSClientConfig:       config,
			TLSHandshakeTimeout:   dialTimeout,
			DisableKeepAlives:     true,
			DisableCompression:    true,
			ExpectContinueTimeout: continueWait,
			ResponseHeaderTimeout: s.ResponseTimeout,
		}
	}
	own = &http.Client{
		Transport: transport(signed),
		// The token must not go where the server points, and a POST that is
		// sent on becomes a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	nodes = &http.Client{Transport: transport(trust), CheckRedirect: followQuietly}
	return own, nodes, nil
}

// maxRedirects is how often a server may send us on; it is Go's own limit.
const maxRedirects = 10

// followQuietly goes where a server sends us, without naming the URI that it
// was sent from: its query may be a signature.
func followQuietly(next *http.Request, before []*http.Request) error {
	if len(before) >= maxRedirects {
		return fmt.Errorf("the server redirects more than %d times", maxRedirects)
	}
	next.Header.Del("Referer")
	return nil
}

func loadTrust(s conf.HTTPUpload) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.SkipVerify} //nolint:gosec // as configured
	if s.CACert == "" {
		return c, nil
	}
	const key = "heron.uploader.http.tls.ca.cert"
	text, err := os.ReadFile(s.CACert)
	if err != nil {
		return nil, &uploader.ConfigError{What: key, Value: s.CACert, Reason: "cannot be read: " + err.Error()}
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, &uploader.ConfigError{What: key, Value: s.CACert, Reason: "must hold a certificate in PEM"}
	}
	return c, nil
}

// chooseProxy chooses a proxy by the standard variables. What they hold is never
// shown: it may be a password.
func chooseProxy(getenv func(string) string) (func(*http.Request) (*url.URL, error), error) {
	if getenv == nil {
		return nil, nil
	}
	choose, err := proxyurl.FromEnvironment(getenv)
	var variable *proxyurl.VariableError
	if errors.As(err, &variable) {
		return nil, &uploader.ConfigError{What: variable.Name, Reason: "is not the address of a proxy: " + proxyurl.Form}
	}
	return choose, err
}

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &serverConn{Conn: conn, ended: make(chan struct{})}, nil
}

// serverConn writes in large pieces, and keeps the error of a write back until
// all has been read. A server that refuses a body answers, and closes while we
// still write; what it answered then lies there to be read, but the transport
// would give up at the error.
type serverConn struct {
	net.Conn
	once  sync.Once
	ended chan struct{} // closed when nothing more will be read
}

// Read implements net.Conn. When it fails the transport has taken the answer,
// if there was one, out of what was read before.
func (c *serverConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.end()
	}
	return n, err
}

func (c *serverConn) end() { c.once.Do(func() { close(c.ended) }) }

// Write implements net.Conn.
func (c *serverConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		timer := time.NewTimer(writeErrorWait)
		defer timer.Stop()
		select {
		case <-c.ended:
		case <-timer.C:
		}
	}
	return n, err
}

// ReadFrom implements io.ReaderFrom, by which the transport sends a body.
func (c *serverConn) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(uploader.OnlyWriter{Writer: c}, r, make([]byte, sendBuffer))
}

// Close implements net.Conn.
func (c *serverConn) Close() error {
	c.end()
	return c.Conn.Close()
}

// userAgent names this program.
func userAgent() string {
	version := "dev"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		version = info.Main.Version
	}
	return "heron/" + version
}

// origin is a URL's scheme, host and port.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

func sameOrigin(a, b *url.URL) bool { return origin(a) == origin(b) }

// showURL is a URL for people: without user, password and query, which may be
// secrets.
func showURL(u *url.URL) string {
	shown := *u
	shown.User, shown.Fragment, shown.RawFragment = nil, "", ""
	if shown.RawQuery != "" {
		shown.RawQuery = ""
		return shown.String() + "?…"
	}
	return shown.String()
}
