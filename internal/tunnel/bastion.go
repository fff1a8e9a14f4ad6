package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/sshclient"
)

// signOfLife is how long a bastion that was too slow once has to answer a question
// that takes no work.
const signOfLife = 3 * time.Second

// bastion is a host to connect through, with at most one SSH connection to it.
type bastion struct {
	target  string
	name    string // for people
	options sshclient.Options
	sink    progress.Sink

	// ctx ends when the tunnel is closed; running counts goroutines.
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	link *link // nil if there is none
}

// link is one SSH connection, or one that is being made.
type link struct {
	// made is closed when the log-in has succeeded or failed.
	made   chan struct{}
	client *sshclient.Client
	err    error
	// doubted: a question whether the connection still works is in progress.
	doubted atomic.Bool
}

func newBastion(target, name string, options sshclient.Options, sink progress.Sink) *bastion {
	b := &bastion{target: target, name: name, options: options, sink: sink}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// dial connects to an address as seen from the bastion. If the connection to the
// bastion turns out to be dead it is made again, once.
func (b *bastion) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	for again := false; ; again = true {
		l, err := b.connected(ctx)
		if err != nil {
			return nil, err
		}
		conn, err := l.client.DialContext(ctx, network, addr)
		if err == nil {
			return withDeadlines(conn), nil
		}
		var refused *ssh.OpenChannelError
		switch {
		case errors.As(err, &refused):
			return nil, channelError(addr, refused)
		case ctx.Err() != nil:
			b.doubt(l)
			return nil, fmt.Errorf("it did not answer about %s: %w", addr, context.Cause(ctx))
		}
		b.drop(l)
		if again {
			return nil, fmt.Errorf("%w: %w", errLost, err)
		}
	}
}

// connected returns the connection, and makes it if there is none. The log-in
// continues after its caller gives up, for others and for later. A log-in that
// was refused is not repeated: servers lock out clients that do so.
func (b *bastion) connected(ctx context.Context) (*link, error) {
	b.mu.Lock()
	if b.ctx.Err() != nil {
		b.mu.Unlock()
		return nil, errClosed
	}
	l := b.link
	if l == nil {
		l = &link{made: make(chan struct{})}
		b.link = l
		b.running.Go(func() { b.logIn(l) })
	}
	b.mu.Unlock()
	select {
	case <-l.made:
		return l, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("not logged in to it in time: %w", context.Cause(ctx))
	}
}

func (b *bastion) logIn(l *link) {
	b.sink.Begin(StepLogIn, outcome.Resource{Kind: outcome.Bastion, ID: b.name})
	l.client, l.err = sshclient.Dial(b.ctx, b.target, b.options)
	if l.err != nil && b.ctx.Err() != nil {
		l.err = errClosed
	}
	if l.err != nil && !permanent(l.err) {
		b.drop(l)
	}
	close(l.made)
	if l.err != nil {
		return
	}
	// This ends with the connection.
	_ = l.client.SSH().Wait()
	b.drop(l)
}

// doubt finds out whether a connection still works, and drops it if not. It does
// not wait for the answer.
func (b *bastion) doubt(l *link) {
	if !l.doubted.CompareAndSwap(false, true) {
		return
	}
	late := time.AfterFunc(signOfLife, func() { b.drop(l) })
	b.running.Go(func() {
		// A refusal is an answer too.
		_, _, err := l.client.SSH().SendRequest("keepalive@openssh.com", true, nil)
		if late.Stop() && err == nil {
			l.doubted.Store(false)
		}
	})
}

// drop gives up a connection; the next caller who needs one makes another.
func (b *bastion) drop(l *link) {
	b.mu.Lock()
	if b.link == l {
		b.link = nil
	}
	b.mu.Unlock()
	if l.client != nil {
		_ = l.client.Close()
	}
}

// close ends the connection and waits until all goroutines have ended.
func (b *bastion) close() error {
	b.mu.Lock()
	b.stop()
	l := b.link
	b.mu.Unlock()
	var err error
	if l != nil {
		<-l.made
		if l.client != nil {
			err = l.client.Close()
		}
	}
	b.running.Wait()
	return err
}
