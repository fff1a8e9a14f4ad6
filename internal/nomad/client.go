package nomad

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// ClientOptions say which Nomad to talk to and how. Nothing is taken from the
// environment: whoever makes a client decides what of it counts.
type ClientOptions struct {
	// Address is "http://host:port" or "https://host:port".
	Address string
	// Region and Namespace are the server's own where they are empty.
	Region, Namespace string
	// Token is the secret id of an ACL token, "" for none.
	Token string
	TLS   TLSOptions
	// Dial, unless nil, is the way to Nomad: it connects to an address as
	// net.Dialer's DialContext does. Proxies of the environment then do not
	// count.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// RequestTimeout bounds every single request. It must be positive.
	RequestTimeout time.Duration
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
// returns errors that name the address. Reads may be repeated; what a write
// may have done after an error is told by ErrUnknownOutcome.
type Client struct {
	api     *api.Client
	address string
	timeout time.Duration
	// namespace and hasToken are for messages.
	namespace string
	hasToken  bool
}

// NewClient makes a client; it connects to nothing. Wrong options are an
// *InputError.
func NewClient(o ClientOptions) (*Client, error) {
	address, err := checkAddress(o.Address)
	if err != nil {
		return nil, err
	}
	if o.RequestTimeout <= 0 {
		return nil, badInput("Nomad's request timeout", "must be positive, not %s", o.RequestTimeout)
	}
	// Each field is set here, for what is left out of a default configuration
	// the library fills from NOMAD_* variables.
	config := &api.Config{
		Address:   address,
		Region:    o.Region,
		Namespace: o.Namespace,
		SecretID:  o.Token,
		TLSConfig: &api.TLSConfig{
			CACert:        o.TLS.CACert,
			CAPath:        o.TLS.CAPath,
			ClientCert:    o.TLS.ClientCert,
			ClientKey:     o.TLS.ClientKey,
			TLSServerName: o.TLS.ServerName,
			Insecure:      o.TLS.Insecure,
		},
	}
	if o.Dial != nil {
		config.HttpClient = dialingClient(o.Dial)
		err = api.ConfigureTLS(config.HttpClient, config.TLSConfig)
	}
	var c *api.Client
	if err == nil {
		c, err = api.NewClient(config)
	}
	if err != nil {
		return nil, badInput("the TLS setting for Nomad", "cannot be used: %v", err)
	}
	return &Client{
		api: c, address: address, timeout: o.RequestTimeout,
		namespace: cmp.Or(o.Namespace, api.DefaultNamespace), hasToken: o.Token != "",
	}, nil
}

// Address is the address of Nomad, as requests use it.
func (c *Client) Address() string { return c.address }

// Close frees idle connections.
func (c *Client) Close() { c.api.Close() }

// checkAddress accepts a scheme, a host and a port, and nothing more.
func checkAddress(address string) (string, error) {
	what := fmt.Sprintf("Nomad's address %q", address)
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", badInput(what, "is not a URL such as http://127.0.0.1:4646")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", badInput(what, "must start with http:// or https://, such as http://127.0.0.1:4646")
	case u.Hostname() == "":
		return "", badInput(what, "names no host")
	case u.User != nil:
		// It would end up in messages, and in the state that others read.
		return "", badInput(fmt.Sprintf("Nomad's address %q", u.Redacted()), "must not hold a user or a password")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", badInput(what, "must end after the port: no path, query or fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "", badInput(what, "has the port %s; ports are 1 to 65535", port)
		}
	}
	return u.Scheme + "://" + u.Host, nil
}

// Server is what a server says of itself.
type Server struct {
	// Leader is the address of the leader for servers, as they see it.
	Leader string
	// Version is that of the agent that answers, "" where the token may not
	// read it.
	Version string
}

// Ping says whether Nomad answers and has a leader, without which it can
// change nothing.
func (c *Client) Ping(ctx context.Context) (Server, error) {
	var s Server
	err := c.read(ctx, "ask for the leader", "", func(q *api.QueryOptions) error {
		_, err := c.api.Raw().Query("/v1/status/leader", &s.Leader, q)
		return err
	})
	if err != nil {
		return Server{}, err
	}
	if s.Leader == "" {
		return Server{}, fmt.Errorf("nomad at %s has no leader: %w", c.address, ErrUnreachable)
	}
	var self api.AgentSelf
	err = c.read(ctx, "ask for the version", agentRead, func(q *api.QueryOptions) error {
		_, err := c.api.Raw().Query("/v1/agent/self", &self, q)
		return err
	})
	if rejected(err) {
		return s, nil
	}
	if err != nil {
		return Server{}, err
	}
	s.Version = self.Member.Tags["build"]
	return s, nil
}
