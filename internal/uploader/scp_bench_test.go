package uploader

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
)

// delayed passes a connection on, each direction late by a delay and as fast
// as it comes.
func delayed(t testing.TB, upstream string, delay time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	type packet struct {
		data []byte
		due  time.Time
	}
	pipe := func(to, from net.Conn) {
		// The line holds what is under way, so its sender waits for nothing
		// but the other end's window.
		line := make(chan packet, 4096)
		go func() {
			defer to.Close()
			for p := range line {
				time.Sleep(time.Until(p.due))
				if _, err := to.Write(p.data); err != nil {
					break
				}
			}
			for range line {
			}
		}()
		defer close(line)
		for {
			data := make([]byte, 64<<10)
			n, err := from.Read(data)
			if n > 0 {
				line <- packet{data[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", upstream)
			if err != nil {
				near.Close()
				continue
			}
			go pipe(far, near)
			go pipe(near, far)
		}
	}()
	return l.Addr().String()
}

// BenchmarkSCP compares an upload with OpenSSH's scp, on loopback and with a
// delay of 20 ms there and back.
func BenchmarkSCP(b *testing.B) {
	const size = 256 << 20
	s := testenv.SSHD(b, testenv.SSHOptions{})
	home := testenv.SSHHome(b, s)
	file := filepath.Join(b.TempDir(), "package")
	src, data := source("a/b", size)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		b.Fatal(err)
	}
	src.Open = func() (Content, error) { return os.Open(file) }
	for _, delay := range []time.Duration{0, 20 * time.Millisecond} {
		addr := s.Addr
		if delay > 0 {
			addr = delayed(b, s.Addr, delay/2)
		}
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			b.Fatal(err)
		}
		known := filepath.Join(home, ".ssh", "known_hosts_"+port)
		if err := os.WriteFile(known, fmt.Appendf(nil, "[%s]:%s %s\n", host, port, s.HostKey(b)), 0o600); err != nil {
			b.Fatal(err)
		}
		key := filepath.Join(home, ".ssh", "id_ed25519")
		b.Run(fmt.Sprint("heron, delay ", delay), func(b *testing.B) {
			b.SetBytes(size)
			for range b.N {
				h := &sshHosts{servers: []*testenv.SSHServer{{Host: host, Port: port, User: s.User}}, home: home}
				settings := h.settings(b.TempDir())
				settings.SCP.Options += " -o UserKnownHostsFile=" + known
				u, err := base(settings, Environment{Home: home})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := u.Upload(context.Background(), src); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("scp, delay ", delay), func(b *testing.B) {
			b.SetBytes(size)
			for range b.N {
				cmd := exec.Command("scp", "-q", "-F", "none", "-B", "-i", key, "-P", port, "-o", "UserKnownHostsFile="+known, file, s.User+"@"+host+":"+b.TempDir()+"/x")
				cmd.Stderr = os.Stderr
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("log-in, delay ", delay), func(b *testing.B) {
			for range b.N {
				h := &sshHosts{servers: []*testenv.SSHServer{{Host: host, Port: port, User: s.User}}, home: home}
				settings := h.settings(b.TempDir())
				settings.SCP.Options += " -o UserKnownHostsFile=" + known
				u, err := base(settings, Environment{Home: home})
				if err != nil {
					b.Fatal(err)
				}
				if err := u.Check(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
