// Package sshclient logs in to hosts by SSH, in process: it starts no program.
//
// It reaches a host as OpenSSH's client would: with options as on a command
// line, ~/.ssh/config and /etc/ssh/ssh_config, identity files, the agent and
// known_hosts, all read by OpenSSH's rules. It never asks a person anything,
// so it logs in by key only, and it never talks to a host whose key is not
// known.
//
// What goes over the connection is up to the caller.
package sshclient

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/progress"
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
	// shell: -i FILE, -p PORT, -P PORT, -l USER, -F FILE, -J HOST, -c CIPHERS,
	// -m MACS, -b ADDRESS, -B INTERFACE, -o KEY=VALUE, and those that have no
	// effect here, such as -q.
	Args string
	// ConnectTimeout bounds one attempt, log-in included; 0 takes that of the
	// configuration, else 20 s.
	ConnectTimeout time.Duration
	// Progress takes events about keys that are ignored; it may be nil.
	Progress progress.Sink
	// Jumps shares connections to jump hosts with other log-ins; nil shares
	// none.
	Jumps *Jumps

	// system is the folder with the system's configuration, and look asks for
	// names; only tests set them.
	system string
	look   lookup
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
// and without looking up names. What it refuses is an *InputError.
func Check(target string, o Options) error {
	_, err := o.route(context.Background(), target, nil)
	return err
}

// Resolve says where a target leads, without connecting. It looks up names
// only if CanonicalizeHostname or CanonicalizePermittedCNAMEs is configured.
// Errors are an *InputError, or ErrUnreachable for a name that is not found.
func Resolve(ctx context.Context, target string, o Options) (Where, error) {
	l, err := o.route(ctx, target, o.lookup())
	if err != nil {
		return Where{}, err
	}
	return Where{User: l.user, Host: l.host, Port: l.port}, nil
}

// route reads everything about a target and its jump hosts.
func (o Options) route(ctx context.Context, target string, look lookup) (*login, error) {
	l, err := o.login(ctx, target, false, look)
	if err != nil {
		return nil, err
	}
	for _, jump := range l.jumps {
		if _, err := o.forJump(l).login(ctx, jump, true, look); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (o Options) lookup() lookup {
	if o.look != nil {
		return o.look
	}
	return lookUp
}

// Dial logs in to target: "user@host", "host", an alias of ~/.ssh/config, or
// "ssh://user@host:port". Errors are an *InputError for what cannot be
// understood, else ErrUnreachable, ErrHostKey or ErrAuth, each with a type
// that says more. The context bounds the log-in, not the connection's life.
func Dial(ctx context.Context, target string, o Options) (*Client, error) {
	l, err := o.login(ctx, target, false, o.lookup())
	if err != nil {
		return nil, err
	}
	return o.reach(ctx, l, 0)
}

// forJump are the options for a jump host: those of the command line are the
// target's, except for the file.
func (o Options) forJump(l *login) Options {
	o.Args = ""
	if l.config != "" {
		o.Args = "-F " + Quote(l.config)
	}
	return o
}

func (o Options) dial(ctx context.Context, l *login, depth int) (_ *Client, err error) {
	if depth > maxJumps {
		return nil, &InputError{What: "ProxyJump", Value: l.alias, Reason: "leads through too many hosts, or in a circle"}
	}
	timeout := l.connectTimeout
	if o.ConnectTimeout > 0 {
		timeout = o.ConnectTimeout
	}
	var through *Client
	if n := len(l.jumps); n > 0 {
		jump, err := o.forJump(l).login(ctx, l.jumps[n-1], true, o.lookup())
		if err != nil {
			return nil, err
		}
		if n > 1 {
			jump.jumps = l.jumps[:n-1]
		}
		if through, err = o.forJump(l).reachJump(ctx, jump, depth+1); err != nil {
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
	if l.aliveEvery > 0 {
		go c.keepAlive(l.aliveEvery, l.aliveMax)
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
