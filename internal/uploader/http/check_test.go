package http

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		status int
		allow  string
		want   error
	}{
		{200, "", nil}, {200, "POST,OPTIONS", nil}, {204, "GET, post", nil}, {405, "", nil}, {405, "POST", nil},
		{404, "GET", nil}, {501, "", nil}, {400, "", nil}, {500, "", nil}, {302, "", nil},
		{200, "GET, HEAD", uploader.ErrTarget}, {405, "GET", uploader.ErrTarget},
		{401, "", uploader.ErrDenied}, {403, "", uploader.ErrDenied}, {407, "", uploader.ErrDenied},
		{502, "", uploader.ErrUnreachable}, {503, "", uploader.ErrUnreachable}, {504, "", uploader.ErrUnreachable},
	} {
		uri := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodOptions || r.Header.Get("Authorization") != "Bearer "+testToken {
				t.Errorf("asked %s with %q", r.Method, r.Header.Get("Authorization"))
			}
			if c.allow != "" {
				w.Header().Set("Allow", c.allow)
			}
			w.WriteHeader(c.status)
		})
		err := newHTTP(t, conf.HTTPUpload{URI: uri + "/up?key=sesame", Token: testToken}).Check(context.Background())
		if c.want == nil && err != nil || !errors.Is(err, c.want) {
			t.Errorf("%d %q: got %v, want %v", c.status, c.allow, err, c.want)
		}
		wantNoSecret(t, err)
	}
}

func TestTLS(t *testing.T) {
	ctx := context.Background()
	known, other := newAuthority(t), newAuthority(t)
	pair, err := known.Issue("client")
	if err != nil {
		t.Fatal(err)
	}
	s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Authority: known, ClientCert: true, Delete: true})
	plain := testenv.RunPackageServer(t, testenv.PackageServerOptions{})
	strict := testenv.RunNginx(t, testenv.NginxOptions{Authority: known, Server: "ssl_client_certificate " + known.CertFile + ";\nssl_verify_client on;\nlocation / { return 204; }"})
	both := conf.HTTPUpload{URI: s.Upload, CACert: known.CertFile, ClientCert: pair.CertFile, ClientKey: pair.KeyFile}
	with := func(change func(*conf.HTTPUpload)) conf.HTTPUpload {
		h := both
		change(&h)
		return h
	}
	for name, c := range map[string]struct {
		settings conf.HTTPUpload
		want     error
		says     string
	}{
		"both certificates":      {both, nil, ""},
		"any certificate":        {with(func(h *conf.HTTPUpload) { h.CACert, h.SkipVerify = "", true }), nil, ""},
		"an unknown authority":   {with(func(h *conf.HTTPUpload) { h.CACert = other.CertFile }), uploader.ErrTarget, "heron.uploader.http.tls.ca.cert"},
		"the system's":           {with(func(h *conf.HTTPUpload) { h.CACert = "" }), uploader.ErrTarget, "heron.uploader.http.tls.ca.cert"},
		"another name":           {with(func(h *conf.HTTPUpload) { h.ServerName = "packages.test" }), uploader.ErrTarget, "heron.uploader.http.tls.server.name"},
		"no client certificate":  {with(func(h *conf.HTTPUpload) { h.ClientCert, h.ClientKey = "", "" }), uploader.ErrDenied, "403"},
		"a server without TLS":   {with(func(h *conf.HTTPUpload) { h.URI = strings.Replace(plain.Upload, "http:", "https:", 1) }), uploader.ErrTarget, "does not speak TLS"},
		"http to one with TLS":   {conf.HTTPUpload{URI: strings.Replace(s.Upload, "https:", "http:", 1)}, uploader.ErrTarget, "400"},
		"nginx wants to see one": {conf.HTTPUpload{URI: strict.Addr, CACert: known.CertFile}, uploader.ErrTarget, "400"},
	} {
		u := newHTTP(t, c.settings)
		src, _ := uploadertest.Source("a", uploadertest.BigSize)
		_, err := u.Upload(ctx, src)
		if c.want == nil && err != nil || !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %v with %q", name, err, c.want, c.says)
		}
		// What is ambiguous is left to the upload.
		if err := u.Check(ctx); (err == nil) != (c.want == nil || c.says == "400") {
			t.Errorf("%s: check: %v", name, err)
		}
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("sesame"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := uploader.Options{Getenv: func(name string) string { return map[string]string{"https_proxy": "http://ann:ses ame@%zz:1"}[name] }}
	for name, c := range map[string]struct {
		settings conf.HTTPUpload
		env      uploader.Options
	}{
		"no URI":         {conf.HTTPUpload{}, uploader.Options{}},
		"a scheme":       {conf.HTTPUpload{URI: "ftp://h/"}, uploader.Options{}},
		"a password":     {conf.HTTPUpload{URI: "http://ann:sesame@h/"}, uploader.Options{}},
		"an authority":   {conf.HTTPUpload{URI: "https://h/", CACert: garbage}, uploader.Options{}},
		"no authority":   {conf.HTTPUpload{URI: "https://h/", CACert: garbage + "x"}, uploader.Options{}},
		"a certificate":  {conf.HTTPUpload{URI: "https://h/", ClientCert: garbage, ClientKey: garbage}, uploader.Options{}},
		"a broken proxy": {conf.HTTPUpload{URI: "https://h/"}, env},
	} {
		var input *uploader.ConfigError
		u, err := New(conf.Upload{Kind: "http", HTTP: c.settings}, c.env)
		if !errors.As(err, &input) || input.Kind() != outcome.Usage || u != nil {
			t.Errorf("%s: got %v, want a *ConfigError", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "ses ame")) {
			t.Errorf("%s: a secret is shown: %v", name, err)
		}
	}
}

func TestGoesThroughTheProxyOfTheEnvironment(t *testing.T) {
	ctx := context.Background()
	s := testenv.RunPackageServer(t, testenv.PackageServerOptions{Delete: true})
	s.Behind("http://packages.test")
	// What a URL would escape stands there as it is.
	const password = "sesame@/#?%&ü:"
	settings := conf.Upload{Kind: "http", HTTP: conf.HTTPUpload{URI: "http://packages.test/api/v1/file/upload", ResponseTimeout: uploadertest.Soon}}
	for variable, want := range map[string]error{"HTTP_PROXY": nil, "http_proxy": nil, "HTTPS_PROXY": uploader.ErrUnreachable} {
		u := decorated(t, settings, uploader.Options{Getenv: func(name string) string {
			if name == variable {
				return strings.Replace(s.URL, "http://", "http://ann:"+password+"@", 1)
			}
			return ""
		}})
		src, _ := uploadertest.Source("a", uploadertest.BigSize)
		where, err := u.Upload(ctx, src)
		if want == nil && err != nil || !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", variable, err, want)
		}
		wantNoSecret(t, err)
		if err == nil {
			uploadertest.DeleteTwice(t, u, where.URI)
		}
		for _, r := range s.Requests() {
			asked := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
			if user, got, ok := asked.BasicAuth(); !ok || user != "ann" || got != password {
				t.Errorf("%s: the proxy was told %q and %q", variable, user, got)
			}
		}
	}
}
