package statemgr

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
)

var (
	errStoreClosed = errors.New("the store is closed")
	errNoAnswer    = errors.New("no answer")
	errTooLate     = errors.New("given up before it was sent")
	errHopeless    = errors.New("no server can be used")
)

// The longest and the first pause between two rounds of trying to connect.
const (
	maxPause   = time.Second
	firstPause = 50 * time.Millisecond
)

// zkLink is the way to the servers: which one is next, for how long it may
// stay silent, whether there is a session, and which writes may still go out.
// The library asks it for servers and connections and tells it what happens.
type zkLink struct {
	servers []string
	connect DialFunc
	tls     *tls.Config   // nil for none
	attempt time.Duration // for one server: connect and handshake
	pause   time.Duration
	watch   func(packet []byte)

	// ctx ends when the store is closed; then nothing is dialled any more.
	ctx  context.Context
	stop context.CancelFunc

	mu      sync.Mutex
	closed  bool
	session bool
	changed chan struct{} // closed and replaced when session or closed change
	conn    *zkConn       // the newest
	next    int
	failed  int               // attempts since the last session
	reasons map[string]string // server -> why its last attempt failed
	refuse  map[string]bool   // server -> that will not change
	met     bool              // there was a session once
	gate    int64             // the write that may go out, 0 for none
	writes  int64
}

func newZKLink(o ZooKeeperOptions, watch func([]byte)) *zkLink {
	l := &zkLink{
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
		refuse:  map[string]bool{},
	}
	if l.connect == nil {
		l.connect = dialStraight
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// String is the servers' names.
func (l *zkLink) String() string { return strings.Join(l.servers, ",") }

// why is what is known of the servers that could not be reached.
func (l *zkLink) why() string {
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

// await returns when there is a session, and with errHopeless when it is clear
// that there will be none.
func (l *zkLink) await(ctx context.Context) error {
	for {
		l.mu.Lock()
		closed, session, changed := l.closed, l.session, l.changed
		hopeless := !l.met && len(l.refuse) == len(l.servers)
		l.mu.Unlock()
		switch {
		case closed:
			return errStoreClosed
		case ctx.Err() != nil:
			return ctx.Err()
		case session:
			return nil
		case hopeless:
			return errHopeless
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// shut marks the link as closing and says whether there is a session to end.
func (l *zkLink) shut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.announce()
	return l.session
}

// cut ends the present connection, and whatever waits for an answer on it.
// The session lives on at the servers and is taken up on the next connection;
// the server that takes it up no longer listens to the old one.
func (l *zkLink) cut(why error) {
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

// announce wakes those who wait; mu is held.
func (l *zkLink) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// event is called by the library, in order.
func (l *zkLink) event(e zk.Event) {
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
		clear(l.refuse)
	case zk.StateDisconnected, zk.StateConnecting, zk.StateExpired:
		l.session = false
	default:
		return
	}
	l.announce()
}

// Init does nothing: names are looked up at every attempt, so that one wrong
// name among several does no harm.
func (l *zkLink) Init([]string) error { return nil }

// Len is the number of servers.
func (l *zkLink) Len() int { return len(l.servers) }

// Connected does nothing: event does.
func (l *zkLink) Connected() {}

// Next is the server to try. Its second result makes the library stop where
// the store is closed; pauses are made in dial.
func (l *zkLink) Next() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	server := l.servers[l.next%len(l.servers)]
	l.next++
	return server, l.closed
}

// dial connects to one server, after a pause where all have been tried.
func (l *zkLink) dial(network, server string, _ time.Duration) (net.Conn, error) {
	l.mu.Lock()
	round, old := l.failed/len(l.servers), l.conn
	wait := l.failed > 0 && l.failed%len(l.servers) == 0
	l.failed++
	l.mu.Unlock()
	if old != nil {
		old.fail(errNoAnswer) // the library forgets it where a session expired
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
	conn := &zkConn{Conn: secure, raw: raw, link: l, server: server, greetBy: deadline}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		raw.Close()
		return nil, errStoreClosed
	}
	l.conn = conn
	return conn, nil
}

// dialStraight connects without a detour. Its errors leave out the address,
// which stands beside them.
func dialStraight(ctx context.Context, network, server string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, server)
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return conn, err
}

// note keeps why a server could not be used.
func (l *zkLink) note(server string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.reasons[server] = err.Error()
	if isPermanent(err) {
		l.refuse[server] = true
		l.announce()
	} else {
		delete(l.refuse, server)
	}
}

// open lets one write out and returns its number.
func (l *zkLink) open() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	l.gate = l.writes
	return l.gate
}

// shutGate: the write is over, or given up; it must not go out any more.
func (l *zkLink) shutGate(write int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == write {
		l.gate = 0
	}
}

func (l *zkLink) mayWrite() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == 0 {
		return fmt.Errorf("write: %w", errTooLate)
	}
	return nil
}
