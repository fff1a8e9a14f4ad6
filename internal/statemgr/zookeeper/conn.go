package zookeeper

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"
)

// maxGreeting bounds a server's answer to the first packet, in bytes; a real
// answer has about 40.
const maxGreeting = 1024

// serverConn is a connection to one server. It bounds the handshake, for which
// the library would wait far too long, and does not send a write that its caller
// has given up.
type serverConn struct {
	net.Conn          // raw, or TLS over it
	raw      net.Conn // what fail closes: TLS would first say goodbye
	link     *link
	server   string

	mu      sync.Mutex
	dead    error
	greeted bool      // the handshake is over
	greetBy time.Time // when it must be
	head    []byte    // length of the greeting, as far as read
	left    int       // bytes of the greeting still to read
	sent    bool      // the library's part of the handshake is out
}

// fail ends the connection.
func (c *serverConn) fail(why error) {
	c.mu.Lock()
	if c.dead == nil {
		c.dead = why
	}
	c.mu.Unlock()
	_ = c.raw.Close()
}

func (c *serverConn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead == nil
}

// Read counts the bytes of the handshake.
func (c *serverConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.greeted {
		return n, err
	}
	if err != nil {
		switch {
		case c.dead != nil:
			return n, c.dead // our own doing
		case isAlert(err):
			err = tlsError(err)
		case isTimeout(err):
			err = errors.New("accepts connections but does not answer")
		case c.link.tls == nil:
			err = errors.New("closes the connection instead of answering; is this a port for TLS (heron.statemgr.zookeeper.tls.enabled)?")
		default:
			err = errors.New("closes the connection instead of answering")
		}
		c.link.note(c.server, err)
		return n, err
	}
	for _, x := range b[:n] {
		if len(c.head) < 4 {
			c.head = append(c.head, x)
			if len(c.head) == 4 {
				c.left = int(binary.BigEndian.Uint32(c.head))
			}
			continue
		}
		c.left--
	}
	if len(c.head) < 4 {
		return n, nil
	}
	if c.left > maxGreeting {
		err := errors.New("does not answer as ZooKeeper does")
		c.link.note(c.server, err)
		return 0, err
	}
	c.greeted = c.left <= 0
	return n, nil
}

// Write sends one packet of the library, which writes each as a whole: 4
// bytes of length, 4 of number, 4 of the kind of request. The first is the
// handshake and has no such head.
func (c *serverConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	first := !c.sent
	c.sent = true
	c.mu.Unlock()
	if !first && len(b) >= 12 {
		if changes(binary.BigEndian.Uint32(b[8:12])) {
			if err := c.link.mayWrite(); err != nil {
				return 0, err
			}
		}
		if c.link.watch != nil {
			c.link.watch(b)
		}
	}
	return c.Conn.Write(b)
}

// changes says whether a kind of request changes nodes.
func changes(kind uint32) bool {
	switch kind {
	case opCodeCreate, opCodeDelete, opCodeSetData, opCodeMulti, opCodeCreateContainer:
		return true
	}
	return false
}

// Kinds of request in ZooKeeper's protocol.
const (
	opCodeCreate          = 1
	opCodeDelete          = 2
	opCodeSetData         = 5
	opCodeMulti           = 14
	opCodeCreateContainer = 19
)

// SetReadDeadline keeps the handshake's.
func (c *serverConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	if !c.greeted && (t.IsZero() || t.After(c.greetBy)) {
		t = c.greetBy
	}
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
