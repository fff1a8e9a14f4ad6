package testenv

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sshProgram runs one of OpenSSH's programs against a server.
func sshProgram(t *testing.T, home, name string, args ...string) string {
	t.Helper()
	options := []string{
		"-q", "-F", "/dev/null", "-i", filepath.Join(home, ".ssh", "id_ed25519"),
		"-o", "UserKnownHostsFile=" + filepath.Join(home, ".ssh", "known_hosts"), "-o", "BatchMode=yes",
	}
	out, err := exec.Command(name, append(options, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func TestSSHSessionsHaveAHomeOfTheirOwn(t *testing.T) {
	s := SSHD(t, SSHOptions{})
	home := SSHHome(t, s)
	if err := os.WriteFile(filepath.Join(s.home(), ".marker"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	at := s.User + "@" + host
	if got := sshProgram(t, home, "ssh", "-p", port, at, `echo "$HOME"; ls -A ~`); got != s.home()+"\n.marker\n" {
		t.Errorf("a command sees %q", got)
	}
	batch := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(batch, []byte("ls -a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := sshProgram(t, home, "sftp", "-P", port, "-b", batch, at); !strings.Contains(got, ".marker") {
		t.Errorf("SFTP starts in %q", got)
	}
}
