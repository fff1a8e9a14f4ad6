package conf

import (
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Tunnel says how this program reaches servers that only a bastion reaches, a
// host with an SSH server. The zero value stands for going straight.
type Tunnel struct {
	// System is the part of the program that the tunnel is for, as keys name
	// it: "statemgr" or "scheduler".
	System string
	// Needed switches the tunnel on.
	Needed bool
	// Host is the bastion: user@host:port, with or without ssh:// before it, a
	// host, or a name that ~/.ssh/config explains.
	Host string
	// Options are those of ssh, as on its command line: -i, -p, -o and so on.
	Options string
	// ConnectTimeout bounds one attempt to reach a server without the bastion.
	ConnectTimeout time.Duration
	// Tries is how often that is attempted, RetryInterval the pause between
	// two attempts; with 0 all goes through the bastion.
	Tries         int
	RetryInterval time.Duration
}

// HostKey is the key that names the bastion.
func (t Tunnel) HostKey() string { return tunnelKey(t.System, tunnelHost) }

// OptionsKey is the key that holds options of ssh.
func (t Tunnel) OptionsKey() string { return tunnelKey(t.System, tunnelOptions) }

// noTunnelHost is the original's default for the bastion.
const noTunnelHost = "no.tunnel.host.specified"

const (
	tunnelNeeded  = "is.tunnel.needed"
	tunnelHost    = "tunnel.host"
	tunnelTimeout = "tunnel.connection.timeout.ms"
	tunnelVerify  = "tunnel.verify.count"
	tunnelOptions = "tunnel.ssh.options"

	// The original's code reads the first of these, its files and its
	// documentation have the second.
	tunnelRetries       = "tunnel.connection.retryCount.count"
	tunnelRetriesTold   = "tunnel.connection.retry.count"
	tunnelInterval      = "tunnel.retryCount.interval.ms"
	tunnelIntervalTold  = "tunnel.retry.interval.ms"
	defaultTunnelTries  = 2
	defaultTunnelWait   = time.Second
	defaultTunnelVerify = 10
)

// tunnelKeys exist for the state manager and for the scheduler.
var tunnelKeys = [...]string{
	tunnelNeeded, tunnelHost, tunnelTimeout, tunnelVerify, tunnelOptions,
	tunnelRetries, tunnelRetriesTold, tunnelInterval, tunnelIntervalTold,
}

func tunnelKey(system, key string) string { return "heron." + system + "." + key }

// tunnel reads the keys of one system. They are checked also where the tunnel
// is off, so that switching it on brings no surprise.
func (r *reader) tunnel(system string) Tunnel {
	key := func(k string) string { return tunnelKey(system, k) }
	t := Tunnel{
		System:         system,
		Needed:         r.flag(key(tunnelNeeded), false),
		Host:           strings.TrimSpace(r.text(key(tunnelHost), noTunnelHost)),
		Options:        strings.TrimSpace(r.text(key(tunnelOptions), "")),
		ConnectTimeout: r.span(key(tunnelTimeout), time.Millisecond, defaultTunnelWait),
	}
	bothSpellings(r, key(tunnelRetries), key(tunnelRetriesTold), func(k string) {
		t.Tries = r.countFrom0(k, defaultTunnelTries)
	})
	bothSpellings(r, key(tunnelInterval), key(tunnelIntervalTold), func(k string) {
		t.RetryInterval = r.span(k, time.Millisecond, defaultTunnelWait)
	})
	// A connection through the bastion tells by itself whether it works.
	r.countFrom0(key(tunnelVerify), defaultTunnelVerify)
	if !t.Needed {
		return Tunnel{}
	}
	if t.Host == "" || t.Host == noTunnelHost {
		r.wrong(key(tunnelHost), "is not set, but "+key(tunnelNeeded)+" is", "name the host to go through, as user@host:port or as ~/.ssh/config knows it")
	} else if msg := badBastion(t.Host); msg != "" {
		r.wrong(key(tunnelHost), msg, "write user@host:port, host, or a name of ~/.ssh/config; all else goes into "+key(tunnelOptions))
	}
	return t
}

// bothSpellings reads a key that may be spelt in two ways. Given in both, it
// must say the same.
func bothSpellings(r *reader, first, second string, read func(key string)) {
	a, hasFirst := r.lookup(first)
	b, hasSecond := r.lookup(second)
	if hasFirst && hasSecond && strings.TrimSpace(a.text) != strings.TrimSpace(b.text) {
		r.wrong(second, "is "+b.shown()+", but "+first+", its other spelling, is "+a.shown(), "leave one of them out")
	}
	if hasFirst || !hasSecond {
		read(first)
		return
	}
	read(second)
}

// countFrom0 is a whole number that is not negative.
func (r *reader) countFrom0(key string, fallback int) int {
	n := take(r, fallback)(r.Int(key))
	if n < 0 {
		r.wrong(key, "must not be negative", "")
	}
	return n
}

// badBastion says what is wrong with the name of a bastion, without showing
// it: there may be a password in it.
func badBastion(host string) string {
	host = strings.TrimPrefix(host, "ssh://")
	user, rest, hasUser := "", host, false
	if at := strings.LastIndex(host, "@"); at >= 0 {
		user, rest, hasUser = host[:at], host[at+1:], true
	}
	switch {
	case strings.Contains(host, "://"), strings.Contains(host, "/"):
		return "is not the name of a host"
	case strings.ContainsFunc(host, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }):
		return "holds more than one word"
	case strings.HasPrefix(host, "-"), strings.HasPrefix(rest, "-"):
		return "begins like an option"
	case strings.Contains(user, ":"):
		return "holds a password, which others could read"
	case hasUser && user == "", rest == "":
		return "has an empty part"
	}
	name, port, err := net.SplitHostPort(rest)
	if err != nil {
		if strings.Count(rest, ":") == 1 {
			return "has no port behind the colon"
		}
		return "" // a name alone, or an IPv6 address
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || name == "" {
		return "does not end in a port from 1 to 65535"
	}
	return ""
}
