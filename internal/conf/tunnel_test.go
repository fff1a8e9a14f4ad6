package conf

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tunnelSettings loads the minimal files with lines about tunnels.
func tunnelSettings(t *testing.T, lines string) (*Settings, error) {
	t.Helper()
	l := resolved(t, with(map[string]string{"client.yaml": lines}))
	if err := l.Check(); err != nil && !strings.Contains(err.Error(), "heron_internals") {
		return nil, err
	}
	return l.Settings()
}

func TestTunnels(t *testing.T) {
	const on = "heron.SYS.is.tunnel.needed: true\nheron.SYS.tunnel.host: ann@bastion:2222\n"
	base := Tunnel{Needed: true, Host: "ann@bastion:2222", ConnectTimeout: time.Second, Tries: 2, RetryInterval: time.Second}
	changed := func(change func(*Tunnel)) Tunnel {
		c := base
		change(&c)
		return c
	}
	for what, c := range map[string]struct {
		lines string
		want  Tunnel
	}{
		"off":                     {"", Tunnel{}},
		"off, with a host":        {"heron.SYS.tunnel.host: bastion\n", Tunnel{}},
		"the original's defaults": {on, base},
		"as text":                 {strings.Replace(on, "true", `"True"`, 1), base},
		"a name of ssh's": {strings.Replace(on, "ann@bastion:2222", "jump", 1),
			changed(func(c *Tunnel) { c.Host = "jump" })},
		"an address": {strings.Replace(on, "ann@bastion:2222", `"ann@[fe80::1]:22"`, 1),
			changed(func(c *Tunnel) { c.Host = "ann@[fe80::1]:22" })},
		"options of ssh": {on + "heron.SYS.tunnel.ssh.options: -i /keys/id -o StrictHostKeyChecking=yes\n",
			changed(func(c *Tunnel) { c.Options = "-i /keys/id -o StrictHostKeyChecking=yes" })},
		"the code's spelling": {on + "heron.SYS.tunnel.connection.timeout.ms: 300\nheron.SYS.tunnel.connection.retryCount.count: 5\nheron.SYS.tunnel.retryCount.interval.ms: 20\nheron.SYS.tunnel.verify.count: 3\n",
			changed(func(c *Tunnel) {
				c.ConnectTimeout, c.Tries, c.RetryInterval = 300*time.Millisecond, 5, 20*time.Millisecond
			})},
		"the documentation's spelling": {on + "heron.SYS.tunnel.connection.retry.count: 0\nheron.SYS.tunnel.retry.interval.ms: 2s\n",
			changed(func(c *Tunnel) { c.Tries, c.RetryInterval = 0, 2*time.Second })},
		"both, the same": {on + "heron.SYS.tunnel.connection.retry.count: 7\nheron.SYS.tunnel.connection.retryCount.count: \"7\"\n",
			changed(func(c *Tunnel) { c.Tries = 7 })},
	} {
		for _, system := range []string{"statemgr", "scheduler"} {
			s, err := tunnelSettings(t, strings.ReplaceAll(c.lines, "SYS", system))
			if err != nil {
				t.Errorf("%s of %s: %v", what, system, err)
				continue
			}
			got, other := s.State.Tunnel, s.Nomad.Tunnel
			if system == "scheduler" {
				got, other = other, got
			}
			if c.want.Needed {
				c.want.System = system
			}
			if diff := cmp.Diff(c.want, got); diff != "" || other.Needed {
				t.Errorf("%s of %s, the other is %+v: %s", what, system, other, diff)
			}
		}
	}
}

func TestTunnelsThatCannotWorkAreRefused(t *testing.T) {
	const on = "heron.SYS.is.tunnel.needed: true\nheron.SYS.tunnel.host: bastion\n"
	host := func(text string) string {
		return "heron.SYS.is.tunnel.needed: true\nheron.SYS.tunnel.host: " + text + "\n"
	}
	for lines, want := range map[string]string{
		"heron.SYS.is.tunnel.needed: true\n":                      "heron.SYS.tunnel.host: is not set, but heron.SYS.is.tunnel.needed is",
		"heron.SYS.is.tunnel.needed: maybe\n":                     "heron.SYS.is.tunnel.needed: \"maybe\" is not a boolean",
		host("no.tunnel.host.specified"):                          "is not set, but",
		host(`""`):                                                "is not set, but",
		host("two words"):                                         "holds more than one word",
		host("-oProxyCommand=x"):                                  "begins like an option",
		host("ann@-oProxyCommand=x"):                              "begins like an option",
		host("ann:sesame@bastion"):                                "holds a password",
		host("http://bastion"):                                    "is not the name of a host",
		host(`"@bastion"`):                                        "has an empty part",
		host(`"ann@"`):                                            "has an empty part",
		host("bastion:ssh"):                                       "does not end in a port",
		host("bastion:70000"):                                     "does not end in a port",
		on + "heron.SYS.tunnel.connection.timeout.ms: 0\n":        "heron.SYS.tunnel.connection.timeout.ms: must be above zero",
		on + "heron.SYS.tunnel.connection.retryCount.count: -1\n": "heron.SYS.tunnel.connection.retryCount.count: must not be negative",
		on + "heron.SYS.tunnel.connection.retry.count: many\n":    "heron.SYS.tunnel.connection.retry.count: \"many\" is not a whole number",
		on + "heron.SYS.tunnel.retryCount.interval.ms: 0\n":       "heron.SYS.tunnel.retryCount.interval.ms: must be above zero",
		on + "heron.SYS.tunnel.verify.count: -1\n":                "heron.SYS.tunnel.verify.count: must not be negative",
		on + "heron.SYS.tunnel.hots: bastion\n":                   "unknown key; did you mean heron.SYS.tunnel.host?",
		on + "heron.SYS.tunnel.retry.interval.ms: 1\nheron.SYS.tunnel.retryCount.interval.ms: 2\n": "heron.SYS.tunnel.retry.interval.ms: is \"1\", but heron.SYS.tunnel.retryCount.interval.ms, its other spelling, is \"2\"",
		// Also where the tunnel is off.
		"heron.SYS.tunnel.connection.timeout.ms: soon\n": "\"soon\" is not a span of time",
	} {
		for _, system := range []string{"statemgr", "scheduler"} {
			_, err := tunnelSettings(t, strings.ReplaceAll(lines, "SYS", system))
			wantError(t, lines, err)
			if err != nil && (!strings.Contains(err.Error(), strings.ReplaceAll(want, "SYS", system)) || strings.Contains(err.Error(), "sesame")) {
				t.Errorf("%s: %v\nwant %q in it", lines, err, want)
			}
		}
	}
}

// Who submits from another network submits the same.
func TestTunnelsAreNoPartOfWhatIsDeployed(t *testing.T) {
	encoded := func(lines string) string {
		s, err := tunnelSettings(t, lines)
		if err != nil {
			t.Fatal(err)
		}
		s.Executor.LocalConf, s.Nomad.Script, s.Core, s.Upload = "", "", Core{}, Upload{}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const both = "heron.statemgr.is.tunnel.needed: true\nheron.statemgr.tunnel.host: bastion\nheron.scheduler.is.tunnel.needed: true\nheron.scheduler.tunnel.host: bastion\n"
	if without, with := encoded(""), encoded(both); without != with {
		t.Errorf("without tunnels:\n%s\nwith:\n%s", without, with)
	}
}
