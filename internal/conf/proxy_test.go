package conf

import (
	"net/url"
	"strings"
	"testing"
)

func TestProxiesWithAnyPassword(t *testing.T) {
	for text, want := range map[string]struct{ scheme, user, password, host string }{
		"h:3128":                      {"http", "", "", "h:3128"},
		"https://h":                   {"https", "", "", "h"},
		"http://h:3128/":              {"http", "", "", "h:3128"},
		"socks5://u@h:1":              {"socks5", "u", "", "h:1"},
		"u:ses@me@h:3128":             {"http", "u", "ses@me", "h:3128"},
		"http://u:ses@me@h:3128":      {"http", "u", "ses@me", "h:3128"},
		"http://u:ses%40me@h:3128":    {"http", "u", "ses@me", "h:3128"},
		"http://u:100%same@h:3128":    {"http", "u", "100%same", "h:3128"},
		"http://u:se#s/a?m e[]@h:1":   {"http", "u", "se#s/a?m e[]", "h:1"},
		"http://u:s:a:m@h:1":          {"http", "u", "s:a:m", "h:1"},
		"http://u:sésame@[::1]:3128/": {"http", "u", "sésame", "[::1]:3128"},
		"http://dom%5Cu:x@h:1":        {"http", `dom\u`, "x", "h:1"},
	} {
		s, err := resolved(t, with(map[string]string{"uploader.yaml": "heron.class.uploader: s3\nheron.uploader.s3.bucket: b\n" +
			keyS3Proxy + ": '" + text + "'\n"})).Settings()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		u, err := url.Parse(string(s.Upload.S3.Proxy))
		if err != nil {
			t.Errorf("%s becomes no URL: %v", text, err)
			continue
		}
		password, _ := u.User.Password()
		if u.Scheme != want.scheme || u.User.Username() != want.user || password != want.password || u.Host != want.host {
			t.Errorf("%s: %s, %q, %q, %s", text, u.Scheme, u.User.Username(), password, u.Host)
		}
	}
}

func TestAddressesThatAreNoProxies(t *testing.T) {
	for _, text := range []string{"ftp://u:sesame@h:1", "u:sesame@", "u:sesame@h:99999", "u:sesame@h:x", "http://", "u:sesame@h/path", "u:sesame@h h:1"} {
		_, err := resolved(t, with(map[string]string{"uploader.yaml": "heron.class.uploader: s3\nheron.uploader.s3.bucket: b\n" +
			keyS3Proxy + ": '" + text + "'\n"})).Settings()
		wantError(t, text, err)
		if err != nil && (strings.Contains(err.Error(), "sesame") || !strings.Contains(err.Error(), "uploader.yaml:3: "+keyS3Proxy)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
