package tunnel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/testenv"
)

// patience is how long a test waits for what should happen soon.
const patience = time.Minute

// site is a network behind a bastion, with a server that repeats what it is
// told.
type site struct {
	t       *testing.T
	net     *testenv.PrivateNet
	bastion *testenv.SSHServer
	home    string
	echo    string // by address
	named   string // by the name that only the bastion knows
	logins  atomic.Int32
}

func newSite(t *testing.T, sshd string) *site {
	t.Helper()
	n := testenv.NewPrivateNet(t, "echo.inside")
	s := &site{t: t, net: n, bastion: testenv.SSHD(t, testenv.SSHOptions{Net: n, Config: sshd})}
	s.home = testenv.SSHHome(t, s.bastion)
	l := n.Listen(t, 0)
	go repeat(l)
	s.echo = l.Addr().String()
	_, port, err := net.SplitHostPort(s.echo)
	must(t, err)
	s.named = net.JoinHostPort("echo.inside", port)
	return s
}

// repeat serves until the listener is closed.
func repeat(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}

func (s *site) tunnel() conf.Tunnel {
	return conf.Tunnel{
		System: "statemgr", Needed: true, Host: s.bastion.User + "@" + s.bastion.Addr,
		ConnectTimeout: 100 * time.Millisecond, Tries: 1, RetryInterval: 10 * time.Millisecond,
	}
}

// bastions are closed when the test ends.
func (s *site) bastions() *Bastions {
	b := New(Options{Home: s.home, Progress: func(progress.Event) { s.logins.Add(1) }})
	s.t.Cleanup(func() {
		if err := b.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return b
}

func (s *site) dial(b *Bastions, t conf.Tunnel) DialFunc {
	s.t.Helper()
	dial, err := b.Dial(t)
	must(s.t, err)
	return dial
}

// ask has a word repeated and closes the connection.
func ask(ctx context.Context, dial DialFunc, addr string) error {
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	return echoes(conn)
}

func echoes(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "word"); err != nil {
		return err
	}
	back := make([]byte, 4)
	if _, err := io.ReadFull(conn, back); err != nil || string(back) != "word" {
		return fmt.Errorf("got %q back: %w", back, err)
	}
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *site) wantLogins(n int32) {
	s.t.Helper()
	if got := s.logins.Load(); got != n {
		s.t.Errorf("logged in %d times, want %d", got, n)
	}
}

func TestServersBehindABastion(t *testing.T) {
	s := newSite(t, "")
	b := s.bastions()
	dial := s.dial(b, s.tunnel())
	s.wantLogins(0)
	must(t, ask(t.Context(), dial, s.echo))
	must(t, ask(t.Context(), dial, s.named))

	// Everybody at once, by another tunnel through the same bastion.
	other := s.tunnel()
	other.System = "scheduler"
	second := s.dial(b, other)
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if err := ask(t.Context(), second, s.named); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.wantLogins(1)

	other.Options = "-o ServerAliveInterval=7"
	must(t, ask(t.Context(), s.dial(b, other), s.echo))
	s.wantLogins(2)
}

// The name in a certificate is that of the server, which is not known here.
func TestTLSGoesFromEndToEnd(t *testing.T) {
	s := newSite(t, "")
	authority, err := testenv.NewAuthority(t.TempDir(), "authority")
	must(t, err)
	pair, err := authority.Issue("server", "echo.inside")
	must(t, err)
	certificate, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	must(t, err)
	l := s.net.Listen(t, 0)
	go repeat(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	text, err := os.ReadFile(authority.CertFile)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	dial := s.dial(s.bastions(), s.tunnel())
	for name, good := range map[string]bool{"echo.inside": true, "other.inside": false} {
		raw, err := dial(t.Context(), "tcp", l.Addr().String())
		must(t, err)
		conn := tls.Client(raw, &tls.Config{ServerName: name, RootCAs: roots})
		if err := conn.HandshakeContext(t.Context()); err == nil != good {
			t.Errorf("%s: %v", name, err)
		} else if good {
			must(t, echoes(conn))
		}
		_ = conn.Close()
	}
}

func TestABastionNamedInTheUsersFile(t *testing.T) {
	s := newSite(t, "")
	text := fmt.Sprintf("Host inside-door\n  HostName %s\n  Port %s\n  User %s\n", s.bastion.Host, s.bastion.Port, s.bastion.User)
	must(t, os.WriteFile(filepath.Join(s.home, ".ssh", "config"), []byte(text), 0o600))
	tunnel := s.tunnel()
	tunnel.Host = "inside-door"
	must(t, ask(t.Context(), s.dial(s.bastions(), tunnel), s.echo))
}

func TestWhatIsReachedStraightNeedsNoBastion(t *testing.T) {
	s := newSite(t, "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	go repeat(l)
	dial := s.dial(s.bastions(), s.tunnel())
	must(t, ask(t.Context(), dial, l.Addr().String()))
	s.wantLogins(0)

	// What a bastion would take for itself is never asked of it.
	must(t, l.Close())
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]", "0.0.0.0"} {
		err := ask(t.Context(), dial, host+":1")
		var failed *Error
		if !errors.As(err, &failed) || failed.Direct == nil || !errors.Is(err, errLoopback) || failed.Permanent() {
			t.Errorf("%s: %v", host, err)
		}
		if host != "[::1]" { // a machine may have no such address
			wantRefused(t, err, true)
		}
	}
	s.wantLogins(0)
}

func TestNoTunnelIsNone(t *testing.T) {
	dial, err := New(Options{}).Dial(conf.Tunnel{})
	if dial != nil || err != nil {
		t.Errorf("a way %p, %v", dial, err)
	}
}

func TestOptionsThatSSHDoesNotUnderstand(t *testing.T) {
	for _, tunnel := range []conf.Tunnel{
		{Host: "bastion", Options: "-o NoSuchThing=1"},
		{Host: "bastion", Options: "-i 'unclosed"},
		{Host: "bad|name"},
	} {
		tunnel.Needed, tunnel.System = true, "scheduler"
		_, err := New(Options{Home: t.TempDir()}).Dial(tunnel)
		var wrong *conf.Error
		if !errors.As(err, &wrong) || wrong.Key != "heron.scheduler.tunnel.host" || !strings.Contains(err.Error(), "heron.scheduler.tunnel.ssh.options") {
			t.Errorf("%+v: %v", tunnel, err)
		}
	}
}
