// Package sshclient logs in to hosts by SSH, in process: it starts no program.
//
// It reaches a host as OpenSSH's client would: it reads identity files, the
// agent and known_hosts by OpenSSH's rules. It never asks a person anything, so
// it logs in by key only, and it never talks to a host whose key is not known.
//
// What options and configuration files mean is up to package sshconfig, and
// what goes over the connection is up to the caller.
package sshclient

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
)

// DefaultConnectTimeout bounds one attempt if nothing else is configured, from
// the first packet until the host has let us in.
const DefaultConnectTimeout = 20 * time.Second

// maxJumps bounds a chain of jump hosts; a longer one leads in a circle.
const maxJumps = 8

// Options say how to log in.
type Options struct {
	// Home is the folder that has .ssh. Getenv reads an environment variable,
	// such as SSH_AUTH_SOCK and those that files name; nil is no environment.
	Home   string
	Getenv func(string) string
	// Args are options as on the command line of ssh or scp, quoted as for a
	// shell: those of sshconfig.Options.
	Args string
	// ConnectTimeout bounds one attempt, log-in included; 0 takes that of the
	// configuration, else 20 s.
	ConnectTimeout time.Duration
	// Progress takes events about keys that are ignored; it may be nil.
	Progress progress.Sink
	// Jumps shares connections to jump hosts with other log-ins; nil shares
	// none.
	Jumps *Jumps

	// system is the folder with the system's configuration; only tests set it.
	system string
}

// Client is a connection to a host. It may be used by several goroutines.
type Client struct {
	ssh     *ssh.Client
	through *Client // the jump host
	stop    chan struct{}
	once    sync.Once
	// release gives back a shared connection instead of closing it.
	release func()
}

// Where is where a target leads, by the options and files.
type Where struct {
	// User logs in at Host, a name or an address, on Port.
	User, Host, Port string
}

// Check says whether target and options can be understood, without connecting
// and without looking up names. What it refuses is an *sshconfig.InputError.
func Check(target string, o Options) error {
	return sshconfig.Check(target, o.config())
}

// Resolve says where a target leads, without connecting. It looks up names
// only if CanonicalizeHostname or CanonicalizePermittedCNAMEs is configured.
// Errors are an *sshconfig.InputError, or ErrUnreachable for a name that is not found.
func Resolve(ctx context.Context, target string, o Options) (Where, error) {
	l, err := o.login(ctx, target)
	if err != nil {
		return Where{}, err
	}
	for _, jump := range l.Jumps {
		if _, err := o.jump(ctx, l, jump); err != nil {
			return Where{}, err
		}
	}
	return Where{User: l.User, Host: l.HostName, Port: l.Port}, nil
}

// Dial logs in to target: "user@host", "host", an alias of ~/.ssh/config, or
// "ssh://user@host:port". Errors are an *sshconfig.InputError for what cannot be
// understood, else ErrUnreachable, ErrHostKey or ErrAuth, each with a type
// that says more. The context bounds the log-in, not the connection's life.
func Dial(ctx context.Context, target string, o Options) (*Client, error) {
	l, err := o.login(ctx, target)
	if err != nil {
		return nil, err
	}
	return o.reach(ctx, l, 0)
}

func (o Options) dial(ctx context.Context, l *login, depth int) (_ *Client, err error) {
	if depth > maxJumps {
		return nil, &sshconfig.InputError{What: "ProxyJump", Value: l.Alias, Reason: "leads through too many hosts, or in a circle"}
	}
	timeout := cmp.Or(max(o.ConnectTimeout, 0), l.ConnectTimeout, DefaultConnectTimeout)
	var through *Client
	if n := len(l.Jumps); n > 0 {
		jump, err := o.jump(ctx, l, l.Jumps[n-1])
		if err != nil {
			return nil, err
		}
		if n > 1 {
			jump.Jumps = l.Jumps[:n-1]
		}
		if through, err = o.reachJump(ctx, jump, depth+1); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				_ = through.Close()
			}
		}()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, &timeoutError{timeout})
	defer cancel()
	conn, err := l.connect(ctx, through)
	if err != nil {
		return nil, l.unreachable(ctx, err)
	}
	if through != nil {
		conn = newCutConn(conn)
	}
	unwatch := context.AfterFunc(ctx, func() { _ = conn.Close() })
	client, err := l.handshake(ctx, conn)
	if !unwatch() && err == nil {
		_ = client.Close()
		err = l.unreachable(ctx, context.Cause(ctx))
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	c := &Client{ssh: client, through: through, stop: make(chan struct{})}
	if l.AliveInterval > 0 {
		go c.keepAlive(l.AliveInterval, l.AliveCountMax)
	}
	return c, nil
}

// SSH is the connection itself.
func (c *Client) SSH() *ssh.Client { return c.ssh }

// DialContext connects to an address as seen from the host. The network is
// "tcp" or "unix". Deadlines are not supported on what it returns.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return c.ssh.DialContext(ctx, network, addr)
}

// Close ends the connection and everything that goes through it.
func (c *Client) Close() error {
	var err error
	c.once.Do(func() {
		close(c.stop)
		if c.release != nil {
			c.release()
			return
		}
		err = c.ssh.Close()
		if errors.Is(err, net.ErrClosed) {
			err = nil
		}
		if c.through != nil {
			err = errors.Join(err, c.through.Close())
		}
	})
	return err
}

// keepAlive asks the host for a sign of life again and again, and closes a
// connection on which none comes in the time of count questions.
func (c *Client) keepAlive(every time.Duration, count int) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		answer := make(chan error, 1)
		go func() {
			_, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil)
			answer <- err
		}()
		limit := time.NewTimer(every * time.Duration(max(count, 1)))
		select {
		case <-c.stop:
			limit.Stop()
			return
		case err := <-answer:
			limit.Stop()
			if err == nil {
				continue
			}
		case <-limit.C:
		}
		_ = c.Close()
		return
	}
}
