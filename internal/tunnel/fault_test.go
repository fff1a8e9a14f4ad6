package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/sshclient"
	"github.com/heron-nomad/heron/internal/testenv"
)

// wantRefused checks what an error says about refusals.
func wantRefused(t *testing.T, err error, refused bool) {
	t.Helper()
	var failed *Error
	if !errors.As(err, &failed) || failed.Refused() != refused {
		t.Errorf("%v: want refused %t", err, refused)
	}
}

// wantError checks that an error names bastion, key and reason.
func (s *site) wantError(err error, permanent bool, says ...string) {
	s.t.Helper()
	var failed *Error
	if !errors.As(err, &failed) {
		s.t.Fatalf("%v, want an *Error", err)
	}
	if failed.Permanent() != permanent {
		s.t.Errorf("permanent is %t: %v", failed.Permanent(), err)
	}
	if kind := outcome.KindOf(err); kind != outcome.Unreachable {
		s.t.Errorf("kind %s: %v", kind, err)
	}
	for _, text := range append(says, s.bastion.Addr, "heron.statemgr.tunnel.host") {
		if !strings.Contains(err.Error(), text) {
			s.t.Errorf("%v, want %q in it", err, text)
		}
	}
}

func TestAnUnknownHostKeyEndsIt(t *testing.T) {
	s := newSite(t, "")
	must(t, os.Remove(filepath.Join(s.home, ".ssh", "known_hosts")))
	dial := s.dial(s.bastions(), s.tunnel())
	for range 3 {
		err := ask(t.Context(), dial, s.echo)
		s.wantError(err, true)
		if !errors.Is(err, sshclient.ErrHostKey) {
			t.Error(err)
		}
	}
	s.wantLogins(1)
}

func TestALogInThatIsRefusedEndsIt(t *testing.T) {
	s := newSite(t, "")
	testenv.SSHKey(t, filepath.Join(s.home, ".ssh", "id_ed25519"))
	dial := s.dial(s.bastions(), s.tunnel())
	for range 3 {
		err := ask(t.Context(), dial, s.echo)
		s.wantError(err, true)
		if !errors.Is(err, sshclient.ErrAuth) {
			t.Error(err)
		}
	}
	// A server that is asked again and again locks its door.
	s.wantLogins(1)
}

func TestWhatTheBastionCannotReach(t *testing.T) {
	s := newSite(t, "")
	dial := s.dial(s.bastions(), s.tunnel())
	_, port, err := net.SplitHostPort(s.echo)
	must(t, err)
	for _, host := range []string{net.JoinHostPort(s.net.IP, "1"), net.JoinHostPort("no-such-host.inside", port)} {
		err := ask(t.Context(), dial, host)
		s.wantError(err, false, "not reached without the bastion", "cannot reach")
		wantRefused(t, err, true)
	}
	must(t, ask(t.Context(), dial, s.echo))
	s.wantLogins(1)
}

func TestABastionThatForwardsNothing(t *testing.T) {
	s := newSite(t, "AllowTcpForwarding no\n")
	err := ask(t.Context(), s.dial(s.bastions(), s.tunnel()), s.echo)
	s.wantError(err, true, "AllowTcpForwarding")
	wantRefused(t, err, false)
}

func TestABastionThatIsDownComesBack(t *testing.T) {
	s := newSite(t, "")
	tunnel := s.tunnel()
	proxy := testenv.Proxy(t, s.bastion.Addr)
	tunnel.Host = s.bastion.User + "@" + proxy.Addr
	s.trust(proxy.Addr)
	dial := s.dial(s.bastions(), tunnel)

	proxy.Down()
	err := ask(t.Context(), dial, s.echo)
	var failed *Error
	if !errors.As(err, &failed) || failed.Permanent() || !errors.Is(err, sshclient.ErrUnreachable) {
		t.Errorf("down: %v", err)
	}
	proxy.Up()
	must(t, ask(t.Context(), dial, s.echo))

	// Silence is noticed by whoever waits, and the next one has a new
	// connection as soon as it is clear that the old one is dead.
	proxy.Silent()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := ask(ctx, dial, s.echo); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
	proxy.Up()
	s.eventually(dial)
}

// trust makes the bastion's key known under another address.
func (s *site) trust(addr string) {
	s.t.Helper()
	host, port, err := net.SplitHostPort(addr)
	must(s.t, err)
	file, err := os.OpenFile(filepath.Join(s.home, ".ssh", "known_hosts"), os.O_APPEND|os.O_WRONLY, 0)
	must(s.t, err)
	_, err = file.WriteString("[" + host + "]:" + port + " " + s.bastion.HostKey(s.t) + "\n")
	must(s.t, errors.Join(err, file.Close()))
}

// eventually asks until it is answered.
func (s *site) eventually(dial DialFunc) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, time.Second)
		err := ask(try, dial, s.echo)
		done()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			s.t.Fatalf("still: %v", err)
		}
	}
}

func TestALostConnectionIsMadeAgain(t *testing.T) {
	s := newSite(t, "")
	dial := s.dial(s.bastions(), s.tunnel())
	conn, err := dial(t.Context(), "tcp", s.echo)
	must(t, err)
	defer conn.Close()
	must(t, echoes(conn))
	s.bastion.DropSessions()
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a connection through a dead bastion: %v, want its end", err)
	}
	must(t, ask(t.Context(), dial, s.echo))
	s.wantLogins(2)

	// A connection that has ended behaves as one of package net.
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	must(t, conn.SetWriteDeadline(time.Now().Add(patience)))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a second read: %v", err)
	}
	must(t, conn.Close())
	if err := conn.SetDeadline(time.Time{}); err == nil {
		t.Error("a closed connection takes deadlines")
	}
}

func TestDeadlines(t *testing.T) {
	s := newSite(t, "")
	conn, err := s.dial(s.bastions(), s.tunnel())(t.Context(), "tcp", s.echo)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read in silence: %v", err)
	}
	// The connection is as good as before.
	must(t, echoes(conn))
	if conn.RemoteAddr() == nil || conn.LocalAddr() == nil {
		t.Error("it has no addresses")
	}
}

func TestCloseEndsAll(t *testing.T) {
	s := newSite(t, "")
	b := s.bastions()
	dial := s.dial(b, s.tunnel())
	conn, err := dial(t.Context(), "tcp", s.echo)
	must(t, err)
	must(t, b.Close())
	if err := echoes(conn); err == nil {
		t.Error("a connection outlived the tunnel")
	}
	s.wantError(ask(t.Context(), dial, s.echo), false, "closed")

	// Also a log-in under way.
	proxy := testenv.Proxy(t, s.bastion.Addr)
	proxy.Silent()
	tunnel := s.tunnel()
	tunnel.Host = s.bastion.User + "@" + proxy.Addr
	b = s.bastions()
	dial = s.dial(b, tunnel)
	ended := make(chan error, 1)
	go func() { ended <- ask(t.Context(), dial, s.echo) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.logins.Load() < 2 && t.Context().Err() == nil {
		<-tick.C
	}
	must(t, b.Close())
	select {
	case err := <-ended:
		if !errors.Is(err, errClosed) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("the one who waited for the log-in still does")
	}
}
