package sshclient

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
	"github.com/heron-nomad/heron/internal/testenv"
)

// The lines of random known_hosts files that are about a host are compared with
// those that ssh-keygen finds.
func TestKnownHostsAreReadAsByOpenSSH(t *testing.T) {
	seed := testenv.Seed(t, "HERON_SSH_SEED")
	random := rand.New(rand.NewPCG(seed, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	dir := t.TempDir()
	keys := []string{testenv.SSHKey(t, filepath.Join(dir, "a")), testenv.SSHKey(t, filepath.Join(dir, "b"))}
	run(t, "ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-C", "with a comment", "-f", filepath.Join(dir, "c"))
	public, err := os.ReadFile(filepath.Join(dir, "c.pub"))
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, strings.TrimSpace(string(public)))
	for n := range 200 {
		name := pick("web", "web.example.com", "Web", "10.0.0.7", "::1")
		port := pick("22", "2222")
		l := &login{Host: &sshconfig.Host{HostName: strings.ToLower(name), Port: port, KeyName: strings.ToLower(name)}}
		if port != "22" {
			l.KeyName = "[" + l.HostName + "]:" + port
		}
		var text strings.Builder
		for range random.IntN(12) {
			one := func() string {
				return pick("", "", "!") + pick("web", "WEB", "web.example.com", "*.example.com", "*", "[web]:2222", "[*]:2222", "[web]:22", "10.0.0.?", "::1", "[::1]:2222", "[10.0.0.7]:*", "web,10.0.0.7", "other")
			}
			hosts := one()
			for range random.IntN(2) {
				hosts += "," + one()
			}
			if random.IntN(4) == 0 {
				hosts = hashName(pick("web", "[web]:2222", "10.0.0.7", "other", "web.example.com"), []byte("twenty bytes of salt"))
			}
			line := pick("", "", "", "", "@cert-authority ", "@revoked ", "@nonsense ", "  ", "# ", "\t") + hosts + pick(" ", " ", "\t", "  ") + keys[random.IntN(len(keys))]
			if random.IntN(15) == 0 && !strings.Contains(line, "@revoked") {
				line = pick("web", "web ssh-ed25519", "", "   ", "web nonsense AAAA", "|1|x|y "+keys[0])
			}
			text.WriteString(line + pick("\n", "\n", " \n", "\n\n"))
		}
		file := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("ssh-keygen", "-F", l.KeyName, "-f", file).Output()
		var failed *exec.ExitError
		if err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
		var want, got []string
		for line := range bytes.Lines(out) {
			if _, place, ok := strings.Cut(string(line), " found: line "); ok {
				want = append(want, file+":"+strings.Fields(place)[0])
			}
		}
		l.KnownHosts = []string{file}
		k, err := l.readKnownHosts()
		if err != nil {
			t.Fatalf("%s: %v", text.String(), err)
		}
		for _, known := range k.named {
			got = append(got, known.place())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q\n%s", l.KeyName, got, want, text.String())
		}
	}
}

// What is known for a host's name without a port counts on other ports, its
// authorities included. That a key for another port is unknown does not.
func TestNamesWithoutPort(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca")
	authority := testenv.SSHKey(t, ca)
	s := testenv.SSHD(t, testenv.SSHOptions{})
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
	home := testenv.SSHHome(t, s)
	other := strings.TrimSpace(string(mustRead(t, otherKey(t, "ecdsa")+".pub")))
	for known, problem := range map[string]KeyProblem{
		s.Host + " " + s.HostKey(t):                                       "",
		"127.0.0.* " + s.HostKey(t):                                       "",
		"@cert-authority 127.0.0.* " + authority:                          "",
		"@cert-authority * " + authority:                                  "",
		"@cert-authority other.example " + authority:                      KeyUnknown,
		"@cert-authority * " + s.HostKey(t):                               KeyUnknown,
		"@cert-authority * " + s.HostKey(t) + "\n* " + s.HostKey(t):       "",
		s.Host + " " + other:                                              KeyUnknown,
		s.KnownName() + " " + other:                                       KeyChanged,
		"* " + other:                                                      KeyChanged,
		s.Host + " " + s.HostKey(t) + "\n@revoked * " + s.HostKey(t):      KeyRevoked,
		"@cert-authority * " + authority + "\n@revoked * " + authority:    KeyRevoked,
		s.Host + " " + s.HostKey(t) + "\n@revoked x.y " + s.HostKey(t):    "",
		s.Host + " ssh-nonsense AAAA\n" + s.Host + " " + s.HostKey(t):     "",
		strings.ToUpper(s.KnownName()) + " " + other + "\n* ssh-rsa AAAA": KeyChanged,
	} {
		write(t, home, "known_hosts", known+"\n")
		c, err := Dial(t.Context(), s.Host, in(home, to(s, "")))
		var failed *HostKeyError
		switch {
		case err == nil:
			_ = c.Close()
			if problem != "" {
				t.Errorf("%s: accepted, want %s", known, problem)
			}
		case !errors.As(err, &failed) || failed.Problem != problem:
			t.Errorf("%s: got %v, want %q", known, err, problem)
		}
	}
	// A line that cannot be read must not hide what it revokes.
	write(t, home, "known_hosts", s.Host+" "+s.HostKey(t)+"\n@revoked * ssh-future AAAA\n")
	var input *sshconfig.InputError
	if _, err := Dial(t.Context(), s.Host, in(home, to(s, ""))); !errors.As(err, &input) || !strings.Contains(err.Error(), "known_hosts:2") {
		t.Errorf("got %v", err)
	}
}

// otherKey makes a key of a type, and returns its file.
func otherKey(t *testing.T, kind string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), kind)
	run(t, "ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", file)
	return file
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
