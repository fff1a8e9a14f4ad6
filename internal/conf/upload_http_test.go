package conf

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

// httpSettings loads the minimal files with the HTTP uploader and lines added
// to uploader.yaml.
func httpSettings(t *testing.T, lines string, environ map[string]string) (HTTPUpload, error) {
	t.Helper()
	l := resolved(t, with(map[string]string{"uploader.yaml": "heron.class.uploader: http\n" + lines}))
	l.opts.Getenv = func(name string) string { return environ[name] }
	s, err := l.Settings()
	if err != nil {
		return HTTPUpload{}, err
	}
	return s.Upload.HTTP, nil
}

func TestHTTPUploadSettings(t *testing.T) {
	file := secretFile(t, "sesame\n")
	const uri = "heron.uploader.http.uri: https://h:9000/api/v1/file/upload?keep=1\n"
	plain := HTTPUpload{URI: "https://h:9000/api/v1/file/upload?keep=1", ResponseTimeout: 5 * time.Minute}
	with := func(change func(*HTTPUpload)) HTTPUpload {
		h := plain
		change(&h)
		return h
	}
	for lines, want := range map[string]HTTPUpload{
		"":                             plain,
		keyHTTPTokenFile + ": " + file: with(func(h *HTTPUpload) { h.Token = "sesame" }),
		keyHTTPToken + ": sesame":      with(func(h *HTTPUpload) { h.Token = "sesame" }),
		keyHTTPCACert + ": " + file:    with(func(h *HTTPUpload) { h.CACert = file }),
		keyHTTPClientCert + ": " + file + "\n" + keyHTTPClientKey + ": " + file: with(func(h *HTTPUpload) { h.ClientCert, h.ClientKey = file, file }),
		keyHTTPServerName + ": other":                                           with(func(h *HTTPUpload) { h.ServerName = "other" }),
		keyHTTPSkipVerify + ": 'yes'":                                           with(func(h *HTTPUpload) { h.SkipVerify = true }),
		keyHTTPTimeout + ": 7s":                                                 with(func(h *HTTPUpload) { h.ResponseTimeout = 7 * time.Second }),
		keyHTTPDelete + ": false":                                               with(func(h *HTTPUpload) { h.NoDelete = true }),
		keyHTTPVerify + ": false":                                               with(func(h *HTTPUpload) { h.NoVerify = true }),
	} {
		if got, err := httpSettings(t, uri+lines+"\n", nil); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", lines, got, err, want)
		}
	}
	got, err := httpSettings(t, uri+keyHTTPTokenFile+": "+file+"\n", map[string]string{VarHTTPToken: "from-variable"})
	if err != nil || got.Token != "from-variable" {
		t.Errorf("token of the environment: %q, %v", string(got.Token), err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(shown, "from-variable") {
		t.Errorf("the token is shown: %s", shown)
	}
}

func TestHTTPUploadSettingsAreRefused(t *testing.T) {
	file := secretFile(t, "x")
	unreadable := filepath.Join(filepath.Dir(file), "none")
	const good = "heron.uploader.http.uri: https://h/up\n"
	for lines, key := range map[string]string{
		"":                                                                        keyHTTPURI,
		"heron.uploader.http.uri: h:9000/up":                                      keyHTTPURI,
		"heron.uploader.http.uri: ftp://h/up":                                     keyHTTPURI,
		"heron.uploader.http.uri: http:///up":                                     keyHTTPURI,
		"heron.uploader.http.uri: http://:9000/up":                                keyHTTPURI,
		"heron.uploader.http.uri: http://h/up#part":                               keyHTTPURI,
		"heron.uploader.http.uri: http://h/%zz":                                   keyHTTPURI,
		"heron.uploader.http.uri: http://ann:sesame@h/up":                         keyHTTPURI,
		"heron.uploader.http.uri: http://ann:ses%zzame@h/up":                      keyHTTPURI,
		"heron.uploader.http.uri: http://sesame@h/up":                             keyHTTPURI,
		"heron.uploader.http.uri: http://h/${NOTHING}/up":                         keyHTTPURI,
		good + keyHTTPClientCert + ": " + file:                                    keyHTTPClientCert,
		good + keyHTTPClientKey + ": " + file:                                     keyHTTPClientKey,
		good + keyHTTPCACert + ": " + unreadable:                                  keyHTTPCACert,
		good + keyHTTPCACert + ": relative.pem":                                   keyHTTPCACert,
		good + keyHTTPTokenFile + ": " + unreadable:                               keyHTTPTokenFile,
		good + keyHTTPSkipVerify + ": true\n" + keyHTTPServerName + ": x":         keyHTTPSkipVerify,
		good + keyHTTPTimeout + ": 0s":                                            keyHTTPTimeout,
		"heron.uploader.http.uri: http://h/up\n" + keyHTTPCACert + ": " + file:    keyHTTPCACert,
		"heron.uploader.http.uri: http://h/up\n" + keyHTTPServerName + ": x":      keyHTTPServerName,
		"heron.uploader.http.uri: http://h/up\n" + keyHTTPSkipVerify + ": 'true'": keyHTTPSkipVerify,
		good + keyHTTPToken + ": sesame\n" + keyHTTPTokenFile + ": " + file:       keyHTTPTokenFile,
	} {
		_, err := httpSettings(t, lines+"\n", nil)
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Key != key || wrong.Kind() != outcome.Usage {
			t.Errorf("%s: got %v, want an error at %s", lines, err, key)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
	for _, token := range []string{"ses ame", "ses\name", "sesamé"} {
		if _, err := httpSettings(t, good, map[string]string{VarHTTPToken: token}); err == nil || strings.Contains(err.Error(), "ses") {
			t.Errorf("token %q: %v", token, err)
		}
	}
}
