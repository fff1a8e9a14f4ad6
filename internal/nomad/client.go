package nomad

import (
	"cmp"
	"context"
	"errors"
	"net"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// ClientOptions say which Nomad to talk to and how. Nothing is taken from the
// environment: the caller decides what of it counts.
type ClientOptions struct {
	// Address is "http://host:port", maybe with the path of a proxy behind it,
	// the same with https, or "unix:///path"; see CheckAddress.
	Address string
	// From is what named the address, such as a variable or a key and its file.
	// Messages about an unreachable Nomad repeat it; "" leaves it out.
	From string
	// Region and Namespace are the server's own where they are empty.
	Region, Namespace string
	// Token is the secret id of an ACL token, "" for none.
	Token string
	// User and Password are for HTTP basic authentication, as a proxy may want
	// it; no User is none.
	User, Password string
	TLS            TLSOptions
	// Dial, unless nil, is the way to Nomad: it connects to an address as
	// net.Dialer's DialContext does. Proxies of the environment then do not
	// count.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// RequestTimeout bounds every single request, with all its repetitions. It
	// must be positive.
	RequestTimeout time.Duration
	// Observe is told how long requests took, but for those that wait for
	// something to happen. It may be nil.
	Observe func(method string, took time.Duration)
	// Progress learns of requests that are repeated. It may be nil.
	Progress progress.Sink
}

// TLSOptions are for addresses with https. Files are in PEM.
type TLSOptions struct {
	CACert, CAPath, ClientCert, ClientKey string
	// ServerName is the name that the certificate must have, where it is not
	// the address's.
	ServerName string
	Insecure   bool
}

// Client talks to one Nomad. It is safe for concurrent use.
//
// Every method takes a context, sends requests bounded by RequestTimeout and
// returns errors that name the address. Requests are repeated through refused
// and broken connections, answers 429 and 5xx and the time without a leader,
// for RequestTimeout in all, and not before a server's Retry-After. A write is
// repeated only where it is certain that it was not done. A write that may have been done in
// spite of its error is reported as ErrUnknownOutcome.
type Client struct {
	api     *api.Client
	address string
	timeout time.Duration
	// namespace and hasToken are for messages.
	namespace string
	hasToken  bool
	from      string
	// direct is false where something of the caller's connects to Nomad.
	direct   bool
	progress progress.Sink
	version  cachedVersion
}

// NewClient makes a client; it connects to nothing. Wrong options are an
// error of kind outcome.Usage.
func NewClient(o ClientOptions) (*Client, error) {
	to, err := parseAddress(o.Address)
	if err != nil {
		return nil, err
	}
	if to.socket != "" && o.Dial != nil {
		return nil, outcome.Errorf(outcome.Usage, "Nomad's address %q is a socket of this machine, which no tunnel leads to; use the address behind the tunnel", to.address)
	}
	if o.RequestTimeout <= 0 {
		return nil, outcome.Errorf(outcome.Usage, "Nomad's request timeout must be positive, not %s", o.RequestTimeout)
	}
	files := &api.TLSConfig{
		CACert:        o.TLS.CACert,
		CAPath:        o.TLS.CAPath,
		ClientCert:    o.TLS.ClientCert,
		ClientKey:     o.TLS.ClientKey,
		TLSServerName: o.TLS.ServerName,
		Insecure:      o.TLS.Insecure,
	}
	var c *api.Client
	carrier, err := httpClient(to, o.Dial, files, o.Observe)
	if err == nil {
		// Each field is set here: the library fills what is left out of a
		// default configuration from NOMAD_* variables.
		c, err = api.NewClient(&api.Config{
			Address: to.base, Region: o.Region, Namespace: o.Namespace, SecretID: o.Token,
			TLSConfig: files, HttpClient: carrier, HttpAuth: basicAuth(o),
		})
	}
	if err != nil {
		return nil, outcome.Errorf(outcome.Usage, "set up TLS for Nomad at %s: %w", to.address, err)
	}
	return &Client{
		api: c, address: to.address, timeout: o.RequestTimeout,
		namespace: cmp.Or(o.Namespace, api.DefaultNamespace), hasToken: o.Token != "",
		from: o.From, direct: o.Dial == nil, progress: o.Progress,
	}, nil
}

func basicAuth(o ClientOptions) *api.HttpBasicAuth {
	if o.User == "" {
		return nil
	}
	return &api.HttpBasicAuth{Username: o.User, Password: o.Password}
}

// Address is the address of Nomad, as requests use it.
func (c *Client) Address() string { return c.address }

// Close frees idle connections.
func (c *Client) Close() { c.api.Close() }

// Server is what a server says of itself.
type Server struct {
	// Leader is the address of the leader for servers, as they see it.
	Leader string
	// Version is that of the agent that answers, "" where the token may not
	// read it.
	Version string
}

// Ping returns once Nomad answers and has a leader, without which it can
// change nothing.
func (c *Client) Ping(ctx context.Context) (Server, error) {
	const what = "ask for the leader"
	var s Server
	err := c.persist(ctx, what, func(bounded context.Context) (verdict, error) {
		v, err := c.ask(ctx, bounded, what, "", func(q *api.QueryOptions) error {
			_, err := c.api.Raw().Query("/v1/status/leader", &s.Leader, q)
			return err
		})
		switch {
		case err == nil && s.Leader == "":
			return passing, &UnreachableError{What: what, Address: c.address, From: c.from, Err: errors.New("it has no leader")}
		case v == unclear:
			v = passing
		}
		return v, err
	})
	if err != nil {
		return Server{}, err
	}
	if s.Version, err = c.askVersion(ctx); err != nil {
		return Server{}, err
	}
	return s, nil
}
