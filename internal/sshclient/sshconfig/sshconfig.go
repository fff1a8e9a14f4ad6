// Package sshconfig says what OpenSSH's options and configuration files say
// about a host, as "ssh -G" prints it.
//
// It reads options as on a command line, ~/.ssh/config and /etc/ssh/ssh_config
// by OpenSSH's rules, and refuses what OpenSSH refuses. It also refuses what
// package sshclient cannot follow, such as ProxyCommand. It starts no program
// and connects to nothing, except that canonical names are looked up if that is
// configured. Keys and known_hosts it names, but does not read.
package sshconfig

import (
	"context"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// Options say what to read besides the target.
type Options struct {
	// Home is the folder that has .ssh. Getenv reads an environment variable,
	// such as SSH_AUTH_SOCK and those that files name; nil is no environment.
	Home   string
	Getenv func(string) string
	// Args are options as on the command line of ssh or scp, quoted as for a
	// shell: -i FILE, -p PORT, -P PORT, -l USER, -F FILE, -J HOST, -c CIPHERS,
	// -m MACS, -b ADDRESS, -B INTERFACE, -o KEY=VALUE, and those that have no
	// effect here, such as -q.
	Args string
	// System is the folder with the system's files; "" is /etc/ssh.
	System string

	// look asks for names; only tests set it.
	look lookup
}

// Check says whether a target, its jump hosts, options and files can be
// understood. It looks up no names. What it refuses is an *InputError.
func Check(target string, o Options) error {
	h, err := o.read(context.Background(), target, false, nil)
	if err != nil {
		return err
	}
	for _, jump := range h.Jumps {
		if _, err := o.forJump(h).read(context.Background(), jump, true, nil); err != nil {
			return err
		}
	}
	return nil
}

// Resolve reads options and files for a target: "user@host", "host", an alias
// of ~/.ssh/config, or "ssh://user@host:port". Names are looked up only if
// CanonicalizeHostname or CanonicalizePermittedCNAMEs is configured. Errors are
// an *InputError, or a *LookupError for a name that is not found.
func Resolve(ctx context.Context, target string, o Options) (*Host, error) {
	return o.read(ctx, target, false, o.lookup())
}

// ResolveJump is Resolve for one of a host's Jumps. Of the options only -F
// counts: the others are about the host behind.
func ResolveJump(ctx context.Context, h *Host, jump string, o Options) (*Host, error) {
	return o.forJump(h).read(ctx, jump, true, o.lookup())
}

func (o Options) lookup() lookup {
	if o.look != nil {
		return o.look
	}
	return lookUp
}

// forJump are the options for a jump host.
func (o Options) forJump(h *Host) Options {
	o.Args = ""
	if h.config != "" {
		o.Args = "-F " + Quote(h.config)
	}
	return o
}

// read reads options and files for a target: one that a caller asks for, or
// a jump host. Without look no names are looked up.
func (o Options) read(ctx context.Context, text string, hop bool, look lookup) (*Host, error) {
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
	h := &Host{Alias: t.host, config: a.config}
	if h.HostName, err = r.resolve(ctx, a.config, look); err != nil {
		return nil, err
	}
	if err := h.fill(r, o); err != nil {
		return nil, err
	}
	return h, nil
}

func (o Options) reader(alias string) *reader {
	system := o.System
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
func (h *Host) setJumps(j *jump) error {
	if j == nil || j.none {
		return nil
	}
	port, user := j.last.port, j.last.user
	if port == "" {
		port = "22"
	}
	if user == "" {
		user = h.User
	}
	if j.last.host == h.HostName && port == h.Port && user == h.User {
		return &InputError{What: "SSH option ProxyJump", Value: strings.Join(j.hosts, ","), Reason: "the host would be its own jump host"}
	}
	tokens := map[byte]string{'h': h.HostName, 'n': h.Alias, 'p': h.Port, 'r': h.User}
	h.Jumps = slices.Clone(j.hosts)
	for i, host := range h.Jumps {
		var t target
		var err error
		if h.Jumps[i], err = expandPercent(host, tokens); err == nil {
			if t, err = parseHop(h.Jumps[i]); err == nil {
				err = t.plain()
			}
		}
		if err != nil {
			return &InputError{What: "SSH option ProxyJump", Value: strings.Join(j.hosts, ","), Reason: err.Error()}
		}
	}
	return nil
}
