package sshconfig

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                       nil,
		"  \t\n ":                nil,
		"-i a -q":                {"-i", "a", "-q"},
		`-i 'a b' -o "C=d e"`:    {"-i", "a b", "-o", "C=d e"},
		`a\ b 'c'"d"e ""`:        {"a b", "cde", ""},
		`"a\"b\c" 'it'\''s' \\x`: {`a"b\c`, "it's", `\x`},
	} {
		if got, err := split(line); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%q: got %q, %v; want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`'a`, `"a`, `a\`, `"a\"`} {
		if got, err := split(line); err == nil {
			t.Errorf("%q: got %q", line, got)
		}
	}
	for _, text := range []string{"", "a", "a b", "it's", `"\$x`, "a\nb", "é"} {
		if got, err := split(Quote(text)); err != nil || len(got) != 1 || got[0] != text {
			t.Errorf("%q: quoted %s, read %q, %v", text, Quote(text), got, err)
		}
	}
}

func TestResolve(t *testing.T) {
	type where struct{ User, HostName, Port string }
	me := in("", "").localUser()
	home := homeWith(t, `
Host alias
	HostName %h.example.org
	User = "some body"
	Port 2022
Match originalhost "m*,!mx" user root
	HostName matched
Match host matched
	Port 7
`)
	write(t, home, "other", "Host *\nHostName other\n")
	for _, c := range []struct {
		target, args string
		want         where
	}{
		{"host", "", where{me, "host", "22"}},
		{"me@host", "-p 23", where{"me", "host", "23"}},
		{"host", "-P23 -l me", where{"me", "host", "23"}},
		// Options come first, as with "ssh -l you ssh://me@host:24".
		{"ssh://me@host:24", "-p 23 -l you", where{"you", "host", "23"}},
		{"ssh://me@host:24", "", where{"me", "host", "24"}},
		{"ssh://me@[::1]:24/", "", where{"me", "::1", "24"}},
		{"[::1]", "", where{me, "::1", "22"}},
		{"0:0::1", "", where{me, "::1", "22"}},
		{"127.1", "", where{me, "127.0.0.1", "22"}},
		{"::1", "-qC4p 5", where{me, "::1", "5"}},
		{"HOST", "-p -q", where{me, "host", "22"}},
		{"alias", "", where{"some body", "alias.example.org", "2022"}},
		{"me@alias", "-o Port=1 -o 'HostName x'", where{"me", "x", "1"}},
		{"alias", "-F none", where{me, "alias", "22"}},
		{"alias", "-F ~/.ssh/other", where{me, "other", "22"}},
		{"root@ma", "", where{"root", "matched", "7"}},
		{"root@mx", "-o Hostname=matched", where{"root", "matched", "7"}},
		{"tab", "-o HostName=matched", where{me, "matched", "7"}},
		{"host", "-i /nowhere -i '${NOT_SET}'", where{me, "host", "22"}},
	} {
		h, err := Resolve(t.Context(), c.target, in(home, c.args))
		if err != nil {
			t.Errorf("%s %s: %v", c.target, c.args, err)
		} else if got := (where{h.User, h.HostName, h.Port}); got != c.want {
			t.Errorf("%s %s: got %+v; want %+v", c.target, c.args, got, c.want)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	home := homeWith(t, "")
	for _, c := range []struct{ target, args, names string }{
		{"", "", "host is missing"},
		{"@host", "", "user"},
		{"host:22", "", "port"},
		{"-oProxyCommand=x", "", "dash"},
		{"a b", "", "characters"},
		{"ssh://me:word@host", "", "password"},
		{"ssh://me@host/path", "", "path"},
		{"host", "-Z", "-Z"},
		{"host", "-i", "-i"},
		{"host", "host2", "host2"},
		{"host", "-l 1000", "rate"},
		{"host", "-o Port", "no value"},
		{"host", "-o Nonsense=1", "Nonsense"},
		{"host", "-o Port=", "no value"},
		{"host", "-o Host=x", "configuration files"},
		{"host", "-o 'User=a b'", "more on the line"},
		{"host", "-p 70000", "65535"},
		{"host", "-o Port=x", "65535"},
		{"host", "-i 'a", "quote"},
		{"host", "-o ProxyCommand='nc %h %p'", "ProxyJump"},
		{"host", "-o StrictHostKeyChecking=no", "accept-new"},
		{"host", "-o StrictHostKeyChecking=maybe", "accept-new"},
		{"host", "-o PubkeyAuthentication=no", "only way"},
		{"host", "-o PreferredAuthentications=password", "publickey"},
		{"host", "-o IdentitiesOnly=perhaps", "yes, no"},
		{"host", "-o IdentityFile=%Q", "%Q"},
		{"host", "-o 'IdentityFile=${NOT_SET}'", "NOT_SET"},
		{"host", "-o IdentityAgent=%", "%%"},
		{"host", "-c none", "none"},
		{"host", "-c 3des-cbc,nonsense", "nonsense"},
		{"host", "-m umac-64@openssh.com", "hmac-sha2-256"},
		{"host", "-F /nowhere", "/nowhere"},
		{"host", "-J a,,b", "host is missing"},
		{"host", "-J -x", "dash"},
		{"host", "-J a -J b", "only one"},
		{"host", "-J host", "own jump host"},
		{"host", "-o RefuseConnection=x", "forbids"},
	} {
		var input *InputError
		err := Check(c.target, in(home, c.args))
		if !errors.As(err, &input) || outcome.KindOf(err) != outcome.Usage || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%q %q: got %v, want %q", c.target, c.args, err, c.names)
		}
	}
	for label, config := range map[string]string{
		"config:2": "\nMatch user\n", "config:3": "Host x\n\nPort\n", "config:1": "Port 1 2\n", "config:4": "Host y\n\n\nNonsense 1\n",
		"include each other": "Include config\n", "StrictHostKeyChecking": "StrictHostKeyChecking off\n",
	} {
		home := homeWith(t, config)
		if err := Check("x", in(home, "")); err == nil || !strings.Contains(err.Error(), label) {
			t.Errorf("%q: got %v, want %q", config, err, label)
		}
	}
}

func TestAlgorithmLists(t *testing.T) {
	t.Parallel()
	usual, all := []string{"a1", "b1", "b2"}, []string{"a1", "b1", "b2", "c1", "c2"}
	for list, want := range map[string]string{
		"": "a1 b1 b2", "c1,a1": "c1 a1", "b*": "b1 b2", "^c1": "c1 a1 b1 b2", "-b*": "a1", "+c*": "a1 b1 b2 c1 c2", "x,b2": "b2", "+a1": "a1 b1 b2",
	} {
		if got, err := assemble(list, usual, all); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: got %q, %v; want %s", list, got, err, want)
		}
	}
	for _, list := range []string{"x", "!a1"} {
		if got, err := assemble(list, usual, all); err == nil {
			t.Errorf("%q: got %q", list, got)
		}
	}
}
