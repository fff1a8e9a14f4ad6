package nomad

import (
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// endpoint is an address of Nomad, taken apart.
type endpoint struct {
	// address is what messages show: the scheme, the host and port, and the
	// path without a slash at its end.
	address string
	// base is the address without the path.
	base string
	// prefix is the path that a proxy expects before Nomad's own, "" for none.
	prefix string
	// socket is the path of a unix socket, "" for all other addresses.
	socket string
}

// CheckAddress says what is wrong with an address of Nomad; the error is of
// kind outcome.Usage and does not show a password. Valid are http and https
// with a host, a port or none and a path or none, and unix with the absolute
// path of a socket. It connects to nothing.
func CheckAddress(address string) error {
	_, err := parseAddress(address)
	return err
}

func parseAddress(address string) (endpoint, error) {
	wrong := func(why string) (endpoint, error) {
		return endpoint{}, outcome.Errorf(outcome.Usage, "Nomad's address %q %s", withoutUser(address), why)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return wrong("is not a URL such as http://127.0.0.1:4646")
	case u.User != nil:
		// It would end up in messages, and in the state that others read.
		return wrong("must not contain a user or a password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return wrong("must not contain a query or a fragment")
	case u.Scheme == "unix" && (u.Host != "" || !path.IsAbs(u.Path) || path.Clean(u.Path) == "/"):
		return wrong("must name a socket by its absolute path, such as unix:///run/nomad.sock")
	case u.Scheme == "unix":
		return endpoint{address: "unix://" + u.EscapedPath(), base: "http://127.0.0.1", socket: u.Path}, nil
	case u.Scheme != "http" && u.Scheme != "https":
		return wrong("must start with http://, https:// or unix://, such as http://127.0.0.1:4646")
	case u.Hostname() == "":
		return wrong("does not name a host")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return wrong("has the port " + port + "; ports are 1 to 65535")
		}
	}
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	base := u.Scheme + "://" + u.Host
	return endpoint{address: base + prefix, base: base, prefix: prefix}, nil
}

// withoutUser is an address without what may be a password, even where it is
// not a valid URL.
func withoutUser(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	} else {
		scheme += "://"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + rest
}
