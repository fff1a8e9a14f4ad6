package testenv

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// A ZooKeeperProxy stands between clients and a ZooKeeper server and passes
// everything on. It knows where an answer begins and ends.
type ZooKeeperProxy struct {
	// Addr is what clients are given instead of the server's.
	Addr string

	upstream string
	listener net.Listener
	answered func(client *net.TCPAddr)

	mu    sync.Mutex
	conns map[net.Conn]bool
	done  bool
}

// ProxyZooKeeper runs a proxy before the server at a host:port until the test
// ends. It calls answered after each answer to a request, before that is passed
// on, with the client's address; pings and what the server tells unasked are no
// answers. Calls for one connection come one after another, and hold it up.
func ProxyZooKeeper(t testing.TB, upstream string, answered func(client *net.TCPAddr)) *ZooKeeperProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &ZooKeeperProxy{Addr: listener.Addr().String(), upstream: upstream, listener: listener, answered: answered, conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	t.Cleanup(func() {
		p.close()
		serving.Wait()
	})
	return p
}

func (p *ZooKeeperProxy) serve(serving *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		serving.Go(func() { p.pass(client) })
	}
}

func (p *ZooKeeperProxy) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	_ = p.listener.Close()
	for c := range p.conns {
		_ = c.Close()
	}
}

// keep notes a connection, so that it ends with the test.
func (p *ZooKeeperProxy) keep(c net.Conn) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return !p.done
}

func (p *ZooKeeperProxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	_ = c.Close()
}

// pass connects a client with the server until one of them ends.
func (p *ZooKeeperProxy) pass(client net.Conn) {
	defer p.drop(client)
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	defer p.drop(server)
	if !p.keep(client) || !p.keep(server) {
		return
	}
	var asking sync.WaitGroup
	asking.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	_ = p.answers(client, server)
	_ = client.Close()
	asking.Wait()
}

// largestAnswer bounds what is read into memory; the server's own limit is a
// mebibyte.
const largestAnswer = 64 << 20

// answers passes on what the server says: packets, each after its length in
// four bytes. The first accepts the session; each other begins with the number
// of its request, which is negative for what is none.
func (p *ZooKeeperProxy) answers(client, server net.Conn) error {
	for first := true; ; first = false {
		var length [4]byte
		if _, err := io.ReadFull(server, length[:]); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(length[:])
		if size > largestAnswer {
			return errors.New("not an answer of ZooKeeper")
		}
		packet := make([]byte, 4+size)
		copy(packet, length[:])
		if _, err := io.ReadFull(server, packet[4:]); err != nil {
			return err
		}
		if at, ok := client.RemoteAddr().(*net.TCPAddr); ok && !first && size >= 4 && int32(binary.BigEndian.Uint32(packet[4:])) >= 0 {
			p.answered(at)
		}
		if _, err := client.Write(packet); err != nil {
			return err
		}
	}
}
