package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Sessions see nothing of the home of the user who runs the tests.
func TestSSHSessionsHaveAHomeOfTheirOwn(t *testing.T) {
	s := SSHD(t, SSHOptions{})
	home := SSHHome(t, s)
	text, err := os.ReadFile(filepath.Join(home, ".ssh", "id_ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKey(t)))
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", s.Addr, &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(key),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	command, want := `echo "$HOME"`, s.Home
	if os.Geteuid() == 0 {
		command, want = `echo "$HOME $PWD $SHELL" ~`, s.Home+" "+s.Home+" /bin/sh "+s.Home
	}
	out, err := session.CombinedOutput(command)
	if got := strings.TrimSpace(string(out)); err != nil || got != want {
		t.Errorf("%s: got %q, %v, want %q", command, got, err, want)
	}
}
