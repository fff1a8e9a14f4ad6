package conf

import (
	"net/url"
	"strconv"
	"strings"
)

// proxyURL reads the address of a proxy: host:port or
// user:password@host:port, with or without a scheme. The password may be
// written as it is, or escaped as in a URL; what comes back is escaped. ok is
// false for what is no such address.
func proxyURL(text string) (address string, ok bool) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "http", text
	}
	switch scheme {
	case "http", "https", "socks5":
	default:
		return "", false
	}
	u := url.URL{Scheme: scheme}
	// A password may have an @ in it, the name of a host has none.
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, password, has := strings.Cut(rest[:at], ":")
		u.User = url.User(unescaped(user))
		if has {
			u.User = url.UserPassword(unescaped(user), unescaped(password))
		}
		rest = rest[at+1:]
	}
	u.Host = strings.TrimSuffix(rest, "/")
	again, err := url.Parse(u.Scheme + "://" + u.Host)
	if err != nil || again.Hostname() == "" || again.Host != u.Host || strings.ContainsAny(u.Host, " \t") {
		return "", false
	}
	if port := again.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "", false
		}
	}
	return u.String(), true
}

// unescaped is a part of a URL as it is meant: text that no URL could have
// was not escaped.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
