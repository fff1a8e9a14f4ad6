package sshconfig

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
)

// port is where a target leads by a configuration file.
func port(t *testing.T, target, config string) (string, error) {
	t.Helper()
	h, err := Resolve(t.Context(), target, in(homeWith(t, config), ""))
	if err != nil {
		return "", err
	}
	return h.Port, nil
}

// Each of these files sets the port that stands before it for "user@host".
func TestMatchLines(t *testing.T) {
	t.Parallel()
	var local string
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range interfaces {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			local = n.IP.String()
		}
	}
	for _, c := range []struct{ port, config string }{
		{"7", "Match final all\nPort 7\n"}, // Fedora and RHEL have this line
		{"22", "Match canonical all\nPort 7\n"},
		{"7", "CanonicalizeHostname yes\nMatch canonical all\nPort 7\n"},
		{"8", "Match final all\nPort 7\nMatch all\nPort 8\n"},
		{"7", "Match host other final\nPort 7\nHost host\nHostName other\n"},
		// In the final pass Host lines see the new name.
		{"7", "Host host\nHostName other\nHost other\nPort 7\nMatch final\n"},
		{"22", "Host host\nHostName other\nHost other\nPort 7\n"},
		{"7", "Tag home\nMatch tagged ho*\nPort 7\n"},
		{"22", "Match tagged home\nPort 7\n"},
		{"7", "Match !tagged home\nPort 7\n"},
		{"7", "Match tagged \"\"\nPort 7\n"},
		{"7", fmt.Sprintf("Match localnetwork 203.0.113.0/24,%s/32\nPort 7\n", local)},
		{"22", "Match localnetwork 203.0.113.0/24\nPort 7\n"},
		{"22", "Match version OpenSSH_*\nPort 7\n"},
		{"22", "Match sessiontype exec\nPort 7\n"},
		{"22", "Match command uptime\nPort 7\n"},
		{"7", "Match !host x,y user=user originalhost = \"h*\"\nPort 7\n"},
		// A program would have to be started, but its answer makes no
		// difference.
		{"22", "Match host other exec \"touch /nowhere\"\nPort 7\n"},
		{"22", "Match exec \"gpg-connect-agent updatestartuptty /bye\"\nMatch host other\nPort 7\n"},
		{"7", "Port 7\nMatch exec false\nPort 8\nLogLevel quiet\n"},
		{"22", "Host other\nInclude inner\n"},
	} {
		if got, err := port(t, "user@host", c.config); err != nil || got != c.port {
			t.Errorf("%q: got port %s, %v; want %s", c.config, got, err, c.port)
		}
	}
	for config, want := range map[string]string{
		"\nMatch exec true\nPort 7\n":                        "config:2\": Match exec would start a program",
		"Match exec true\nIdentityFile x\n":                  "config:1\": Match exec",
		"Match exec true\nProxyJump x\n":                     "Match exec",
		"Match nonsense x\n":                                 "nonsense",
		"Match final all x\n":                                "alone",
		"Match localnetwork x\n":                             "10.0.0.0/8",
		"Match\n":                                            "no value",
		"Match # nothing\n":                                  "criterion is missing",
		"Host other\nUser \"x\n":                             "config:2",
		"HostName %x\n":                                      "%x",
		"Host x\nProxyJump a,,b\nHost host\nPort 7\n":        "host is missing",
		"Host x\nMatch host y nonsense z\n":                  "nonsense",
		"Include ~nobody-of-this-name/x\nIgnoreUnknown x\nx": "no value",
	} {
		_, err := port(t, "user@host", config)
		var input *InputError
		if !errors.As(err, &input) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", config, err, want)
		}
	}
}

func TestIncludedFiles(t *testing.T) {
	t.Parallel()
	home := homeWith(t, "Include \"A/*\" B\nInclude tail")
	if err := os.Mkdir(filepath.Join(home, ".ssh", "A"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, home, "A/2", "Host c\n  Port 2\nHost *\n  User two\n")
	write(t, home, "A/1", "Host c\n  Port 1\nHost a*\n  Port 11\n")
	write(t, home, "A/.3", "Port 3\n")
	write(t, home, "B", "Host b\n  Port 12\n")
	write(t, home, "tail", "Port 13\nMatch exec false\n")
	for target, want := range map[string]string{"a": "11", "b": "12", "c": "1", "d": "13"} {
		where, err := Resolve(t.Context(), target, in(home, ""))
		if err != nil || where.Port != want || where.User != "two" {
			t.Errorf("%s: got %+v, %v; want %s", target, where, err, want)
		}
	}
	// What an included file says in a block of unknown worth is unknown too.
	write(t, home, "tail", "Match exec false\nInclude inner\n")
	write(t, home, "inner", "Host d\n  Port 14\n")
	if _, err := Resolve(t.Context(), "e", in(home, "")); err != nil {
		t.Error(err)
	}
	if _, err := Resolve(t.Context(), "d", in(home, "")); err == nil || !strings.Contains(err.Error(), "tail:1") {
		t.Errorf("got %v", err)
	}
	// A file that others can write is refused, the user's own and any that it
	// includes.
	for _, name := range []string{"B", "config"} {
		file := filepath.Join(home, ".ssh", name)
		if err := os.Chmod(file, 0o622); err != nil {
			t.Fatal(err)
		}
		if _, err := Resolve(t.Context(), "a", in(home, "")); err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "chmod go-w") {
			t.Errorf("%s: got %v", name, err)
		}
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSystemFile(t *testing.T) {
	t.Parallel()
	home := homeWith(t, "Port 1\n")
	o := in(home, "")
	for name, text := range map[string]string{"ssh_config": "Include ssh_config.d/*.conf\nUser last\n", "ssh_config.d/50-redhat.conf": "Match final all\n\tInclude crypto\n\tUser redhat\nPort 9\n", "crypto": "Ciphers aes256-gcm@openssh.com\n"} {
		file := filepath.Join(o.System, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Resolve(t.Context(), "host", o)
	if err != nil || l.Port != "1" || l.User != "last" || len(l.Ciphers) != 1 {
		t.Errorf("got %+v, %v", l, err)
	}
	// The system's files must not name those of a home.
	if err := os.WriteFile(filepath.Join(o.System, "ssh_config"), []byte("Include ~/x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Check("host", o); err == nil || !strings.Contains(err.Error(), "ssh_config:1") {
		t.Errorf("got %v", err)
	}
}

func TestNamesThatAreNotFound(t *testing.T) {
	t.Parallel()
	o := in(homeWith(t, "CanonicalizeHostname yes\nCanonicalDomains nowhere.invalid\nCanonicalizeFallbackLocal no\n"), "")
	if err := Check("host", o); err != nil {
		t.Errorf("Check looks names up: %v", err)
	}
	var failed *LookupError
	if _, err := Resolve(t.Context(), "host", o); !errors.As(err, &failed) || failed.Host != "host" || outcome.KindOf(err) != outcome.Unreachable {
		t.Errorf("got %v", err)
	}
}
