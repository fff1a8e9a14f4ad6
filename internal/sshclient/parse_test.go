package sshclient

import (
	"errors"
	"os"
	"path/filepath"
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
		if got, err := split(quote(text)); err != nil || len(got) != 1 || got[0] != text {
			t.Errorf("%q: quoted %s, read %q, %v", text, quote(text), got, err)
		}
	}
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

func TestResolve(t *testing.T) {
	home := homeWith(t, `
Host alias
	HostName %h.example.org
	User = "some body"
	Port 2022
Match originalhost "m*,!mx" user root
	HostName matched
Match host matched
	Port 7
Match originalhost runs !localuser root exec "touch /nowhere"
	Port 1
`)
	write(t, home, "other", "Host *\nHostName other\n")
	for _, c := range []struct {
		target, args string
		want         Where
	}{
		{"host", "", Where{"nobody", "host", "22"}},
		{"me@host", "-p 23", Where{"me", "host", "23"}},
		{"host", "-P23 -l me", Where{"me", "host", "23"}},
		{"ssh://me@host:24", "-p 23 -l you", Where{"me", "host", "24"}},
		{"ssh://me@[::1]:24/", "", Where{"me", "::1", "24"}},
		{"[::1]", "", Where{"nobody", "::1", "22"}},
		{"::1", "-qC4p 5", Where{"nobody", "::1", "5"}},
		{"host", "-p -q", Where{"nobody", "host", "22"}},
		{"alias", "", Where{"some body", "alias.example.org", "2022"}},
		{"me@alias", "-o Port=1 -o 'HostName x'", Where{"me", "x", "1"}},
		{"alias", "-F none", Where{"nobody", "alias", "22"}},
		{"alias", "-F ~/.ssh/other", Where{"nobody", "other", "22"}},
		{"root@ma", "", Where{"root", "matched", "7"}},
		{"root@mx", "-o Hostname=matched", Where{"root", "matched", "7"}},
		{"tab", "-o HostName=matched", Where{"nobody", "matched", "7"}},
		{"ax", "-o HostName=matched", Where{"nobody", "matched", "7"}},
	} {
		if got, err := Resolve(c.target, in(home, c.args)); err != nil || got != c.want {
			t.Errorf("%s %s: got %+v, %v; want %+v", c.target, c.args, got, err, c.want)
		}
	}
	// A Match line that cannot be evaluated is an error where it matters.
	_, err := Resolve("runs", in(home, ""))
	if err == nil || !strings.Contains(err.Error(), "config:10") || !strings.Contains(err.Error(), "exec") {
		t.Errorf("Match exec: %v", err)
	}

	home = homeWith(t, "Host\ttab\t\"quoted\"\n\tHostName tabbed\nHost a? !ab\n HostName single\nHost block\nInclude inner\n  User block\nHost after\n  User after\n")
	write(t, home, "inner", "Port 99\nHost after\n  Port 98\nHost block\n  HostName inner\n")
	for target, want := range map[string]Where{
		"tab":    {"nobody", "tabbed", "22"},
		"quoted": {"nobody", "tabbed", "22"},
		"ac":     {"nobody", "single", "22"},
		"ab":     {"nobody", "ab", "22"},
		"block":  {"block", "inner", "99"},
		"after":  {"after", "after", "22"},
	} {
		if got, err := Resolve(target, in(home, "")); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", target, got, err, want)
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
		{"host", "-Z", "-Z"},
		{"host", "-i", "-i"},
		{"host", "host2", "host2"},
		{"host", "-l 1000", "rate"},
		{"host", "-o Port", "Key=Value"},
		{"host", "-o Nonsense=1", "Nonsense"},
		{"host", "-o Port=", "missing"},
		{"host", "-p 70000", "65535"},
		{"host", "-o Port=x", "65535"},
		{"host", "-i 'a", "quote"},
		{"host", "-o ProxyCommand='nc %h %p'", "ProxyJump"},
		{"host", "-o StrictHostKeyChecking=no", "accept-new"},
		{"host", "-o StrictHostKeyChecking=maybe", "accept-new"},
		{"host", "-o RevokedHostKeys=/x", "@revoked"},
		{"host", "-o IdentitiesOnly=perhaps", "yes or no"},
		{"host", "-i '%Q'", "%Q"},
		{"host", "-i '${NOT_SET}'", "NOT_SET"},
		{"host", "-c none", "aes128-gcm@openssh.com"},
		{"host", "-F /nowhere", "/nowhere"},
		{"host", "-J a,,b", "host is missing"},
		{"host", "-J -x", "dash"},
	} {
		var input *InputError
		err := Check(c.target, in(home, c.args))
		if !errors.As(err, &input) || input.Kind() != outcome.Usage || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%q %q: got %v, want %q", c.target, c.args, err, c.names)
		}
	}
	for label, config := range map[string]string{
		"config:1": "Match exec true\n", "config:2": "\nMatch user\n", "config:3": "Host x\n\nPort\n",
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
	usual := []string{"a1", "b1", "b2", "c1"}
	for list, want := range map[string]string{"": "a1 b1 b2 c1", "c1,a1": "c1 a1", "b*": "b1 b2", "^c1": "c1 a1 b1 b2", "-b*": "a1 c1", "+a1": "b1 b2 c1 a1", "x,b2": "b2"} {
		f := filler{v: values{}, l: &login{}}
		if list != "" {
			f.v.put("ciphers", list)
		}
		if got := strings.Join(f.choose("ciphers", usual), " "); got != want || f.err != nil {
			t.Errorf("%q: got %s, %v; want %s", list, got, f.err, want)
		}
	}
}
