package proxyurl

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][4]string{
		"h:80":                     {"http", "", "", "h:80"},
		"HTTP://h:80/":             {"http", "", "", "h:80"},
		"https://h":                {"https", "", "", "h"},
		"socks5://h:1080":          {"socks5", "", "", "h:1080"},
		"[::1]:80":                 {"http", "", "", "[::1]:80"},
		"ann@h:80":                 {"http", "ann", "", "h:80"},
		"ann:pass@h:80":            {"http", "ann", "pass", "h:80"},
		"ann:p@ss@h:80":            {"http", "ann", "p@ss", "h:80"},
		"http://ann:p%40ss@h:80":   {"http", "ann", "p@ss", "h:80"},
		"http://ann:p@s/s@h:80":    {"http", "ann", "p@s/s", "h:80"},
		"http://ann:80/s@h:80":     {"http", "ann", "80/s", "h:80"},
		"ann:p#s@h:80":             {"http", "ann", "p#s", "h:80"},
		"ann:80?s@h:80":            {"http", "ann", "80?s", "h:80"},
		"ann:p%s@h:80":             {"http", "ann", "p%s", "h:80"},
		"ann:p s[x]^`\\ü\"<>@h:80": {"http", "ann", "p s[x]^`\\ü\"<>", "h:80"},
		"ann:p://x@h:80":           {"http", "ann", "p://x", "h:80"},
		"https://ann::@[::1]:80":   {"https", "ann", ":", "[::1]:80"},
		"CORP\\ann:p@h":            {"http", "CORP\\ann", "p", "h"},
	} {
		u, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		password, _ := u.User.Password()
		if got := [4]string{u.Scheme, u.User.Username(), password, u.Host}; got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
		// Others read it again.
		if again, err := Parse(u.String()); err != nil || again.String() != u.String() {
			t.Errorf("%q: read again it is %v, %v", text, again, err)
		}
	}
	for _, text := range []string{"", "http://", ":80", "ftp://ann:sesame@h", "ann:sesame@", "ann:sesame@h:x", "ann:sesame@h:1 2", "http://ann:sesame/@", "sesame sesame"} {
		if u, err := Parse(text); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q: %v, %v", text, u, err)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	for _, c := range []struct {
		env       map[string]string
		uri, want string
	}{
		{map[string]string{}, "http://x/", ""},
		{map[string]string{"HTTP_PROXY": "ann:p/s@h:80"}, "http://x/", "http://ann:p%2Fs@h:80"},
		{map[string]string{"http_proxy": "h:80"}, "http://x/", "http://h:80"},
		{map[string]string{"HTTP_PROXY": "h:80"}, "https://x/", ""},
		{map[string]string{"https_proxy": "h:80"}, "https://x/", "http://h:80"},
		{map[string]string{"HTTP_PROXY": "h:80", "no_proxy": "x"}, "http://x/", ""},
		{map[string]string{"HTTP_PROXY": "h:80", "NO_PROXY": "y"}, "http://x/", "http://h:80"},
	} {
		choose, err := FromEnvironment(func(name string) string { return c.env[name] })
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := choose(r)
		got := ""
		if u != nil {
			got = u.String()
		}
		if err != nil || got != c.want {
			t.Errorf("%v: %s goes through %q, %v; want %q", c.env, c.uri, got, err, c.want)
		}
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		_, err := FromEnvironment(func(n string) string { return map[string]string{name: "ftp://ann:sesame@h"}[n] })
		var bad *VariableError
		if !errors.As(err, &bad) || bad.Name != name || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
