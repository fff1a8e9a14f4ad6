package sshclient

import (
	"net"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// A login is all that is known about how to get into one host before anything
// is connected.
type login struct {
	alias string // as it was asked for
	user  string
	host  string
	port  string
	// network is that of Go: "tcp", or one of its two halves.
	network string
	// jumps are the hosts on the way, in order.
	jumps []string

	connectTimeout time.Duration
	aliveEvery     time.Duration
	aliveMax       int

	identities, certificates []string
	// chosen: the identities are configured, not the usual ones.
	chosen bool
	// onlyIdentities: of the agent's keys only those that are identities too.
	onlyIdentities bool
	agent          string // its socket; "" is none

	knownHosts, globalKnownHosts []string
	keyName                      string // the name that the host's key goes by
	acceptNew, hashNames         bool
	hostKeyAlgorithms            []string
	ciphers, kex, macs           []string
}

// address is the host and port to connect to.
func (l *login) address() string { return net.JoinHostPort(l.host, l.port) }

// String tells whom we log in as where.
func (l *login) String() string {
	if l.port == "22" {
		return l.user + "@" + l.host
	}
	return l.user + "@" + l.address()
}

// target is what a connection is asked for.
type target struct{ user, host, port string }

// parseTarget reads "user@host" or "ssh://user@host:port". A jump host may
// have its port behind a colon without the scheme too.
func parseTarget(text string, jump bool) (target, error) {
	bad := func(reason string) (target, error) {
		return target{}, &InputError{What: "SSH host", Value: text, Reason: reason}
	}
	rest, isURL := strings.CutPrefix(text, "ssh://")
	if isURL {
		rest = strings.TrimSuffix(rest, "/")
	}
	var t target
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		t.user, rest = rest[:at], rest[at+1:]
		if t.user == "" {
			return bad("the user before @ is missing")
		}
		if isURL {
			u, err := url.PathUnescape(t.user)
			if err != nil || strings.Contains(u, ":") {
				return bad("must be ssh://user@host:port, without a password")
			}
			t.user = u
		}
	}
	t.host = rest
	if isURL || jump || strings.HasPrefix(rest, "[") {
		if host, port, err := net.SplitHostPort(rest); err == nil {
			t.host, t.port = host, port
		} else {
			t.host = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
		}
	}
	switch {
	case t.host == "":
		return bad("the host is missing")
	case strings.HasPrefix(t.host, "-") || strings.HasPrefix(t.user, "-"):
		return bad("must not begin with a dash")
	case strings.ContainsFunc(t.host+t.user, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune("/\\'\"`;|&<>", c) }):
		return bad("holds characters that are in no host's or user's name")
	case strings.Contains(t.host, ":") && net.ParseIP(strings.SplitN(t.host, "%", 2)[0]) == nil:
		return bad("is no host name; a port is given by the option -p, or as ssh://user@host:port")
	}
	return t, nil
}

// login reads options and files for a target.
func (o Options) login(text string, jump bool) (*login, error) {
	t, err := parseTarget(text, jump)
	if err != nil {
		return nil, err
	}
	a, err := parseArgs(o.Args)
	if err != nil {
		return nil, err
	}
	asked := values{}
	if t.user != "" {
		asked.put("user", t.user)
	}
	if t.port != "" {
		asked.put("port", t.port)
	}
	for key, all := range a.values {
		for _, value := range all {
			asked.put(key, value)
		}
	}
	r := configReader{alias: t.host, user: asked.get("user"), localUser: o.localUser(), home: o.Home, values: asked}
	if err := r.readAll(a.config); err != nil {
		return nil, err
	}
	l := &login{alias: t.host}
	return l, l.fill(r.values, o)
}

func (o Options) getenv(name string) string {
	if o.Getenv == nil {
		return ""
	}
	return o.Getenv(name)
}

func (o Options) localUser() string {
	for _, name := range []string{"USER", "LOGNAME"} {
		if v := o.getenv(name); v != "" {
			return v
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// fill takes over the values. Those that name hosts come first: the tokens in
// others stand for them.
func (l *login) fill(v values, o Options) error {
	f := filler{v: v, o: o, l: l}
	l.host, l.port, l.user = l.alias, "22", o.localUser()
	if v.get("hostname") != "" {
		l.host = f.expand("hostname", v.get("hostname"))
	}
	if v.get("port") != "" {
		l.port = strconv.Itoa(f.number("port", 1, 65535))
	}
	if v.get("user") != "" {
		l.user = v.get("user")
	}
	l.network = f.network()
	l.jumps = f.jumps()
	l.keyName = strings.ToLower(net.JoinHostPort(l.host, l.port))
	if alias := v.get("hostkeyalias"); alias != "" {
		l.keyName = net.JoinHostPort(strings.ToLower(f.expand("hostkeyalias", alias)), "22")
	}
	l.connectTimeout, l.aliveEvery, l.aliveMax = DefaultConnectTimeout, 15*time.Second, 3
	if v.get("connecttimeout") != "" && v.get("connecttimeout") != "none" {
		l.connectTimeout = time.Duration(f.number("connecttimeout", 1, 1<<20)) * time.Second
	}
	if v.get("serveraliveinterval") != "" {
		l.aliveEvery = time.Duration(f.number("serveraliveinterval", 0, 1<<20)) * time.Second
	}
	if v.get("serveralivecountmax") != "" {
		l.aliveMax = f.number("serveralivecountmax", 1, 1<<20)
	}
	f.logInFiles()
	f.hostKeys()
	f.algorithms()
	return f.err
}
