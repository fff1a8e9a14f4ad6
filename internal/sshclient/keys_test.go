package sshclient

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/testenv"
)

// sshAgent runs a real ssh-agent until the test ends, and returns its socket.
func sshAgent(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "agent")
	cmd := exec.CommandContext(t.Context(), "ssh-agent", "-D", "-a", socket)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	waitFor(t, func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return socket
}

// agentAdd gives keys to an agent.
func agentAdd(t *testing.T, socket string, files ...string) {
	t.Helper()
	for _, file := range files {
		cmd := exec.Command("ssh-add", "-q", file)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ssh-add %s: %v: %s", file, err, out)
		}
	}
}

// newKeys makes keys named k1, k2 and so on in a new folder.
func newKeys(t *testing.T, n int) []string {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for i := range n {
		files = append(files, filepath.Join(dir, fmt.Sprintf("k%d", i+1)))
		testenv.SSHKey(t, files[i])
	}
	return files
}

// with sets the agent of options.
func (o Options) with(socket string) Options {
	o.Getenv = func(name string) string { return map[string]string{"SSH_AUTH_SOCK": socket}[name] }
	return o
}

// An agent with eight other keys before the one of ~/.ssh: OpenSSH offers that
// first, because the server ends the attempt after six.
func TestKeyOfTheHomeComesBeforeOthersOfTheAgent(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{Config: "MaxAuthTries 6"})
	home := testenv.SSHHome(t, s)
	socket := sshAgent(t)
	agentAdd(t, socket, newKeys(t, 8)...)
	own := filepath.Join(home, ".ssh", "id_ed25519")
	agentAdd(t, socket, own)
	dialed(t, s.Host, in(home, to(s, "")).with(socket))

	// Also if only the public half is there, and the agent has the rest.
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	dialed(t, s.Host, in(home, to(s, "")).with(socket))
}

func TestTooManyKeys(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{Config: "MaxAuthTries 6"})
	home := testenv.SSHHome(t, s)
	socket := sshAgent(t)
	others := newKeys(t, 9)
	agentAdd(t, socket, others...)
	if err := os.Remove(filepath.Join(home, ".ssh", "id_ed25519.pub")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(home, ".ssh", "id_ed25519"), filepath.Join(home, ".ssh", "mine")); err != nil {
		t.Fatal(err)
	}
	_, err := Dial(t.Context(), s.Host, in(home, to(s, "")).with(socket))
	var failed *AuthError
	if !errors.Is(err, ErrAuth) || !errors.As(err, &failed) || outcome.KindOf(err) != outcome.Denied {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(failed.Said, "Too many authentication failures") || !strings.Contains(err.Error(), failed.Said) {
		t.Errorf("the host said %q in %v", failed.Said, err)
	}
	if len(failed.Tried) != 6 || len(failed.Left) != 3 || !strings.Contains(err.Error(), "tried 6 of 9 keys") {
		t.Errorf("tried %d, left %d: %v", len(failed.Tried), len(failed.Left), err)
	}
	for i, name := range failed.Tried {
		if !strings.Contains(name, fingerprint(t, others[i]+".pub")) {
			t.Errorf("tried %s instead of key %d", name, i+1)
		}
	}
	// The error's advice helps.
	mine := "-i ~/.ssh/mine -o IdentitiesOnly=yes"
	dialed(t, s.Host, in(home, to(s, mine)).with(socket))
}

func fingerprint(t *testing.T, file string) string {
	t.Helper()
	return strings.Fields(run(t, "ssh-keygen", "-l", "-f", file))[1]
}

// The order of keys is compared with what the real ssh says that it will try.
func TestKeysAreOfferedInTheOrderOfOpenSSH(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	known := filepath.Join(home, ".ssh", "known_hosts")
	files := newKeys(t, 5)
	ca := filepath.Join(t.TempDir(), "ca")
	testenv.SSHKey(t, ca)
	for _, file := range files[:3] {
		run(t, "ssh-keygen", "-q", "-s", ca, "-I", "x", "-n", "x", file+".pub")
	}
	rsa := filepath.Join(t.TempDir(), "rsa")
	run(t, "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", rsa)
	files = append(files, rsa)
	certificate := filepath.Join(t.TempDir(), "other-cert.pub")
	run(t, "cp", files[0]+"-cert.pub", certificate)
	seed := testenv.Seed(t, "HERON_SSH_SEED")
	random := rand.New(rand.NewPCG(seed, 1))
	for range 12 {
		socket := sshAgent(t)
		shuffled := func() []string {
			list := slices.Clone(files)
			random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			return list[:random.IntN(len(list))]
		}
		agentAdd(t, socket, shuffled()...)
		config := fmt.Sprintf("IdentityAgent %s\nUserKnownHostsFile %s\n", socket, known)
		for _, file := range append(shuffled(), files[0]) {
			config += "IdentityFile " + file + "\n"
		}
		for text, one := range map[string]int{"IdentitiesOnly yes\n": 3, "CertificateFile " + certificate + "\n": 3, "PubkeyAcceptedAlgorithms -rsa*\n": 5, "RequiredRSASize 3072\n": 5} {
			if random.IntN(one) == 0 {
				config += text
			}
		}
		file := write(t, home, "keys", config)
		out, _ := exec.Command("ssh", "-v", "-F", file, "-p", s.Port, "-o", "BatchMode=yes", "nobody-here@"+s.Host, "true").CombinedOutput()
		var want []string
		for line := range strings.Lines(string(out)) {
			// A key that it will not use has no fingerprint there. A certificate
			// that the agent and a file have is offered twice, but not by us.
			text, ok := strings.CutPrefix(line, "debug1: Will attempt key: ")
			if at := strings.Index(text, "SHA256:"); ok && at >= 0 {
				name := fmt.Sprint(strings.Fields(text[at:])[0], strings.Contains(text[:at], "-CERT "))
				if !slices.Contains(want, name) {
					want = append(want, name)
				}
			}
		}
		l, err := in(home, "-F "+file).login(t.Context(), s.Host)
		if err != nil {
			t.Fatal(err)
		}
		k := l.keys(t.Context())
		k.close()
		var got []string
		for _, c := range k.offers {
			public := c.public
			cert, ok := public.(*ssh.Certificate)
			if ok {
				public = cert.Key
			}
			got = append(got, fmt.Sprint(ssh.FingerprintSHA256(public), ok))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %q\nwant %q\nskipped %q\n%s", config, got, want, k.skipped, out)
		}
	}
}

func TestPrivateKeyThatOthersCanReadIsIgnored(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	file := filepath.Join(home, ".ssh", "id_ed25519")
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var events []progress.Event
	o := in(home, to(s, ""))
	o.Progress = func(e progress.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}
	_, err := Dial(t.Context(), s.Host, o)
	var failed *AuthError
	if !errors.As(err, &failed) || len(failed.Tried) > 0 || !strings.Contains(err.Error(), file+": other users can read") || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
	if len(events) != 1 || events[0].State != progress.Warned || events[0].What.ID != file || events[0].Err == nil {
		t.Errorf("events: %+v", events)
	}
	// The agent may use it.
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	socket := sshAgent(t)
	agentAdd(t, socket, file)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	dialed(t, s.Host, o.with(socket))
	if len(events) != 1 {
		t.Errorf("events: %+v", events)
	}
}

func TestRSAKeysAndTheirLimits(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	file := filepath.Join(t.TempDir(), "rsa")
	run(t, "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", file)
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	s.Allow(t, string(public))
	only := "-i " + file + " -o IdentitiesOnly=yes "
	dialed(t, s.Host, in(home, to(s, only)))
	dialed(t, s.Host, in(home, to(s, only+"-o PubkeyAcceptedAlgorithms=rsa-sha2-512")))
	for option, want := range map[string]string{
		"-o RequiredRSASize=3072":           "fewer than RequiredRSASize",
		"-o PubkeyAcceptedAlgorithms=-rsa*": "does not allow keys of the type ssh-rsa",
	} {
		if _, err := Dial(t.Context(), s.Host, in(home, to(s, only+option))); !errors.Is(err, ErrAuth) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", option, err, want)
		}
	}
}

// A key that the agent does not sign with must not keep others from being
// tried.
func TestAgentThatDoesNotSign(t *testing.T) {
	s := testenv.SSHD(t, testenv.SSHOptions{})
	home := testenv.SSHHome(t, s)
	first := newKeys(t, 1)[0]
	public, err := os.ReadFile(first + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	s.Allow(t, string(public))
	socket := sshAgent(t)
	// The agent has to ask before it uses the key, and there is nobody to ask.
	cmd := exec.Command("ssh-add", "-q", "-c", first)
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dialed(t, s.Host, in(home, to(s, "")).with(socket))
	_, err = Dial(t.Context(), s.Host, in(home, to(s, "-o IdentityFile=none")).with(socket))
	if !errors.Is(err, ErrAuth) || !strings.Contains(err.Error(), "did not sign") {
		t.Errorf("got %v", err)
	}
}
