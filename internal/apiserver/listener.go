package apiserver

import (
	"net"
	"sync"
)

// limitListener bounds how many connections there are at a time; further ones
// wait in the system's queue.
func limitListener(l net.Listener, n int) net.Listener {
	return &bounded{Listener: l, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

type bounded struct {
	net.Listener
	slots  chan struct{}
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	free := sync.OnceFunc(func() { <-b.slots })
	if tcp, ok := c.(*net.TCPConn); ok {
		return &tcpSlot{tcp, free}, nil
	}
	return &slot{c, free}, nil
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// tcpSlot is a connection that keeps the ways of TCP, of which sending a file
// without reading it is one.
type tcpSlot struct {
	*net.TCPConn
	free func()
}

// Close implements net.Conn.
func (c *tcpSlot) Close() error {
	defer c.free()
	return c.TCPConn.Close()
}

type slot struct {
	net.Conn
	free func()
}

// Close implements net.Conn.
func (c *slot) Close() error {
	defer c.free()
	return c.Conn.Close()
}
