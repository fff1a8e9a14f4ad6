package scp

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
)

// A shell that prints when it starts breaks SFTP, if that is a program which
// the shell runs.
func TestShellsThatPrintAreNamed(t *testing.T) {
	for label, c := range map[string]struct {
		sftp string
		says []string
		ok   bool
	}{
		"a greeting":          {sftp: "echo Welcome to storage-1; exec /usr/lib/openssh/sftp-server", says: []string{`prints "Welcome to storage-1" before SFTP begins`, "~/.bashrc"}},
		"an empty line":       {sftp: "echo; exec /usr/lib/openssh/sftp-server", says: []string{"before SFTP begins", "~/.bashrc"}},
		"much":                {sftp: "seq 100000; exec /usr/lib/openssh/sftp-server", says: []string{`prints "1 2 3`, "before SFTP begins"}},
		"no log-in":           {sftp: "echo This account is not available.; exit 1", says: []string{`prints "This account is not available."`, "allowed to log in"}},
		"on its error output": {sftp: "echo Welcome >&2; exec /usr/lib/openssh/sftp-server", ok: true},
		"nothing":             {sftp: "exit 1", says: []string{"Subsystem sftp"}},
	} {
		h := &sshHosts{private: t.TempDir(), servers: []*testenv.SSHServer{testenv.SSHD(t, atHome(t, testenv.SSHOptions{SFTP: c.sftp}))}}
		h.home = testenv.SSHHome(t, h.servers...)
		err := on(t, h, nil, nil, h.home).Check(t.Context())
		if c.ok {
			if err != nil {
				t.Errorf("%s: %v", label, err)
			}
			continue
		}
		if !errors.Is(err, uploader.ErrTarget) {
			t.Errorf("%s: got %v, want ErrTarget", label, err)
			continue
		}
		for _, text := range c.says {
			if !strings.Contains(err.Error(), text) || strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("%s: %q is not said in %q", label, text, err)
			}
		}
	}
}

func TestAnswersThatAreNotSFTP(t *testing.T) {
	broken := errors.New("broken")
	for text, want := range map[string]string{
		"":                                     "",
		"\x00\x00\x00\x05\x02\x00\x00\x00\x03": "",
		"Welc":                                 `prints "Welc"`,
		"\x1b[1mHi\x1b[0m\r\n":                 `prints "[1mHi [0m"`,
		"\n":                                   `prints ""`,
		"\xff\xfe\x00":                         `prints ""`,
		"\x00\x00\x00\x05\x65":                 `prints ""`,
	} {
		b := newBeginning(strings.NewReader(text))
		_, _ = b.Read(make([]byte, 4))
		err := b.explain(broken)
		var said *chatterError
		if !errors.Is(err, broken) || errors.As(err, &said) != (want != "") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
