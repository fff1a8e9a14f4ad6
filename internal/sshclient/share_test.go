package sshclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
	"github.com/heron-nomad/heron/internal/testenv"
)

// relay is a way to a server that counts its connections and may hang up on
// the first ones.
type relay struct {
	host, port string
	accepted   atomic.Int32
	open       atomic.Int32
	drop       atomic.Int32
}

func newRelay(t *testing.T, server string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := &relay{}
	r.host, r.port, _ = net.SplitHostPort(l.Addr().String())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.accepted.Add(1)
			if r.drop.Add(-1) >= 0 {
				_ = c.Close()
				continue
			}
			s, err := net.Dial("tcp", server)
			if err != nil {
				_ = c.Close()
				continue
			}
			r.open.Add(1)
			go func() {
				defer r.open.Add(-1)
				go func() {
					_, _ = io.Copy(s, c)
					_ = s.Close()
				}()
				_, _ = io.Copy(c, s)
				_ = c.Close()
			}()
		}
	}()
	return r
}

// behind are options by which all hosts but the relay are reached through it.
func behind(t *testing.T, r *relay, jump *testenv.SSHServer, nodes ...*testenv.SSHServer) Options {
	t.Helper()
	home := testenv.SSHHome(t, append(nodes, jump)...)
	write(t, home, "config", fmt.Sprintf("Host jump\n HostName %s\n Port %s\n User %s\n HostKeyAlias jump\nHost 127.0.0.*\n ProxyJump jump\n", r.host, r.port, jump.User))
	known := filepath.Join(home, ".ssh", "known_hosts")
	text, err := os.ReadFile(known)
	if err != nil {
		t.Fatal(err)
	}
	write(t, home, "known_hosts", string(text)+"jump "+jump.HostKey(t)+"\n")
	o := in(home, to(nodes[0], ""))
	o.Jumps = &Jumps{}
	return o
}

// eventually fails where something does not become true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func TestJumpConnectionsAreShared(t *testing.T) {
	jump, node := testenv.SSHD(t, testenv.SSHOptions{Host: "127.0.0.2"}), testenv.SSHD(t, testenv.SSHOptions{Host: "127.0.0.3"})
	r := newRelay(t, jump.Addr)
	o := behind(t, r, jump, node)
	const many = 8
	clients := make([]*Client, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			var err error
			if clients[i], err = Dial(t.Context(), node.Host, o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	if n := r.accepted.Load(); n != 1 {
		t.Errorf("%d log-ins made %d connections to the jump host", many, n)
	}
	// The others outlive one that ends, however often it is closed.
	_, _ = clients[0].Close(), clients[0].Close()
	for _, c := range clients[1:] {
		says(t, c)
	}
	for _, c := range clients[1:] {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the connection to the jump host stays", func() bool { return r.open.Load() == 0 })
	// The next log-in makes a new one, and so does one after that has broken.
	for want := int32(2); want <= 3; want++ {
		c, err := Dial(t.Context(), node.Host, o)
		if err != nil {
			t.Fatal(err)
		}
		says(t, c)
		if n := r.accepted.Load(); n != want {
			t.Errorf("there were %d connections to the jump host, want %d", n, want)
		}
		jump.DropSessions()
		_ = c.ssh.Wait()
		defer c.Close()
	}
}

// One who gives up while the connection to a jump host is made does not take
// the others along.
func TestJumpConnectionOutlivesWhoeverBeganIt(t *testing.T) {
	jump, node := testenv.SSHD(t, testenv.SSHOptions{Host: "127.0.0.2"}), testenv.SSHD(t, testenv.SSHOptions{Host: "127.0.0.3"})
	proxy := testenv.Proxy(t, jump.Addr)
	r := newRelay(t, proxy.Addr)
	o := behind(t, r, jump, node)
	proxy.Silent()
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := Dial(ctx, node.Host, o)
		first <- err
	}()
	eventually(t, "nobody connects", func() bool { return r.accepted.Load() == 1 })
	second := make(chan error, 1)
	go func() {
		c, err := Dial(t.Context(), node.Host, o)
		if err == nil {
			says(t, c)
			err = c.Close()
		}
		second <- err
	}()
	eventually(t, "the second one does not wait", func() bool {
		o.Jumps.mu.Lock()
		defer o.Jumps.mu.Unlock()
		for _, s := range o.Jumps.open {
			return s.users == 2
		}
		return false
	})
	cancel()
	proxy.Up()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}
	if len(o.Jumps.open) > 0 {
		t.Error("the connection stays")
	}
}

// What goes through a jump host that hangs ends when it is closed, although
// others still share the connection.
func TestClosingThroughADeadJumpHost(t *testing.T) {
	jump, node := testenv.SSHD(t, testenv.SSHOptions{Host: "127.0.0.2"}), testenv.SSHD(t, testenv.SSHOptions{Host: "127.0.0.3"})
	proxy := testenv.Proxy(t, jump.Addr)
	r := newRelay(t, proxy.Addr)
	o := behind(t, r, jump, node)
	dial := func() *Client {
		c, err := Dial(t.Context(), node.Host, o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	other, c := dial(), dial()
	defer other.Close()
	session, err := c.SSH().NewSession()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("cat >/dev/null"); err != nil {
		t.Fatal(err)
	}
	proxy.Silent()
	ended := make(chan struct{})
	go func() {
		// It fills all buffers on the way, and then hangs.
		for buffer := make([]byte, 1<<20); ; {
			if _, err := stdin.Write(buffer); err != nil {
				break
			}
		}
		_ = session.Wait()
		close(ended)
	}()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("a write goes on after its connection was closed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, node.Host, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a log-in through the dead jump host: %v", err)
	}
}

func TestDroppedLogInsAreRepeated(t *testing.T) {
	server := testenv.SSHD(t, testenv.SSHOptions{Host: "127.0.0.2"})
	r := newRelay(t, server.Addr)
	home := testenv.SSHHome(t, server)
	write(t, home, "known_hosts", "relay "+server.HostKey(t)+"\n")
	o := in(home, "-l "+server.User+" -p "+r.port+" -o HostKeyAlias=relay")
	r.drop.Store(3)
	c, err := Dial(t.Context(), r.host, o)
	if err != nil {
		t.Fatal(err)
	}
	says(t, c)
	_ = c.Close()
	if n := r.accepted.Load(); n != 4 {
		t.Errorf("it took %d attempts", n)
	}
	// One that always hangs up is given up, or before with its context.
	r.drop.Store(1 << 20)
	r.accepted.Store(0)
	if _, err := Dial(t.Context(), r.host, o); !errors.Is(err, ErrUnreachable) || r.accepted.Load() != logIns {
		t.Errorf("got %v after %d attempts", err, r.accepted.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.accepted.Store(0)
	if _, err := Dial(ctx, r.host, o); !errors.Is(err, context.Canceled) || r.accepted.Load() > 1 {
		t.Errorf("got %v after %d attempts", err, r.accepted.Load())
	}
	// What is refused at once would be refused again.
	closed := testenv.Ports(t, 1)[0]
	start := time.Now()
	if _, err := Dial(t.Context(), r.host, in(home, fmt.Sprintf("-p %d", closed))); !errors.Is(err, ErrUnreachable) || time.Since(start) > time.Minute {
		t.Errorf("got %v", err)
	}
}

func TestJumpHostsInACircleAreRefusedWhenShared(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, home, "config", "Host a\n ProxyJump b\nHost b\n ProxyJump a\n")
	o := in(home, "")
	o.Jumps = &Jumps{}
	var input *sshconfig.InputError
	if _, err := Dial(t.Context(), "a", o); !errors.As(err, &input) {
		t.Errorf("got %v, want an *sshconfig.InputError", err)
	}
}
