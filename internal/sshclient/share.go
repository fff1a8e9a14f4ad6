package sshclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Jumps shares connections to jump hosts: log-ins that have the same Jumps in
// their options go through one connection to each jump host. It is closed with
// the last connection that goes through it. The zero value is ready for use.
type Jumps struct {
	mu   sync.Mutex
	open map[string]*sharedJump
}

// sharedJump is a connection to a jump host, or one that is being made.
type sharedJump struct {
	users int
	// ready is closed when client or err is known.
	ready  chan struct{}
	client *Client
	err    error
	// abandoned: err is that of a caller who gave up.
	abandoned bool
}

const (
	// logIns is how often a log-in is attempted that the host drops.
	logIns = 6
	// dropWait is the longest wait after the first such attempt; it doubles.
	dropWait = 200 * time.Millisecond
)

// reach logs in, again where the host hangs up before it has let us in: one
// with too many log-ins under way does (MaxStartups).
func (o Options) reach(ctx context.Context, l *login, depth int) (*Client, error) {
	for n := 1; ; n++ {
		c, err := o.dial(ctx, l, depth)
		if err == nil || n == logIns || ctx.Err() != nil || !dropped(err) {
			return c, err
		}
		bound := dropWait << (n - 1)
		timer := time.NewTimer(bound/2 + rand.N(bound/2)) //nolint:gosec // not a secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

// dropped says whether a host hung up.
func dropped(err error) bool {
	var unreachable *UnreachableError
	return errors.As(err, &unreachable) && unreachable.Dropped || errors.Is(err, ErrUnreachable) &&
		(errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// reachJump logs in to a jump host, or takes the connection that there is.
func (o Options) reachJump(ctx context.Context, l *login, depth int) (*Client, error) {
	dial := func(ctx context.Context) (*Client, error) { return o.reach(ctx, l, depth) }
	if o.Jumps == nil {
		return dial(ctx)
	}
	// Jump hosts that lead in a circle are found by their depth.
	key := fmt.Sprintf("%d %s %q via %s", depth, l, o.Args, strings.Join(l.Jumps, ","))
	return o.Jumps.lease(ctx, key, dial)
}

// lease returns a client whose Close gives the shared connection back.
func (j *Jumps) lease(ctx context.Context, key string, dial func(context.Context) (*Client, error)) (*Client, error) {
	for {
		s, mine := j.join(key)
		if mine {
			s.client, s.err = dial(ctx)
			s.abandoned = s.err != nil && ctx.Err() != nil
			if s.err != nil {
				j.forget(key, s)
			} else {
				go func() {
					_ = s.client.ssh.Wait()
					j.forget(key, s)
				}()
			}
			close(s.ready)
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			j.leave(key, s)
			return nil, fmt.Errorf("connect to a jump host: %w", context.Cause(ctx))
		}
		if s.err == nil {
			return &Client{ssh: s.client.ssh, stop: make(chan struct{}), release: func() { j.leave(key, s) }}, nil
		}
		j.leave(key, s)
		if mine || !s.abandoned || ctx.Err() != nil {
			return nil, s.err
		}
		// The log-in that connected has given up; this one takes its turn.
	}
}

// join counts a user of a connection; mine says that there is none yet and the
// caller has to make it.
func (j *Jumps) join(key string) (s *sharedJump, mine bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s = j.open[key]; s == nil {
		s, mine = &sharedJump{ready: make(chan struct{})}, true
		if j.open == nil {
			j.open = map[string]*sharedJump{}
		}
		j.open[key] = s
	}
	s.users++
	return s, mine
}

// forget has the next user make a connection of its own.
func (j *Jumps) forget(key string, s *sharedJump) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.open[key] == s {
		delete(j.open, key)
	}
}

// leave counts a user less. The last one closes the connection.
func (j *Jumps) leave(key string, s *sharedJump) {
	j.mu.Lock()
	s.users--
	last := s.users == 0
	if last && j.open[key] == s {
		delete(j.open, key)
	}
	j.mu.Unlock()
	if !last {
		return
	}
	// Whoever makes the connection is a user until it is made.
	if s.client != nil {
		_ = s.client.Close()
	}
}

// cutConn is a connection through a jump host that ends at once when it is
// closed. Of SSH's own, reads and writes last until the jump host has answered.
type cutConn struct {
	net.Conn
	in   *io.PipeReader
	out  *io.PipeWriter
	once sync.Once
}

func newCutConn(c net.Conn) *cutConn {
	in, received := io.Pipe()
	toSend, out := io.Pipe()
	cut := &cutConn{Conn: c, in: in, out: out}
	go func() {
		_, err := io.Copy(received, c)
		if err == nil {
			err = io.EOF
		}
		_ = received.CloseWithError(err)
	}()
	go func() {
		_, err := io.Copy(c, toSend)
		if err == nil {
			err = net.ErrClosed
		}
		_ = toSend.CloseWithError(err)
	}()
	return cut
}

// Read implements net.Conn.
func (c *cutConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// Write implements net.Conn.
func (c *cutConn) Write(p []byte) (int, error) { return c.out.Write(p) }

// Close implements net.Conn.
func (c *cutConn) Close() error {
	c.once.Do(func() {
		_ = c.in.CloseWithError(net.ErrClosed)
		_ = c.out.CloseWithError(net.ErrClosed)
		// It waits where the jump host does not answer.
		go func() { _ = c.Conn.Close() }()
	})
	return nil
}
