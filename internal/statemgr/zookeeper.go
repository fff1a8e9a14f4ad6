package statemgr

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
)

// defaultTimeout is how long servers are waited for where nothing is
// configured.
const defaultTimeout = 30 * time.Second

// DialFunc connects to an address, as net.Dialer's DialContext does.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// ZooKeeperOptions say where the servers are and how long to wait for them.
// The zero value of a field stands for its default.
type ZooKeeperOptions struct {
	// Servers are "host:port" each. They are tried in turn, beginning at a
	// random one.
	Servers []string
	// Dial connects to a server, whose name it is given as it is configured;
	// nil connects straight. An error with a method Permanent that says true
	// will not go away by trying again.
	Dial DialFunc
	// TLS is how to make sure of the servers; nil for connections without TLS.
	TLS *tls.Config
	// Digest is "user:password" for the digest scheme, "" for none. DigestFrom
	// is where it was found, for messages.
	Digest     conf.Secret
	DigestFrom string
	// ACL is given to new nodes; Root tells which of them Heron's processes
	// must be able to write in.
	ACL  conf.ZooKeeperACL
	Root string
	// SessionTimeout is how long the servers keep the session, and what
	// belongs to it, after the connection is lost; default 30 s. Servers have
	// limits of their own.
	SessionTimeout time.Duration
	// ConnectTimeout bounds the wait for a session, and every request as a
	// whole, repetitions included; default 30 s.
	ConnectTimeout time.Duration
	// Retries is how often a request that only reads is sent again after the
	// connection was lost.
	Retries int
	// RetryInterval is the longest pause between two rounds of trying to
	// connect to the servers; pauses begin at 50 ms. The default, and the
	// most, is 1 s.
	RetryInterval time.Duration
	// MaxRequest is what the servers take in one request, in bytes: their
	// jute.maxbuffer; default 1 MiB.
	MaxRequest int
	// Logger gets connects and disconnects at level debug; nil for nothing.
	Logger *slog.Logger
}

// zkStore is a Store in ZooKeeper. It has one session at a time; the library
// reconnects it, and begins a new one where the servers have given it up.
type zkStore struct {
	conn    *zk.Conn
	link    *zkLink
	ended   chan struct{} // closed when the library's goroutines have ended
	timeout time.Duration
	retries int
	limit   int
	creds   credentials
	acls    zkACLs

	// writing is held by the one write under way, until the library has let go
	// of it.
	writing chan struct{}
	// unsure: a write had no answer. The next read must wait for it.
	unsure atomic.Bool

	closing sync.Once
}

// OpenZooKeeper connects to the servers and returns when there is a session,
// with ErrUnreachable when none of them gave one within ConnectTimeout, and
// sooner where TLS tells that none of them will. That a password is wrong shows
// only at the first request that needs the right one.
func OpenZooKeeper(ctx context.Context, o ZooKeeperOptions) (Store, error) {
	return openZooKeeper(ctx, o, nil)
}

// openZooKeeper: watch, unless nil, sees every request as it is sent.
func openZooKeeper(ctx context.Context, o ZooKeeperOptions, watch func(packet []byte)) (*zkStore, error) {
	if len(o.Servers) == 0 {
		return nil, &InvalidError{What: "", Why: "names no ZooKeeper server: set heron.statemgr.connection.string to host:port[,host:port]"}
	}
	o.SessionTimeout = positive(o.SessionTimeout, defaultTimeout)
	o.ConnectTimeout = positive(o.ConnectTimeout, defaultTimeout)
	if o.MaxRequest <= 0 {
		o.MaxRequest = defaultMaxRequest
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &zkStore{
		link:    newZKLink(o, watch),
		ended:   make(chan struct{}),
		timeout: o.ConnectTimeout,
		retries: o.Retries,
		limit:   o.MaxRequest,
		creds: credentials{
			digest:      o.Digest,
			from:        o.DigestFrom,
			certificate: o.TLS != nil && len(o.TLS.Certificates) > 0,
		},
		acls:    newZKACLs(o.ACL, Layout{Root: o.Root}),
		writing: make(chan struct{}, 1),
	}
	conn, events, err := zk.Connect(slices.Clone(o.Servers), o.SessionTimeout,
		zk.WithHostProvider(s.link), zk.WithDialer(s.link.dial), zk.WithEventCallback(s.link.event),
		zk.WithLogger(zkLogger{o.Logger}), zk.WithMaxConnBufferSize(o.MaxRequest+4096))
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
func (s *zkStore) Close() error {
	s.closing.Do(func() {
		if !s.link.shut() {
			s.link.cut(errStoreClosed)
		}
		s.conn.Close()
		s.link.cut(errStoreClosed)
		<-s.ended
	})
	return nil
}

func (s *zkStore) Read(ctx context.Context, path string) (Node, error) {
	if err := checkPath(path); err != nil {
		return Node{}, err
	}
	type answer struct {
		data []byte
		stat *zk.Stat
	}
	a, err := zkRead(ctx, s, path, func() (answer, error) {
		data, stat, err := s.conn.Get(path)
		return answer{data, stat}, err
	})
	if err != nil {
		return Node{}, s.explain(ctx, "read "+path+" from", err)
	}
	return Node{
		Data:      a.data,
		Version:   int(a.stat.Version),
		Created:   a.stat.Czxid,
		Ephemeral: a.stat.EphemeralOwner != 0,
	}, nil
}

func (s *zkStore) Children(ctx context.Context, path string) ([]string, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	names, err := zkRead(ctx, s, path, func() ([]string, error) {
		names, _, err := s.conn.Children(path)
		return names, err
	})
	if err != nil {
		return nil, s.explain(ctx, "list "+path+" in", err)
	}
	slices.Sort(names)
	return names, nil
}

// zkRead sends a request that changes nothing, again when the connection was
// lost under it. After a write without an answer it first waits until the
// server has done all that it had been sent.
func zkRead[T any](ctx context.Context, s *zkStore, path string, request func() (T, error)) (T, error) {
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

// run waits for f no longer than ctx. f itself goes on until the library
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

// explain turns an error of a request into one of this package. doing is what
// was being done, up to the name of the servers; ctx is the caller's.
func (s *zkStore) explain(ctx context.Context, doing string, err error) error {
	where := doing + " ZooKeeper at " + s.link.String()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", where, ended(ctx))
	}
	if reason := s.refused(err); reason != nil {
		return fmt.Errorf("%s: %w", where, reason)
	}
	switch {
	case errors.Is(err, errStoreClosed), errors.Is(err, zk.ErrClosing):
		return fmt.Errorf("%s: %w", where, errStoreClosed)
	case errors.Is(err, errHopeless):
		return fmt.Errorf("%s: %w%s", where, ErrUnreachable, s.link.why())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w: no answer within %v%s; is it running, and is its address right?",
			where, ErrUnreachable, s.timeout, s.link.why())
	case connectionLost(err):
		return fmt.Errorf("%s: %w: the connection was lost%s", where, ErrUnreachable, s.link.why())
	}
	return fmt.Errorf("%s: %w", where, err)
}

// zkReason is the sentinel for a server's refusal, nil for any other error.
func zkReason(err error) error {
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return ErrNotFound
	case errors.Is(err, zk.ErrNodeExists):
		return ErrExists
	case errors.Is(err, zk.ErrBadVersion):
		return ErrVersion
	case errors.Is(err, zk.ErrNotEmpty):
		return ErrNotEmpty
	case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrAuthFailed), errors.Is(err, zk.ErrInvalidACL), wantsCredentials(err):
		return ErrDenied
	}
	return nil
}

// connectionLost: the request had no answer, so nobody knows what became of
// it.
func connectionLost(err error) bool {
	for _, e := range []error{zk.ErrConnectionClosed, zk.ErrSessionExpired, zk.ErrSessionMoved, zk.ErrNoServer} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// zkLogger keeps the library off stderr.
type zkLogger struct{ log *slog.Logger }

// Printf is the library's one level.
func (l zkLogger) Printf(format string, args ...any) {
	l.log.Debug("zookeeper: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func positive(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
