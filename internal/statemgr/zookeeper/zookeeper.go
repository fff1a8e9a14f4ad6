// Package zookeeper keeps the state of topologies in ZooKeeper. It implements
// statemgr.Store on one session, with bounded waiting and without ever sending
// a write that its caller has given up.
package zookeeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// defaultTimeout is how long to wait for servers if nothing is configured.
const defaultTimeout = 30 * time.Second

// DialFunc connects to an address, as net.Dialer's DialContext does.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// Options say where the servers are, how to log in and how long to wait. The
// zero value of a field stands for its default.
type Options struct {
	// Servers are "host:port" each. They are tried in turn, beginning at a
	// random one.
	Servers []string
	// ServersFrom names the setting that Servers come from, and its place, for
	// messages.
	ServersFrom string
	// Dial connects to a server, whose name it gets as configured; nil connects
	// directly. An error with a method Permanent that returns true means that
	// trying again is useless.
	Dial DialFunc
	// TLS says how to verify the servers; nil for connections without TLS.
	TLS *tls.Config
	// Digest is "user:password" for the digest scheme, "" for none. DigestFrom
	// names its source, for messages.
	Digest     conf.Secret
	DigestFrom string
	// ACL is given to new nodes; Root tells which of them Heron's processes must
	// be able to write to.
	ACL  conf.ZooKeeperACL
	Root string
	// SessionTimeout is how long the servers keep the session, and what
	// belongs to it, after the connection is lost; default 30 s. Servers have
	// limits of their own.
	SessionTimeout time.Duration
	// ConnectTimeout bounds the wait for a session, and every request as a
	// whole, repetitions included; default 30 s. Open gives up sooner if all
	// servers refuse connections.
	ConnectTimeout time.Duration
	// Retries is how often a request that only reads is repeated after the
	// connection was lost.
	Retries int
	// RetryInterval is the longest pause between two rounds of trying to
	// connect to the servers; pauses begin at 50 ms. The default, and the
	// most, is 1 s.
	RetryInterval time.Duration
	// MaxRequest is the largest request that the servers accept, in bytes: their
	// jute.maxbuffer; default 1 MiB.
	MaxRequest int
	// Logger gets connects and disconnects at level debug; nil for nothing.
	Logger *slog.Logger
}

// store is a Store in ZooKeeper. It has one session at a time; the library
// reconnects it, and begins a new one if the servers have expired it.
type store struct {
	conn    *zk.Conn
	link    *link
	ended   chan struct{} // closed when the library's goroutines have ended
	timeout time.Duration
	retries int
	limit   int
	from    string // of the servers
	creds   credentials
	acls    aclSet
	layout  statemgr.Layout

	// writing is held by the one write in progress until the library is done with
	// it.
	writing chan struct{}
	// unsure: a write had no answer. The next read must wait for it.
	unsure atomic.Bool

	closing sync.Once
}

// Open connects to the servers and returns once there is a session. It returns
// ErrUnreachable if no server granted one within ConnectTimeout, and within about
// one second if TLS shows that none will, or if all of them refuse connections or
// have no address. A wrong password goes unnoticed until the first request that
// needs the right one.
func Open(ctx context.Context, o Options) (statemgr.Store, error) {
	s, err := open(ctx, o, nil)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open opens a store; watch, unless nil, gets every request as it is sent.
func open(ctx context.Context, o Options, watch func(packet []byte)) (*store, error) {
	if len(o.Servers) == 0 {
		return nil, &statemgr.InvalidError{What: "", Why: "names no ZooKeeper server: set heron.statemgr.connection.string to host:port[,host:port]"}
	}
	o.SessionTimeout = positive(o.SessionTimeout, defaultTimeout)
	o.ConnectTimeout = positive(o.ConnectTimeout, defaultTimeout)
	if o.MaxRequest <= 0 {
		o.MaxRequest = defaultMaxRequest
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &store{
		link:    newLink(o, watch),
		ended:   make(chan struct{}),
		timeout: o.ConnectTimeout,
		retries: o.Retries,
		limit:   o.MaxRequest,
		from:    o.ServersFrom,
		creds: credentials{
			digest:      o.Digest,
			from:        o.DigestFrom,
			certificate: o.TLS != nil && len(o.TLS.Certificates) > 0,
		},
		acls:    newACLSet(o.ACL, statemgr.Layout{Root: o.Root}),
		layout:  statemgr.Layout{Root: o.Root},
		writing: make(chan struct{}, 1),
	}
	conn, events, err := zk.Connect(slices.Clone(o.Servers), o.SessionTimeout,
		zk.WithHostProvider(s.link), zk.WithDialer(s.link.dial), zk.WithEventCallback(s.link.event),
		zk.WithLogger(logger{o.Logger}), zk.WithMaxConnBufferSize(o.MaxRequest+4096))
	if err != nil {
		return nil, fmt.Errorf("connect to ZooKeeper at %s: %w", s.link, err)
	}
	s.conn = conn
	go func() {
		for range events { // the library closes it last
		}
		close(s.ended)
	}()
	bound, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err = s.link.await(bound)
	if err == nil {
		err = s.authenticate(bound)
	}
	if err != nil {
		err = s.explain(ctx, "connect to", err)
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the session, so that the servers drop what belongs to it.
func (s *store) Close() error {
	s.closing.Do(func() {
		if !s.link.shut() {
			s.link.cut(statemgr.ErrClosed)
		}
		s.conn.Close()
		s.link.cut(statemgr.ErrClosed)
		<-s.ended
	})
	return nil
}

func (s *store) Read(ctx context.Context, path string) (statemgr.Node, error) {
	if err := statemgr.CheckPath(path); err != nil {
		return statemgr.Node{}, err
	}
	type answer struct {
		data []byte
		stat *zk.Stat
	}
	a, err := read(ctx, s, path, func() (answer, error) {
		data, stat, err := s.conn.Get(path)
		return answer{data, stat}, err
	})
	if err != nil {
		return statemgr.Node{}, s.explain(ctx, "read "+path+" from", err)
	}
	return statemgr.Node{
		Data:      a.data,
		Version:   int(a.stat.Version),
		Created:   a.stat.Czxid,
		Ephemeral: a.stat.EphemeralOwner != 0,
	}, nil
}

func (s *store) Children(ctx context.Context, path string) ([]string, error) {
	if err := statemgr.CheckPath(path); err != nil {
		return nil, err
	}
	names, err := read(ctx, s, path, func() ([]string, error) {
		names, _, err := s.conn.Children(path)
		return names, err
	})
	if err != nil {
		return nil, s.explain(ctx, "list "+path+" in", err)
	}
	slices.Sort(names)
	return names, nil
}

// read sends a request that changes nothing, and repeats it if the connection is
// lost. After a write without an answer it first waits until the server has
// done everything that was sent to it.
func read[T any](ctx context.Context, s *store, path string, request func() (T, error)) (T, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var none T
	for try := 0; ; try++ {
		if err := s.link.await(ctx); err != nil {
			return none, err
		}
		v, err := run(ctx, func() (T, error) {
			if s.unsure.Load() {
				if _, err := s.conn.Sync(path); err != nil {
					return none, err
				}
				s.unsure.Store(false)
			}
			return request()
		})
		switch {
		case err == nil:
			return v, nil
		case caller.Err() != nil:
			return none, err
		case ctx.Err() != nil:
			s.link.cut(errNoAnswer) // another server may do better next time
			return none, err
		case !connectionLost(err) || try >= s.retries:
			return none, err
		}
	}
}

// run waits for f no longer than ctx. f itself continues until the library
// answers it, at the latest when the store is closed.
func run[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	c := make(chan result, 1)
	go func() {
		v, err := f()
		c <- result{v, err}
	}()
	select {
	case r := <-c:
		return r.v, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// explain turns an error of a request into one of package statemgr. doing is
// what was being done, up to the name of the servers; ctx is the caller's.
func (s *store) explain(ctx context.Context, doing string, err error) error {
	where := doing + " ZooKeeper at " + s.link.String()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", where, statemgr.Ended(ctx))
	}
	if reason := s.refused(err); reason != nil {
		return fmt.Errorf("%s: %w", where, reason)
	}
	switch {
	case errors.Is(err, statemgr.ErrClosed), errors.Is(err, zk.ErrClosing):
		return fmt.Errorf("%s: %w", where, statemgr.ErrClosed)
	case errors.Is(err, errHopeless):
		return unreachable(where, s.link.why())
	case errors.Is(err, errRefused):
		return unreachable(where, s.link.why()+s.doubt())
	case errors.Is(err, context.DeadlineExceeded):
		return unreachable(where, fmt.Sprintf(": no answer within %v%s%s", s.timeout, s.link.why(), s.doubt()))
	case connectionLost(err):
		return unreachable(where, ": the connection was lost"+s.link.why())
	}
	return fmt.Errorf("%s: %w", where, err)
}

// doubt asks what may be wrong with servers that do not answer.
func (s *store) doubt() string {
	if s.from == "" {
		return "; is it running, and is its address right?"
	}
	return "; is it running, and is its address right (" + s.from + ")?"
}

// unreachableError is ErrUnreachable with a text of its own.
type unreachableError struct{ text string }

func (e *unreachableError) Error() string { return e.text }
func (e *unreachableError) Unwrap() error { return statemgr.ErrUnreachable }

// unreachable says once that servers are unreachable, even if the reason says
// so itself.
func unreachable(where, why string) error {
	word := ": " + statemgr.ErrUnreachable.Error()
	if strings.Contains(why, statemgr.ErrUnreachable.Error()) {
		word = ""
	}
	return &unreachableError{text: where + word + why}
}

// reasonOf returns the sentinel for a server's refusal, nil for other errors.
func reasonOf(err error) error {
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return statemgr.ErrNotFound
	case errors.Is(err, zk.ErrNodeExists):
		return statemgr.ErrExists
	case errors.Is(err, zk.ErrBadVersion):
		return statemgr.ErrVersion
	case errors.Is(err, zk.ErrNotEmpty):
		return statemgr.ErrNotEmpty
	case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrAuthFailed), errors.Is(err, zk.ErrInvalidACL), wantsCredentials(err):
		return statemgr.ErrDenied
	}
	return nil
}

// connectionLost reports whether the request had no answer, so that its outcome
// is unknown.
func connectionLost(err error) bool {
	for _, e := range []error{zk.ErrConnectionClosed, zk.ErrSessionExpired, zk.ErrSessionMoved, zk.ErrNoServer} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// logger keeps the library's messages off stderr.
type logger struct{ log *slog.Logger }

// Printf is the library's one level.
func (l logger) Printf(format string, args ...any) {
	l.log.Debug("zookeeper: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func positive(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
