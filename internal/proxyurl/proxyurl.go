// Package proxyurl reads the addresses of HTTP and SOCKS proxies as people
// write them, passwords with any characters included. It connects to nothing.
package proxyurl

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// Form is what an address may look like, for messages. Those must not show an
// address itself: it may hold a password.
const Form = "use host:port or user:password@host:port, with http://, https:// or socks5:// before it or not"

var errForm = errors.New("is not the address of a proxy: " + Form)

// supported says whether a scheme is one that Go's HTTP client can use.
func supported(scheme string) bool {
	switch scheme {
	case "http", "https", "socks5", "socks5h":
		return true
	}
	return false
}

// schemeForm is what stands before "://".
var schemeForm = lazyregexp.New(`^[A-Za-z][A-Za-z0-9+.-]*$`)

// Parse reads an address. Without a scheme it is http. A user and password may
// be escaped as in a URL; what is no valid URL is taken as it is, and the last
// @ stands before the host. Errors hold nothing of the address.
func Parse(text string) (*url.URL, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found || !schemeForm.MatchString(scheme) {
		scheme, rest = "http", text
	}
	scheme = strings.ToLower(scheme)
	// A proxy has no path, so what follows an @ further behind is the host.
	if u, err := url.Parse(scheme + "://" + rest); err == nil && !strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		return checked(u)
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return nil, errForm
	}
	u, err := url.Parse(scheme + "://" + rest[at+1:])
	if err != nil {
		return nil, errForm
	}
	u.User = url.User(rest[:at])
	if user, password, ok := strings.Cut(rest[:at], ":"); ok {
		u.User = url.UserPassword(user, password)
	}
	return checked(u)
}

func checked(u *url.URL) (*url.URL, error) {
	if u.Hostname() == "" || !supported(u.Scheme) {
		return nil, errForm
	}
	return u, nil
}

// VariableError is a proxy variable of the environment that no proxy can be
// made of.
type VariableError struct {
	// Name is the variable's.
	Name string
}

// Error names the variable and not its value.
func (e *VariableError) Error() string { return e.Name + " " + errForm.Error() }

// FromEnvironment chooses proxies by HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or
// the same in lower case, as http.ProxyFromEnvironment does. That one would
// connect directly where it does not understand an address; here it is a
// *VariableError.
func FromEnvironment(getenv func(string) string) (func(*http.Request) (*url.URL, error), error) {
	var config httpproxy.Config
	for name, field := range map[string]*string{"HTTP_PROXY": &config.HTTPProxy, "HTTPS_PROXY": &config.HTTPSProxy} {
		text := getenv(name)
		if text == "" {
			name = strings.ToLower(name)
			text = getenv(name)
		}
		if text == "" {
			continue
		}
		u, err := Parse(text)
		if err != nil {
			return nil, &VariableError{Name: name}
		}
		*field = u.String()
	}
	if config.NoProxy = getenv("NO_PROXY"); config.NoProxy == "" {
		config.NoProxy = getenv("no_proxy")
	}
	choose := config.ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return choose(r.URL) }, nil
}
