package sshclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
	"github.com/heron-nomad/heron/internal/testenv"
	"golang.org/x/crypto/ssh/agent"
)

// in are options for a home folder.
func in(home, args string) Options {
	return Options{Home: home, Args: args, Getenv: func(string) string { return "" }, system: filepath.Join(home, "etc")}
}

// to are the options that lead to a server.
func to(s *testenv.SSHServer, more string) string {
	return "-l " + s.User + " -p " + s.Port + " " + more
}

// says fails unless a command runs over the connection.
func says(t *testing.T, c *Client) {
	t.Helper()
	session, err := c.SSH().NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if out, err := session.Output("echo hello"); err != nil || string(out) != "hello\n" {
		t.Fatalf("got %q, %v", out, err)
	}
}

func dialed(t *testing.T, target string, o Options) *Client {
	t.Helper()
	c, err := Dial(t.Context(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	says(t, c)
	return c
}

// homeWith is a home with a configuration file.
func homeWith(t *testing.T, config string) string {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, home, "config", config)
	return home
}

// write puts a file below a home's .ssh.
func write(t *testing.T, home, name, text string) string {
	t.Helper()
	file := filepath.Join(home, ".ssh", name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", program, args, err, out)
	}
	return string(out)
}

func TestDialWithOptionsAndFiles(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{Host: "127.0.0.2"})
	home := testenv.SSHHome(t, s)
	elsewhere := t.TempDir()
	file := filepath.Join(elsewhere, "a key")
	s.Allow(t, testenv.SSHKey(t, file))

	t.Run("host and options", func(t *testing.T) { dialed(t, s.User+"@"+s.Host, in(home, "-P "+s.Port)) })
	t.Run("URL", func(t *testing.T) { dialed(t, "ssh://"+s.User+"@"+s.Addr, in(home, "")) })
	t.Run("identity file", func(t *testing.T) {
		known := filepath.Join(home, ".ssh", "known_hosts")
		dialed(t, s.Host, in(elsewhere, to(s, fmt.Sprintf("-i '%s' -o UserKnownHostsFile=%s -q", file, known))))
	})
	t.Run("alias", func(t *testing.T) {
		write(t, home, "config", fmt.Sprintf(`
Include parts/*.conf
Host *.example
	User somebody
Host box
	HostName 127.0.0.2
	Port %s
	User %s
	IdentityFile "%%d/.ssh/id_ed25519"
`, s.Port, s.User))
		dialed(t, "box", in(home, ""))
	})
	t.Run("forwarded connection", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			conn, err := l.Accept()
			if err == nil {
				_, _ = io.WriteString(conn, "through")
				_ = conn.Close()
			}
		}()
		conn, err := dialed(t, "box", in(home, "")).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(conn); string(text) != "through" {
			t.Errorf("got %q, %v", text, err)
		}
	})
}

func TestDialThroughJumpHosts(t *testing.T) {
	hosts := testenv.SSHHosts(t, 3, testenv.SSHOptions{})
	home := testenv.SSHHome(t, hosts...)
	dialed(t, hosts[2].Host, in(home, to(hosts[2], fmt.Sprintf("-J %s@%s,%s@%s", hosts[0].User, hosts[0].Addr, hosts[1].User, hosts[1].Addr))))
	write(t, home, "config", fmt.Sprintf(`
Host *
  Port %s
  User %s
Host last
  HostName %s
  ProxyJump middle
Host middle
  HostName %s
  ProxyJump first
Host first
  HostName %s
Host circle
  ProxyJump circle2
Host circle2
  ProxyJump circle
`, hosts[0].Port, hosts[0].User, hosts[2].Host, hosts[1].Host, hosts[0].Host))
	dialed(t, "last", in(home, ""))
	var input *sshconfig.InputError
	if _, err := Dial(t.Context(), "circle", in(home, "")); !errors.As(err, &input) {
		t.Errorf("circle: %v", err)
	}
	// A host behind the jump host that does not answer, and a jump host that
	// does not.
	if _, err := Dial(t.Context(), "127.0.0.9", in(home, "-J first -p 1")); !errors.Is(err, ErrUnreachable) {
		t.Errorf("closed port behind: %v", err)
	}
	if _, err := Dial(t.Context(), "last", in(home, "-J first:1")); !errors.Is(err, ErrUnreachable) {
		t.Errorf("closed port of the jump host: %v", err)
	}
}

func TestDialWithAgent(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ring := agent.NewKeyring()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn) }()
		}
	}()
	file := filepath.Join(t.TempDir(), "locked")
	run(t, "ssh-keygen", "-q", "-t", "ecdsa", "-N", "a secret phrase", "-f", file)
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	s.Allow(t, string(public))

	empty := t.TempDir()
	known := "-o UserKnownHostsFile=" + filepath.Join(home, ".ssh", "known_hosts")
	with := in(empty, to(s, known+" -o IdentityAgent="+socket+" -o IdentitiesOnly=yes -i "+file))
	_, err = Dial(t.Context(), s.Host, with)
	if !errors.Is(err, ErrAuth) || !strings.Contains(err.Error(), file+": it is encrypted") || strings.Contains(err.Error(), "secret") {
		t.Errorf("without the key in the agent: %v", err)
	}
	// More keys than the server allows: the chosen one comes first.
	for i := range 8 {
		other := filepath.Join(t.TempDir(), fmt.Sprint(i))
		testenv.SSHKey(t, other)
		addKey(t, ring, other, "")
	}
	addKey(t, ring, file, "a secret phrase")
	dialed(t, s.Host, with)
	with.Args = to(s, known)
	with.Getenv = func(name string) string { return map[string]string{"SSH_AUTH_SOCK": socket}[name] }
	if _, err := Dial(t.Context(), s.Host, with); !errors.Is(err, ErrAuth) {
		t.Errorf("with too many keys: %v", err)
	}
}

func TestDialWithCertificates(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca")
	authority := testenv.SSHKey(t, ca)
	s := testenv.SSHD(t, testenv.SSHOptions{Config: "TrustedUserCAKeys " + ca + ".pub"})
	run(t, "ssh-keygen", "-q", "-s", ca, "-I", "host", "-h", "-n", s.Host, filepath.Join(s.Dir, "host_key.pub"))
	config := filepath.Join(s.Dir, "sshd_config")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, "HostCertificate "+s.Dir+"/host_key-cert.pub\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(home, ".ssh", "id_ed25519")
	testenv.SSHKey(t, key)
	run(t, "ssh-keygen", "-q", "-s", ca, "-I", "user", "-n", s.User, key+".pub")
	write(t, home, "known_hosts", "@cert-authority "+s.KnownName()+" "+authority+"\n")
	dialed(t, s.Host, in(home, to(s, "")))

	// The same without the authority's word for the host.
	write(t, home, "known_hosts", "@cert-authority other.example "+authority+"\n")
	var key2 *HostKeyError
	if _, err := Dial(t.Context(), s.Host, in(home, to(s, ""))); !errors.As(err, &key2) || key2.Problem != KeyUnknown {
		t.Errorf("other host: %v", err)
	}
	hostKey := s.HostKey(t)
	write(t, home, "known_hosts", s.KnownName()+" "+hostKey+"\n@revoked * "+hostKey+"\n")
	if _, err := Dial(t.Context(), s.Host, in(home, to(s, ""))); !errors.As(err, &key2) || key2.Problem != KeyRevoked || !strings.HasSuffix(key2.Known, "known_hosts:2") {
		t.Errorf("revoked: %v", err)
	}
}

func TestRefusedLogIn(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	stranger := filepath.Join(t.TempDir(), "stranger")
	testenv.SSHKey(t, stranger)
	if err := os.Remove(filepath.Join(home, ".ssh", "id_ed25519")); err != nil {
		t.Fatal(err)
	}
	for label, args := range map[string]string{stranger: "-i " + stranger, "no key to show": "", "/nowhere": "-i /nowhere", stranger + ".pub": "-i " + stranger + ".pub"} {
		_, err := Dial(t.Context(), s.Host, in(home, to(s, args)))
		if !errors.Is(err, ErrAuth) || errors.Is(err, ErrUnreachable) || (!strings.Contains(err.Error(), label) && !strings.Contains(err.Error(), "no key")) {
			t.Errorf("%s: got %v", label, err)
		}
		text, _ := os.ReadFile(stranger)
		if secret := strings.Split(string(text), "\n")[2]; err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds the key", label)
		}
	}
}

func TestUnreachable(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	proxy := testenv.Proxy(t, s.Addr)
	_, port, _ := net.SplitHostPort(proxy.Addr)
	text, err := os.ReadFile(filepath.Join(home, ".ssh", "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, home, "known_hosts", strings.ReplaceAll(string(text), ":"+s.Port, ":"+port))
	o := in(home, "-l "+s.User+" -p "+port)
	o.ConnectTimeout = 20 * time.Second
	c, err := Dial(t.Context(), "127.0.0.1", o)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()

	if _, err := Dial(t.Context(), "nobody.invalid", o); !errors.Is(err, ErrUnreachable) {
		t.Errorf("unknown name: %v", err)
	}
	proxy.Down()
	if _, err := Dial(t.Context(), "127.0.0.1", o); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("closed port: %v", err)
	}
	for _, bytes := range []int64{1, 100, 1200} {
		proxy.CutAfter(bytes)
		if _, err := Dial(t.Context(), "127.0.0.1", o); !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrAuth) {
			t.Errorf("cut after %d bytes: %v", bytes, err)
		}
	}
	proxy.Silent()
	o.ConnectTimeout = 200 * time.Millisecond
	if _, err := Dial(t.Context(), "127.0.0.1", o); !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
	o.ConnectTimeout = 0
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := Dial(ctx, "127.0.0.1", o); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDeadConnectionIsNoticed(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	proxy := testenv.Proxy(t, s.Addr)
	_, port, _ := net.SplitHostPort(proxy.Addr)
	write(t, home, "known_hosts", "[127.0.0.1]:"+port+" "+s.HostKey(t)+"\n")
	c := dialed(t, "127.0.0.1", in(home, "-l "+s.User+" -p "+port+" -o ServerAliveInterval=1 -o ServerAliveCountMax=1"))
	proxy.Silent()
	ended := make(chan error, 1)
	go func() { ended <- c.SSH().Wait() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("a silent connection is kept")
	}
}
