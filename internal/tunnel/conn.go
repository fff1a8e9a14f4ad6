package tunnel

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// withDeadlines gives a connection what one through SSH lacks: deadlines, with
// which ZooKeeper's client and TLS notice a silent server. It puts a pipe in
// front of the connection, which has them.
func withDeadlines(far net.Conn) net.Conn {
	near, inner := net.Pipe()
	// Each direction ends the other: no caller uses half a connection.
	go func() {
		_, _ = io.Copy(far, inner)
		_ = far.Close()
		_ = inner.Close()
	}()
	go func() {
		_, _ = io.Copy(inner, far)
		_ = inner.Close()
		_ = far.Close()
	}()
	return &conn{Conn: near, far: far}
}

// conn is the near end of such a pipe, with the addresses of the far one.
type conn struct {
	net.Conn
	far    net.Conn
	closed atomic.Bool
}

// Close ends both ends.
func (c *conn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// The deadlines can be set after the far end has closed the connection, as with
// package net: the next read or write tells the end.

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error { return c.unlessEnded(c.Conn.SetDeadline(t)) }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.unlessEnded(c.Conn.SetReadDeadline(t)) }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.unlessEnded(c.Conn.SetWriteDeadline(t)) }

func (c *conn) unlessEnded(err error) error {
	if errors.Is(err, io.ErrClosedPipe) && !c.closed.Load() {
		return nil
	}
	return err
}

// LocalAddr and RemoteAddr are those of the far end.
func (c *conn) LocalAddr() net.Addr  { return c.far.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.far.RemoteAddr() }
