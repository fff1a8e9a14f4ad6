package zookeeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/statemgr"
)

var (
	errNoAnswer = errors.New("no answer")
	errTooLate  = errors.New("given up before it was sent")
	errRefused  = errors.New("all servers refuse connections")
	errHopeless = errors.New("no server can be used")
)

// The longest and the first pause between two rounds of connection attempts.
const (
	maxPause   = time.Second
	firstPause = 50 * time.Millisecond
)

// link is the way to the servers: which one is next, how long it may stay
// silent, whether there is a session, and which writes may still be sent. The
// library asks it for servers and connections and reports to it what happens.
type link struct {
	servers []string
	connect DialFunc
	tls     *tls.Config   // nil for none
	attempt time.Duration // for one server: connect and handshake
	pause   time.Duration
	watch   func(packet []byte)

	// ctx ends when the store is closed; then nothing is dialed any more.
	ctx  context.Context
	stop context.CancelFunc

	mu      sync.Mutex
	closed  bool
	session bool
	changed chan struct{} // closed and replaced when session or closed change
	conn    *serverConn   // the newest
	next    int
	failed  int               // attempts since the last session
	reasons map[string]string // server -> why its last attempt failed
	useless map[string]bool   // servers that will never do
	refused map[string]streak // server -> its latest refusals
	met     bool              // there was a session once
	gate    int64             // the write that may be sent, 0 for none
	writes  int64
}

func newLink(o Options, watch func([]byte)) *link {
	l := &link{
		servers: o.Servers,
		connect: o.Dial,
		tls:     o.TLS,
		// A little less than the share of each, so that the reason of the last
		// is known when the whole time is over.
		attempt: o.ConnectTimeout * 9 / 10 / time.Duration(len(o.Servers)),
		pause:   min(positive(o.RetryInterval, maxPause), maxPause),
		watch:   watch,
		changed: make(chan struct{}),
		next:    rand.IntN(len(o.Servers)),
		reasons: map[string]string{},
		useless: map[string]bool{},
		refused: map[string]streak{},
	}
	if l.connect == nil {
		l.connect = dialStraight
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// String returns the servers' names.
func (l *link) String() string { return strings.Join(l.servers, ",") }

// why returns the reasons why servers could not be reached.
func (l *link) why() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var parts []string
	for _, s := range l.servers {
		if r := l.reasons[s]; r != "" {
			parts = append(parts, s+": "+r)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// await waits for a session. It returns errHopeless or errRefused as soon as it is
// clear that there will be none.
func (l *link) await(ctx context.Context) error {
	for {
		l.mu.Lock()
		closed, session, changed := l.closed, l.session, l.changed
		hopeless := l.hopeless()
		l.mu.Unlock()
		switch {
		case closed:
			return statemgr.ErrClosed
		case ctx.Err() != nil:
			return ctx.Err()
		case session:
			return nil
		case hopeless != nil:
			return hopeless
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// hopeless returns an error if there never was a session and none is to be
// expected; mu is held. Servers that were there once are waited for: they may be
// restarting.
func (l *link) hopeless() error {
	if l.met {
		return nil
	}
	reason := errHopeless
	for _, s := range l.servers {
		if l.useless[s] {
			continue
		}
		if r := l.refused[s]; r.times < 2 || r.last.Sub(r.first) < refusalPatience {
			return nil
		}
		reason = errRefused
	}
	return reason
}

// shut marks the link as closing and reports whether there is a session to end.
func (l *link) shut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.announce()
	return l.session
}

// cut ends the current connection, and with it every wait for an answer on it.
// The session survives on the servers and is resumed on the next connection; the
// server that resumes it no longer listens to the old one.
func (l *link) cut(why error) {
	l.mu.Lock()
	conn := l.conn
	l.session = false
	l.announce()
	if l.closed {
		l.stop()
	}
	l.mu.Unlock()
	if conn != nil {
		conn.fail(why)
	}
}

// announce wakes all waiters; mu is held.
func (l *link) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// event is called by the library, in order.
func (l *link) event(e zk.Event) {
	if e.Type != zk.EventSession {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.State {
	case zk.StateHasSession:
		l.session = l.conn != nil && l.conn.usable()
		l.failed = 0
		l.met = l.met || l.session
		clear(l.reasons)
		clear(l.useless)
		clear(l.refused)
	case zk.StateDisconnected, zk.StateConnecting, zk.StateExpired:
		l.session = false
	default:
		return
	}
	l.announce()
}

// Init does nothing: names are looked up at every attempt, so that one wrong
// name among several does no harm.
func (l *link) Init([]string) error { return nil }

// Len is the number of servers.
func (l *link) Len() int { return len(l.servers) }

// Connected does nothing: event does.
func (l *link) Connected() {}

// Next returns the server to try. Its second result stops the library when the
// store is closed; dial makes the pauses.
func (l *link) Next() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	server := l.servers[l.next%len(l.servers)]
	l.next++
	return server, l.closed
}

// dial connects to one server, after a pause if all have been tried.
func (l *link) dial(network, server string, _ time.Duration) (net.Conn, error) {
	l.mu.Lock()
	round, old := l.failed/len(l.servers), l.conn
	wait := l.failed > 0 && l.failed%len(l.servers) == 0
	l.failed++
	l.mu.Unlock()
	if old != nil {
		old.fail(errNoAnswer) // the library forgets it when a session expires
	}
	if wait {
		timer := time.NewTimer(min(firstPause<<min(round-1, 10), l.pause))
		select {
		case <-timer.C:
		case <-l.ctx.Done():
			timer.Stop()
		}
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.attempt)
	defer cancel()
	raw, err := l.connect(ctx, network, server)
	if err != nil {
		l.note(server, err)
		return nil, err
	}
	secure := raw
	if l.tls != nil {
		if secure, err = shake(ctx, raw, server, l.tls); err != nil {
			_ = raw.Close()
			l.note(server, err)
			return nil, err
		}
	}
	deadline, _ := ctx.Deadline()
	conn := &serverConn{Conn: secure, raw: raw, link: l, server: server, greetBy: deadline}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		raw.Close()
		return nil, statemgr.ErrClosed
	}
	l.conn = conn
	return conn, nil
}

// dialStraight connects directly. Its errors leave out the address, which is
// shown beside them.
func dialStraight(ctx context.Context, network, server string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, server)
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return conn, err
}

// note records why a server could not be used.
func (l *link) note(server string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.reasons[server] = err.Error()
	delete(l.useless, server)
	if isPermanent(err) {
		l.useless[server] = true
	}
	if isRefusal(err) {
		l.refused[server] = l.refused[server].longer(time.Now())
	} else {
		delete(l.refused, server)
	}
	if l.hopeless() != nil {
		l.announce()
	}
}

// open lets one write through and returns its number.
func (l *link) open() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	l.gate = l.writes
	return l.gate
}

// shutGate ends a write that is over or given up; it must not be sent any more.
func (l *link) shutGate(write int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == write {
		l.gate = 0
	}
}

func (l *link) mayWrite() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == 0 {
		return fmt.Errorf("write: %w", errTooLate)
	}
	return nil
}
