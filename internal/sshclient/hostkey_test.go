package sshclient

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

func TestUnknownAndChangedHostKeys(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	known := filepath.Join(home, ".ssh", "known_hosts")
	o := in(home, to(s, ""))

	// What the error says to do is what makes it work.
	shell := func(commands string) {
		t.Helper()
		run(t, "sh", "-c", commands)
	}
	var failed *HostKeyError
	for label, known := range map[string]string{
		"empty":         "",
		"another host":  "other.example " + s.HostKey(t) + "\n",
		"another port":  "[" + s.Host + "]:1 " + s.HostKey(t) + "\n",
		"unreadable":    s.KnownName() + " ssh-future AAAA\n",
		"only comments": "# " + s.KnownName() + " " + s.HostKey(t) + "\n",
	} {
		write(t, home, "known_hosts", known)
		_, err := Dial(t.Context(), s.Host, o)
		if !errors.Is(err, ErrHostKey) || !errors.As(err, &failed) || failed.Problem != KeyUnknown {
			t.Fatalf("%s: got %v", label, err)
		}
	}
	fingerprint := strings.Fields(run(t, "ssh-keygen", "-l", "-f", filepath.Join(s.Dir, "host_key.pub")))[1]
	if failed.Fingerprint != fingerprint || failed.Type != "ssh-ed25519" || !strings.Contains(failed.Error(), fingerprint) {
		t.Errorf("fingerprint %s is missing in %v", fingerprint, failed)
	}
	write(t, home, "known_hosts", "")
	accept := lastLine(failed.Error())
	if !strings.HasPrefix(accept, "ssh-keyscan -p "+s.Port+" -H 127.0.0.1 >> "+known) {
		t.Errorf("command is %q", accept)
	}
	shell(accept)
	dialed(t, s.Host, o)

	// A changed key of the same type, and of another.
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		if err := s.NewHostKey(kind); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := Dial(t.Context(), s.Host, o)
		if !errors.As(err, &failed) || failed.Problem != KeyChanged || !strings.Contains(err.Error(), known+":") {
			t.Fatalf("%s: got %v", kind, err)
		}
		lines := strings.Split(err.Error(), "\n")
		if !strings.HasPrefix(lines[1], "  ssh-keygen -R '["+s.Host+"]:"+s.Port+"' -f "+known) {
			t.Errorf("%s: command is %q", kind, lines[1])
		}
		shell(lines[1])
		shell(lines[3])
		dialed(t, s.Host, o)
	}

	// A key that is known for the standard port is good on others.
	write(t, home, "known_hosts", s.Host+" "+s.HostKey(t)+"\n")
	dialed(t, s.Host, o)
	// By a name of its own.
	write(t, home, "known_hosts", "@cert-authority * "+testenv.SSHKey(t, filepath.Join(t.TempDir(), "ca"))+"\nbox "+s.HostKey(t)+"\n")
	dialed(t, s.Host, in(home, to(s, "-o HostKeyAlias=Box")))
	_, err := Dial(t.Context(), s.Host, in(home, to(s, "-o HostKeyAlias=crate")))
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	shell(lastLine(err.Error()))
	dialed(t, s.Host, in(home, to(s, "-o HostKeyAlias=crate")))
}

func lastLine(text string) string {
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}

func TestServerWithSeveralKeysShowsTheKnownOne(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"ecdsa", "rsa"} {
		run(t, "ssh-keygen", "-q", "-t", kind, "-N", "", "-f", filepath.Join(dir, kind))
	}
	s := testenv.SSHD(t, testenv.SSHOptions{Config: "HostKey " + dir + "/ecdsa\nHostKey " + dir + "/rsa"})
	home := testenv.SSHHome(t, s)
	for _, kind := range []string{"ecdsa", "rsa"} {
		public, err := os.ReadFile(filepath.Join(dir, kind+".pub"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, home, "known_hosts", s.KnownName()+" "+string(public))
		dialed(t, s.Host, in(home, to(s, "")))
	}
}

func TestAcceptNewKeepsTheKey(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	for _, hash := range []string{"no", "yes"} {
		home := testenv.SSHHome(t, s)
		known := write(t, home, "known_hosts", "# no line end")
		o := in(home, to(s, "-o StrictHostKeyChecking=accept-new -o 'HashKnownHosts "+hash+"'"))
		dialed(t, s.Host, o)
		text, err := os.ReadFile(known)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines != 2 || bytes.Contains(text, []byte("127.0.0.1")) != (hash == "no") {
			t.Errorf("hashed %s: %q", hash, text)
		}
		// Known now, and not kept again.
		dialed(t, s.Host, in(home, to(s, "")))
		dialed(t, s.Host, o)
		if again, err := os.ReadFile(known); err != nil || !bytes.Equal(text, again) {
			t.Errorf("hashed %s: %q, %v", hash, again, err)
		}
		// A changed key is not taken.
		other := testenv.SSHKey(t, filepath.Join(t.TempDir(), "k"))
		write(t, home, "known_hosts", s.KnownName()+" "+other+"\n")
		if _, err := Dial(t.Context(), s.Host, o); !errors.Is(err, ErrHostKey) {
			t.Errorf("hashed %s: changed key: %v", hash, err)
		}
	}
}
