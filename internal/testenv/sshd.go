package testenv

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSHOptions are what differs between SSH servers.
type SSHOptions struct {
	// Host is a loopback address, so that several servers are several hosts;
	// "" is 127.0.0.1. Port is one of Ports, 0 one of the server's own.
	Host string
	Port int
	// Config are lines for the server's configuration; they come first, so
	// they count.
	Config string
	// Net, if not nil, is the network that the server is in, whose names it
	// knows. The test reaches it at the same address.
	Net *PrivateNet
	// SFTP is what serves it, with its options; "" is what is built in.
	SFTP string
	// Private is a folder, which must exist, in whose place this server sees
	// one of its own, so that servers on one machine have what hosts have:
	// other files at the same path. It takes root. With Disk it is a small
	// file system, which has these mount options of tmpfs.
	Private, Disk string
}

// An SSHServer is OpenSSH's server for the user who runs the test. It accepts
// the keys of homes that SSHHome made, and no passwords.
//
// Sessions have the variable HOME, and SFTP its start folder, in a folder of
// the server's own, so that the start files of the real user's shell change no
// test and no test writes among the user's files. Commands still start in the
// real home: sshd enters it.
type SSHServer struct {
	*Server
	// Host and Port are where it listens, User whom it lets in.
	Host, Port, User string

	private bool
}

// SSHD runs a server until the test ends.
func SSHD(t testing.TB, o SSHOptions) *SSHServer {
	t.Helper()
	var s *SSHServer
	ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		var err error
		if s, err = startSSHD(ctx, dir, o); err != nil {
			return nil, err
		}
		return s.Server, nil
	})
	return s
}

// SSHHosts runs n servers on the same port of different addresses.
func SSHHosts(t testing.TB, n int, o SSHOptions) []*SSHServer {
	t.Helper()
	o.Port = Ports(t, 1)[0]
	servers := make([]*SSHServer, n)
	for i := range servers {
		o.Host = fmt.Sprintf("127.0.0.%d", i+2)
		servers[i] = SSHD(t, o)
	}
	return servers
}

func startSSHD(ctx context.Context, dir string, o SSHOptions) (*SSHServer, error) {
	program, err := findSSHD()
	if err != nil {
		return nil, err
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	block, err := reservePorts(32000, 32700, 2, 1)
	if err != nil {
		return nil, fmt.Errorf("start sshd: %w", err)
	}
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.Port == 0 {
		o.Port = block.port(0)
	}
	s := &SSHServer{Host: o.Host, Port: strconv.Itoa(o.Port), User: me.Username, private: o.Private != ""}
	addr := net.JoinHostPort(s.Host, s.Port)
	config := filepath.Join(dir, "sshd_config")
	s.Server = &Server{
		Addr: addr, Dir: dir, name: "sshd",
		// It runs itself again for each connection, so its path is absolute.
		argv:        []string{program, "-D", "-e", "-f", config},
		env:         serverEnv(dir),
		block:       block,
		ready:       func(ctx context.Context) error { return askSSHD(ctx, addr) },
		drain:       func(context.Context) error { s.DropSessions(); return nil },
		deathSignal: syscall.SIGKILL,
	}
	if s.private {
		err = s.hide(o)
	}
	if err == nil && o.Net != nil {
		s.argv = o.Net.NamedCommand(s.argv)
		s.after, err = relay(o.Net, addr, addr)
	}
	if err == nil {
		err = os.Mkdir(s.home(), 0o700)
	}
	if err == nil {
		err = s.NewHostKey("ed25519")
	}
	if err == nil {
		err = os.WriteFile(config, []byte(s.config(o.Config, o.SFTP)), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "authorized_keys"), nil, 0o600)
	}
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		_ = s.discard()
		return nil, err
	}
	return s, nil
}

// hide has the server run where another folder is mounted in the place of one.
func (s *SSHServer) hide(o SSHOptions) error {
	own := filepath.Join(s.Dir, "private")
	if err := os.Mkdir(own, 0o755); err != nil {
		return err
	}
	mount := []string{"--bind", own, o.Private}
	if o.Disk != "" {
		mount = []string{"-t", "tmpfs", "-o", o.Disk, "tmpfs", o.Private}
	}
	script := `mount "$1" "$2" "$3" && shift 3 && exec "$@"`
	if o.Disk != "" {
		script = `mount "$1" "$2" "$3" "$4" "$5" "$6" && shift 6 && exec "$@"`
	}
	s.argv = append(append([]string{"unshare", "--mount", "sh", "-c", script, "sh"}, mount...), s.argv...)
	return nil
}

// home is what sessions have for a home.
func (s *SSHServer) home() string { return filepath.Join(s.Dir, "home") }

// Path is where a test finds what the server sees at a path.
func (s *SSHServer) Path(path string) string {
	if !s.private {
		return path
	}
	return fmt.Sprintf("/proc/%d/root%s", s.Pid(), path)
}

// config is for a server that is started by hand: by root or by the user whom
// it lets in.
func (s *SSHServer) config(first, sftp string) string {
	file := func(name string) string { return filepath.Join(s.Dir, name) }
	return fmt.Sprintf(`%s
ListenAddress %s
Port %s
HostKey %s
PidFile none
AuthorizedKeysFile %s
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AllowTcpForwarding yes
MaxStartups 200
SetEnv HOME=%s
Subsystem sftp %s
`, first, s.Host, s.Port, file("host_key"), file("authorized_keys"), s.home(), cmp.Or(sftp, "internal-sftp -d "+s.home()))
}

// findSSHD also makes the empty folder that the server wants when root runs it.
func findSSHD() (string, error) {
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd"
		if _, err := os.Stat(program); err != nil {
			return "", fmt.Errorf("find sshd: %w; apt-get install openssh-server", err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return "", fmt.Errorf("start sshd: %w", err)
		}
	}
	return program, nil
}

// askSSHD fails until the server greets.
func askSSHD(ctx context.Context, addr string) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	greeting := make([]byte, 4)
	if _, err := conn.Read(greeting); err != nil {
		return err
	}
	if !bytes.HasPrefix(greeting, []byte("SSH")) {
		return fmt.Errorf("it greets with %q", greeting)
	}
	return nil
}

// NewHostKey gives the server a host key of a type that ssh-keygen knows
// instead of its last one. It counts from the next start on.
func (s *SSHServer) NewHostKey(kind string) error {
	file := filepath.Join(s.Dir, "host_key")
	for _, old := range []string{file, file + ".pub"} {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	out, err := exec.Command("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make a host key: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// HostKey is the public half of the server's key: its type and the rest of it.
func (s *SSHServer) HostKey(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "host_key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// Allow accepts a key, given by its public half.
func (s *SSHServer) Allow(t testing.TB, public string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(s.Dir, "authorized_keys"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(strings.TrimSpace(public) + "\n")
	if cerr := f.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
}

// KnownName is the server's name in known_hosts.
func (s *SSHServer) KnownName() string { return "[" + s.Host + "]:" + s.Port }

// DropSessions ends all connections, as a crash of the host would. The server
// itself keeps running.
func (s *SSHServer) DropSessions() {
	for _, pid := range descendants(s.Pid()) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// SSHHome makes a home folder whose user the servers let in and who knows
// their keys: .ssh with id_ed25519 and known_hosts.
func SSHHome(t testing.TB, servers ...*SSHServer) string {
	t.Helper()
	home := t.TempDir()
	folder := filepath.Join(home, ".ssh")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	public := SSHKey(t, filepath.Join(folder, "id_ed25519"))
	var known strings.Builder
	for _, s := range servers {
		s.Allow(t, public)
		fmt.Fprintf(&known, "%s %s\n", s.KnownName(), s.HostKey(t))
	}
	if err := os.WriteFile(filepath.Join(folder, "known_hosts"), []byte(known.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// SSHKey writes a new key and its public half beside it, and returns that.
func SSHKey(t testing.TB, file string) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	public := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".pub", []byte(public), 0o644); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(public)
}
