package tunnel

import (
	"io"
	"net"
)

// withDeadlines gives a connection what one through SSH lacks: deadlines, by
// which ZooKeeper's client and TLS notice a server that has gone silent. It
// puts a pipe before it, which has them.
func withDeadlines(far net.Conn) net.Conn {
	near, inner := net.Pipe()
	// Each direction ends the other: nobody here uses half of a connection.
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
	far net.Conn
}

// LocalAddr and RemoteAddr are those that the bastion knows.
func (c *conn) LocalAddr() net.Addr  { return c.far.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.far.RemoteAddr() }
