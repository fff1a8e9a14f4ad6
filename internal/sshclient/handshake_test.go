package sshclient

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
	"github.com/heron-nomad/heron/internal/testenv"
)

// waitFor fails the test unless something becomes true.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen")
		}
	}
}

func TestHostsThatWantMoreThanAKey(t *testing.T) {
	for config, want := range map[string]string{
		"PasswordAuthentication yes\nPubkeyAuthentication no":                                      "the host accepts no keys, only password",
		"PasswordAuthentication yes\nAuthenticationMethods publickey,password":                     "accepts a key, but asks for more (password)",
		"PasswordAuthentication yes\nAuthenticationMethods publickey,publickey":                    "accepts a key, but asks for more (publickey)",
		"KbdInteractiveAuthentication yes\nUsePAM yes\nAuthenticationMethods keyboard-interactive": "the host accepts no keys, only keyboard-interactive",
	} {
		s := testenv.SSHD(t, testenv.SSHOptions{Config: config})
		home := testenv.SSHHome(t, s)
		_, err := Dial(t.Context(), s.Host, in(home, to(s, "")))
		if !errors.Is(err, ErrAuth) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", config, err, want)
		}
	}
}

// A server that has too many log-ins under way closes new connections before
// it says who it is.
func TestHostWithTooManyLogInsUnderWay(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	// Of this option the last line counts.
	config := filepath.Join(s.Dir, "sshd_config")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, "MaxStartups 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The one that asked whether the server is there may still count.
	var pending net.Conn
	waitFor(t, func() bool {
		pending, err = net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		greeting := make([]byte, 4)
		if n, _ := pending.Read(greeting); string(greeting[:n]) == "SSH-" {
			return true
		}
		_ = pending.Close()
		return false
	})
	defer pending.Close()
	_, err = Dial(t.Context(), s.Host, in(home, to(s, "")))
	var failed *UnreachableError
	if !errors.Is(err, ErrUnreachable) || !errors.As(err, &failed) || !failed.Dropped || outcome.KindOf(err) != outcome.Unreachable {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "MaxStartups") {
		t.Errorf("got %v", err)
	}
	_ = pending.Close()
	waitFor(t, func() bool {
		c, err := Dial(t.Context(), s.Host, in(home, to(s, "")))
		if err == nil {
			_ = c.Close()
		} else if !errors.As(err, &failed) || !failed.Dropped {
			t.Fatalf("got %v", err)
		}
		return err == nil
	})
}

// What a server says before the protocol begins is repeated.
func TestServersThatTurnConnectionsAway(t *testing.T) {
	for _, c := range []struct {
		text, said string
		dropped    bool
	}{
		{"Exceeded MaxStartups\r\n", "Exceeded MaxStartups", true},
		{"Not allowed at this time\r\n", "Not allowed at this time", true},
		{"", "", true},
		{"HTTP/1.1 400 Bad Request\r\n\r\nHello\x1b[2J", "HTTP/1.1 400 Bad Request\r\n\r\nHello\x1b[2J", true},
		{"Welcome\r\nSSH-2.0-x\r\n", "Welcome", false},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				// Our version is read, so that closing does not reset.
				buffer := make([]byte, 4<<10)
				_, _ = conn.Read(buffer)
				_, _ = conn.Write([]byte(c.text))
				_ = conn.(*net.TCPConn).CloseWrite()
				for err == nil {
					_, err = conn.Read(buffer)
				}
				_ = conn.Close()
			}
		}()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		_, err = Dial(t.Context(), "127.0.0.1", in(homeWith(t, ""), "-p "+port))
		var failed *UnreachableError
		if !errors.As(err, &failed) || failed.Said != c.said || failed.Dropped != c.dropped {
			t.Errorf("%q: got %+v, %v", c.text, failed, err)
		} else if strings.Contains(err.Error(), "\x1b") || !strings.Contains(err.Error(), strings.Split(c.said, "\r")[0]) {
			t.Errorf("%q: got %q", c.text, err)
		}
		_ = l.Close()
	}
}

func TestBindAddress(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	for option, want := range map[string]string{"-b 127.0.0.44": "127.0.0.44 ", "-o BindInterface=lo": "127.0.0.1 ", "-o BindAddress=127.0.0.45 -B lo": "127.0.0.45 "} {
		session, err := dialed(t, s.Host, in(home, to(s, option))).SSH().NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := session.Output("echo $SSH_CONNECTION"); err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s: got %q, %v", option, out, err)
		}
	}
	for option, want := range map[string]string{"-b ::1": "fits", "-B none-of-this-name": "none-of-this-name"} {
		if _, err := Dial(t.Context(), s.Host, in(home, to(s, option))); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", option, err)
		}
	}
}

func TestHostKeysThatAreRefused(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	other := testenv.SSHKey(t, filepath.Join(t.TempDir(), "other"))
	revoked := write(t, home, "revoked", "# keys\n"+other+"\n")
	o := func(more string) Options { return in(home, to(s, "-o RevokedHostKeys="+revoked+" "+more)) }
	dialed(t, s.Host, o(""))
	write(t, home, "revoked", other+"\n"+s.HostKey(t)+"\n")
	var failed *HostKeyError
	if _, err := Dial(t.Context(), s.Host, o("")); !errors.As(err, &failed) || failed.Problem != KeyRevoked || failed.Known != revoked+":2" || outcome.KindOf(err) != outcome.Denied {
		t.Errorf("revoked: %v", err)
	}
	for text, want := range map[string]string{"SSHKRL\n\x00": "binary", "nonsense\n": "line 1"} {
		write(t, home, "revoked", text)
		var input *sshconfig.InputError
		if _, err := Dial(t.Context(), s.Host, o("")); !errors.As(err, &input) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if err := s.NewHostKey("rsa"); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, home, "known_hosts", s.KnownName()+" "+s.HostKey(t)+"\n")
	dialed(t, s.Host, in(home, to(s, "")))
	if _, err := Dial(t.Context(), s.Host, in(home, to(s, "-o RequiredRSASize=8192"))); !errors.As(err, &failed) || failed.Problem != KeyWeak {
		t.Errorf("short key: %v", err)
	}
	// A host that only a program knows is unknown here, and the error says why.
	write(t, home, "known_hosts", "")
	_, err := Dial(t.Context(), s.Host, in(home, to(s, "-o 'KnownHostsCommand /bin/false'")))
	if !errors.As(err, &failed) || failed.Problem != KeyUnknown || !strings.Contains(err.Error(), "KnownHostsCommand is not run") {
		t.Errorf("command: %v", err)
	}
	// Nothing is kept in /dev/null.
	dialed(t, s.Host, in(home, to(s, "-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/dev/null")))
	if text, err := os.ReadFile(filepath.Join(home, ".ssh", "known_hosts")); err != nil || !bytes.Equal(text, nil) {
		t.Errorf("%q, %v", text, fmt.Sprint(err))
	}
}
