package tunnel

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/sshclient"
)

// counted is a dialer of a site that counts its attempts to go straight, which
// wait for the end of their time.
func (s *site) counted(change func(*dialer)) (*dialer, *int) {
	s.t.Helper()
	tunnel := s.tunnel()
	shared := newBastion(target(tunnel.Host), tunnel.Host, sshclient.Options{Home: s.home}, nil)
	s.t.Cleanup(func() {
		if err := shared.close(); err != nil {
			s.t.Error(err)
		}
	})
	d := newDialer(tunnel, shared)
	tries := 0
	d.direct = func(ctx context.Context, _, _ string) (net.Conn, error) {
		tries++
		<-ctx.Done()
		return nil, ctx.Err()
	}
	change(d)
	return d, &tries
}

func TestTheWayIsRemembered(t *testing.T) {
	s := newSite(t, "")
	d, tries := s.counted(func(*dialer) {})
	for range 3 {
		must(t, ask(t.Context(), d.DialContext, s.echo))
	}
	if *tries != 1 {
		t.Errorf("tried straight %d times, want once", *tries)
	}
	// Another server is another matter.
	must(t, ask(t.Context(), d.DialContext, s.named))
	if *tries != 2 {
		t.Errorf("tried straight %d times, want twice", *tries)
	}
}

func TestTheWayIsForgottenWhenItEnds(t *testing.T) {
	s := newSite(t, "")
	d, tries := s.counted(func(*dialer) {})
	must(t, ask(t.Context(), d.DialContext, s.echo))
	s.bastion.DropSessions()
	must(t, s.bastion.Kill())
	if err := ask(t.Context(), d.DialContext, s.echo); err == nil {
		t.Fatal("reached without a bastion")
	}
	// Now this machine is inside.
	d.direct = s.net.Dial
	must(t, ask(t.Context(), d.DialContext, s.echo))
	if *tries != 1 {
		t.Errorf("tried straight %d times before, want once", *tries)
	}
}

func TestAGivenUpLogInIsThereForTheNext(t *testing.T) {
	s := newSite(t, "")
	d, tries := s.counted(func(d *dialer) { d.tunnel.ConnectTimeout = 10 * time.Millisecond })
	must(t, s.bastion.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := ask(ctx, d.DialContext, s.echo); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("logged in to a bastion that sleeps: %v", err)
	}
	must(t, s.bastion.Resume())
	must(t, ask(t.Context(), d.DialContext, s.echo))
	if *tries != 1 {
		t.Errorf("tried straight %d times, want once", *tries)
	}
}

func TestTries(t *testing.T) {
	s := newSite(t, "")
	for _, c := range []struct{ tries, want int }{{0, 0}, {1, 1}, {3, 3}} {
		d, tries := s.counted(func(d *dialer) {
			d.tunnel.Tries, d.tunnel.ConnectTimeout, d.tunnel.RetryInterval = c.tries, time.Millisecond, time.Millisecond
		})
		if err := ask(t.Context(), d.DialContext, net.JoinHostPort(s.net.IP, "1")); err == nil {
			t.Fatal("nobody listens there")
		}
		if *tries != c.want {
			t.Errorf("with %d: tried straight %d times, want %d", c.tries, *tries, c.want)
		}
		if c.tries == 0 {
			must(t, ask(t.Context(), d.DialContext, s.echo))
		}
	}
	// A pause ends with the one who waits.
	d, _ := s.counted(func(d *dialer) { d.tunnel.Tries, d.tunnel.RetryInterval = 2, time.Hour })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := ask(ctx, d.DialContext, net.JoinHostPort(s.net.IP, "1")); err == nil {
		t.Error("nobody listens there")
	}
}

func TestTargets(t *testing.T) {
	for host, want := range map[string]string{
		"bastion":                "bastion",
		"ann@bastion":            "ann@bastion",
		"bastion:22":             "ssh://bastion:22",
		"ann@bastion:2222":       "ssh://ann@bastion:2222",
		"ann@fe80::1":            "ann@fe80::1",
		"ann@[fe80::1]:22":       "ssh://ann@[fe80::1]:22",
		"ssh://ann@bastion:2222": "ssh://ann@bastion:2222",
	} {
		if got := target(host); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}
