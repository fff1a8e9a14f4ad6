package sshconfig

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// target is what a connection is asked for; user and port may be missing.
type target struct{ user, host, port string }

// jump is the value of a ProxyJump.
type jump struct {
	// none: there is no jump host.
	none bool
	// earlier are the hosts on the way to the last one, as written.
	earlier string
	last    target
	// hosts are all of them, in order, as written.
	hosts []string
}

// parseJump reads a ProxyJump: hosts separated by commas, or none.
func parseJump(text string) (*jump, error) {
	if lower(text) == "none" {
		return &jump{none: true}, nil
	}
	text, _, _ = strings.Cut(text, "#")
	if at := strings.IndexAny(text, blanks+"\f\v"); at > 0 {
		text = text[:at] // what follows a blank does not count in OpenSSH
	}
	j := &jump{hosts: strings.Split(text, ",")}
	for _, host := range j.hosts {
		t, err := parseHop(host)
		if err != nil {
			return nil, err
		}
		j.last = t
	}
	if at := strings.LastIndexByte(text, ','); at >= 0 {
		j.earlier = text[:at]
	}
	return j, nil
}

// parseHop reads a jump host: [user@]host[:port] or an ssh:// address.
func parseHop(text string) (target, error) {
	if strings.HasPrefix(text, "ssh://") {
		return parseURL(text)
	}
	var t target
	var err error
	rest := text
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		t.user, rest = rest[:at], rest[at+1:]
		if t.user == "" {
			return target{}, fmt.Errorf("%s: the user before @ is missing", text)
		}
	}
	if t.host, t.port, err = cutPort(rest); err != nil {
		return target{}, fmt.Errorf("%s: %w", text, err)
	}
	return t, t.check(text)
}

// parseURL reads ssh://[user@]host[:port].
func parseURL(text string) (target, error) {
	var t target
	var err error
	rest := strings.TrimPrefix(text, "ssh://")
	if user, after, ok := strings.Cut(rest, "@"); ok {
		user, _, _ = strings.Cut(user, ";")
		if t.user, err = url.QueryUnescape(user); err != nil || user == "" {
			return target{}, fmt.Errorf("%s must be ssh://user@host:port", text)
		}
		if strings.Contains(t.user, ":") {
			return target{}, errors.New("an ssh:// address with a password is refused: log-in is by key only")
		}
		rest = after
	}
	rest = strings.TrimSuffix(rest, "/")
	if t.host, t.port, err = cutPort(rest); err != nil {
		return target{}, fmt.Errorf("%s: %w", text, err)
	}
	if strings.Contains(rest, "/") {
		return target{}, fmt.Errorf("%s has a path; it must be ssh://user@host:port", text)
	}
	if _, err := domain(t.host); err != nil && t.host != "" && !strings.Contains(t.host, ":") {
		return target{}, err
	}
	return t, t.check(text)
}

func (t *target) check(text string) error {
	if t.host == "" {
		return errors.New("the host is missing")
	}
	if strings.HasPrefix(t.host, "-") || strings.HasPrefix(t.user, "-") {
		return errors.New("a name must not begin with a dash")
	}
	if t.port == "" {
		return nil
	}
	port, err := readPort(t.port)
	if err == nil && port == 0 {
		err = errors.New("0 is not a port")
	}
	t.port = fmt.Sprint(port)
	return err
}

// cutPort separates host and port; a slash does what a colon does, and an
// address in brackets loses these.
func cutPort(text string) (host, port string, err error) {
	if strings.HasPrefix(text, "[") {
		end := strings.IndexByte(text, ']')
		if end < 0 || end+1 < len(text) && text[end+1] != ':' && text[end+1] != '/' {
			return "", "", errors.New("] must end the address, or a port must follow it")
		}
		if end+1 < len(text) {
			port = text[end+2:]
		}
		return text[1:end], port, nil
	}
	if at := strings.IndexAny(text, ":/"); at >= 0 {
		return text[:at], text[at+1:], nil
	}
	return text, "", nil
}

// parseTarget reads what a caller wants to reach: user@host, where the host may
// be an address in brackets, or an ssh:// address.
func parseTarget(text string) (target, error) {
	if strings.HasPrefix(text, "ssh://") {
		return parseURL(text)
	}
	t := target{host: text}
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		if t.user, t.host = text[:at], text[at+1:]; t.user == "" {
			return target{}, errors.New("the user before @ is missing")
		}
	}
	if inner, ok := strings.CutPrefix(t.host, "["); ok {
		if host, port, err := cutPort(t.host); err == nil && port != "" {
			t.host, t.port = host, port
		} else {
			t.host = strings.TrimSuffix(inner, "]")
		}
	}
	if err := t.check(text); err != nil {
		return target{}, err
	}
	if _, err := netip.ParseAddr(t.host); err != nil && strings.Contains(t.host, ":") {
		return target{}, errors.New("it is not a host name; give the port with the option -p, or as ssh://user@host:port")
	}
	return t, nil
}

// plain refuses characters that no name has.
func (t *target) plain() error {
	odd := func(c rune) bool { return c <= ' ' || c == 0x7f }
	if strings.ContainsFunc(t.host, func(c rune) bool { return odd(c) || strings.ContainsRune("/\\'\"`;|&<>", c) }) || strings.ContainsFunc(t.user, odd) {
		return errors.New("it has characters that names of hosts and users do not have")
	}
	return nil
}
