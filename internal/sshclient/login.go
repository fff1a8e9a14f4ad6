package sshclient

import (
	"context"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/progress"
)

// A login is all that is known about how to get into one host before anything
// is connected.
type login struct {
	alias string // as it was asked for
	user  string
	host  string
	port  string
	// network is that of Go: "tcp", "tcp4" or "tcp6".
	network                    string
	bindAddress, bindInterface string
	// jumps are the hosts on the way, in order, and config the file to read
	// about them instead of the usual ones.
	jumps  []string
	config string

	connectTimeout time.Duration
	aliveEvery     time.Duration
	aliveMax       int

	identities, certificates []keyFile
	// missing are identities of the command line that are not there, and why.
	missing []string
	// onlyIdentities: of the agent's keys only those that are identities too.
	onlyIdentities bool
	agent          string // its socket; "" is none
	// keyAlgorithms are those that our keys may sign with, minRSA is how many
	// bits an RSA key must have.
	keyAlgorithms []string
	minRSA        int

	knownHosts, globalKnownHosts []string
	revokedKeys                  string // a file; "" is none
	// command: KnownHostsCommand, which is not run, is configured.
	command              bool
	hostKeyAlias         string
	keyName              string // the name that the host's key goes by
	acceptNew, hashNames bool
	hostKeyAlgorithms    []string
	caAlgorithms         []string
	ciphers, kex, macs   []string

	progress progress.Sink
}

// address is the host and port to connect to.
func (l *login) address() string { return net.JoinHostPort(l.host, l.port) }

// String says who logs in where.
func (l *login) String() string {
	if l.port == "22" {
		return l.user + "@" + l.host
	}
	return l.user + "@" + l.address()
}

// login reads options and files for a target: one that a caller asks for, or
// a jump host. Without look no names are looked up.
func (o Options) login(ctx context.Context, text string, hop bool, look lookup) (*login, error) {
	parse := parseTarget
	if hop {
		parse = parseHop
	}
	t, err := parse(text)
	if err == nil {
		err = t.plain()
	}
	if err != nil {
		return nil, &InputError{What: "SSH host", Value: text, Reason: err.Error()}
	}
	a, err := parseArgs(o.Args)
	if err != nil {
		return nil, err
	}
	r := o.reader(t.host)
	if err := a.apply(r); err != nil {
		return nil, err
	}
	for key, value := range map[string]string{"user": t.user, "port": t.port} {
		if value != "" {
			r.settings.put(key, []string{value}, fromUser)
		}
	}
	l := &login{alias: t.host, config: a.config, progress: o.Progress}
	if l.host, err = r.resolve(ctx, a.config, look); err != nil {
		return nil, err
	}
	return l, l.fill(r, o)
}

func (o Options) reader(alias string) *reader {
	system := o.system
	if system == "" {
		system = systemFolder
	}
	return &reader{
		keywords: keywords(), settings: newSettings(), alias: alias, host: alias,
		user: o.localUser(), home: o.Home, system: system, getenv: o.getenv, account: homeOf,
	}
}

// resolve reads the files, and once more when the name of the host is settled
// if that is asked for. It returns the name or address to connect to.
func (r *reader) resolve(ctx context.Context, config string, look lookup) (string, error) {
	if err := r.readAll(config); err != nil {
		return "", err
	}
	host := r.alias
	if name := r.settings.get("hostname"); name != "" {
		var err error
		if host, err = expandPercent(name, map[byte]string{'h': r.alias}); err != nil {
			return "", &InputError{What: "SSH option HostName", Value: name, Reason: err.Error()}
		}
	}
	if !isAddress(host) {
		host = lower(host)
	}
	host, err := r.canonicalize(ctx, host, look)
	if err != nil {
		return "", err
	}
	mode := r.settings.get("canonicalizehostname")
	if r.wantFinal || mode != "" && mode != "no" {
		r.final, r.host = true, host
		r.settings.override("hostname", host)
		if err := r.readAll(config); err != nil {
			return "", err
		}
	}
	return host, nil
}

func (o Options) getenv(name string) string {
	if o.Getenv == nil {
		return ""
	}
	return o.Getenv(name)
}

// localUser is the user who runs this, whatever the environment says.
func (o Options) localUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	for _, name := range []string{"USER", "LOGNAME"} {
		if v := o.getenv(name); v != "" {
			return v
		}
	}
	return strconv.Itoa(os.Getuid())
}

// setJumps takes over the jump hosts, their tokens replaced.
func (l *login) setJumps(j *jump) error {
	if j == nil || j.none {
		return nil
	}
	port, user := j.last.port, j.last.user
	if port == "" {
		port = "22"
	}
	if user == "" {
		user = l.user
	}
	if j.last.host == l.host && port == l.port && user == l.user {
		return &InputError{What: "SSH option ProxyJump", Value: strings.Join(j.hosts, ","), Reason: "the host would be its own jump host"}
	}
	tokens := map[byte]string{'h': l.host, 'n': l.alias, 'p': l.port, 'r': l.user}
	l.jumps = slices.Clone(j.hosts)
	for i, host := range l.jumps {
		var t target
		var err error
		if l.jumps[i], err = expandPercent(host, tokens); err == nil {
			if t, err = parseHop(l.jumps[i]); err == nil {
				err = t.plain()
			}
		}
		if err != nil {
			return &InputError{What: "SSH option ProxyJump", Value: strings.Join(j.hosts, ","), Reason: err.Error()}
		}
	}
	return nil
}
