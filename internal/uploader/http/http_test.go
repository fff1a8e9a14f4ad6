package http

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

const testToken = "sesame-open"

// httpPlace is a package server, perhaps behind an nginx with TLS that wants a
// token.
type httpPlace struct {
	server    *testenv.PackageServer
	authority *testenv.Authority
	settings  conf.HTTPUpload
	// noFaults leaves out the network: other places have been through that.
	noFaults bool
}

func newHTTPPlace(t *testing.T) uploadertest.Place {
	return httpPlaceOn(t, testenv.PackageServerOptions{Delete: true})
}

func httpPlaceOn(t *testing.T, opts testenv.PackageServerOptions) *httpPlace {
	s := testenv.RunPackageServer(t, opts)
	return &httpPlace{server: s, settings: conf.HTTPUpload{URI: s.Upload, Token: conf.Secret(opts.Token)}}
}

// newOriginalPlace is one like the original's API server, which cannot delete.
func newOriginalPlace(t *testing.T) uploadertest.Place {
	p := httpPlaceOn(t, testenv.PackageServerOptions{})
	p.settings.NoDelete, p.noFaults = true, true
	return p
}

// newNginxPlace is behind a proxy with TLS.
func newNginxPlace(t *testing.T) uploadertest.Place {
	p := httpPlaceOn(t, testenv.PackageServerOptions{Delete: true, Token: testToken})
	p.authority = newAuthority(t)
	nginx := testenv.RunNginx(t, testenv.NginxOptions{
		Authority: p.authority,
		Server:    "client_max_body_size 0;\nlocation / { proxy_pass " + p.server.URL + "; }",
	})
	p.server.Behind(nginx.Addr)
	p.settings.URI = nginx.Addr + "/api/v1/file/upload"
	p.settings.CACert = p.authority.CertFile
	return p
}

func newAuthority(t *testing.T) *testenv.Authority {
	t.Helper()
	a, err := testenv.NewAuthority(t.TempDir(), "authority")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (p *httpPlace) Uploader(t *testing.T) uploader.Uploader { return newHTTP(t, p.settings) }

func (p *httpPlace) PartSize() int { return 0 }

// leavePart: a server throws away what it did not get whole.
func (p *httpPlace) LeavePart(*testing.T, uploader.Source) bool { return false }

func (p *httpPlace) Secrets() []string { return []string{testToken} }

func (p *httpPlace) Faults(t *testing.T) (func(conf.Upload) uploader.Uploader, *testenv.FaultProxy) {
	if p.noFaults {
		return nil, nil
	}
	scheme, _, _ := strings.Cut(p.settings.URI, "://")
	server, path, _ := strings.Cut(strings.TrimPrefix(p.settings.URI, scheme+"://"), "/")
	proxy := testenv.Proxy(t, server)
	p.server.Behind(scheme + "://" + proxy.Addr)
	return func(common conf.Upload) uploader.Uploader {
		common.Kind, common.HTTP = "http", p.settings
		common.HTTP.URI = scheme + "://" + proxy.Addr + "/" + path
		if common.HTTP.ResponseTimeout == 0 {
			common.HTTP.ResponseTimeout = uploadertest.Soon
		}
		u, err := New(common, uploader.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}, proxy
}

func newHTTP(t *testing.T, s conf.HTTPUpload) uploader.Uploader {
	t.Helper()
	if s.ResponseTimeout == 0 {
		s.ResponseTimeout = 30 * time.Second
	}
	return decorated(t, conf.Upload{Kind: "http", HTTP: s}, uploader.Options{})
}

// decorated is an uploader with all layers.
func decorated(t *testing.T, settings conf.Upload, opts uploader.Options) uploader.Uploader {
	t.Helper()
	u, err := New(settings, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return uploader.Decorate(u, settings, opts)
}

func (p *httpPlace) Fetch(t *testing.T, uri string) []byte {
	t.Helper()
	trust, err := loadTrust(p.settings)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}}
	resp, err := client.Get(uri)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("fetch %s: %s, %v", uri, resp.Status, err)
	}
	return data
}

func (p *httpPlace) List(t *testing.T) []string {
	names := p.server.Files()
	slices.Sort(names)
	return names
}

func (p *httpPlace) ReadOnly(t *testing.T) uploader.Uploader {
	return httpPlaceOn(t, testenv.PackageServerOptions{ReadOnly: true}).Uploader(t)
}

func (p *httpPlace) Full(t *testing.T) uploader.Uploader {
	return httpPlaceOn(t, testenv.PackageServerOptions{Dir: uploadertest.SmallDisk(t)}).Uploader(t)
}

func (p *httpPlace) Foreign(*testing.T) []string {
	return []string{
		"", "x", "/etc/x", "//host/x", "ftp://host/x", "http://", "http:///x", "file:x", "file://host/x", "file:///a?b",
		"http://ann:secret@host/x", "http://host/a b", "http://host/a\nb", "http://host/${x}", "http://host/x#y",
		p.settings.URI, strings.TrimSuffix(p.settings.URI, "/api/v1/file/upload"), strings.TrimSuffix(p.settings.URI, "api/v1/file/upload"),
	}
}

func TestConformance(t *testing.T) {
	t.Run("package server", func(t *testing.T) { uploadertest.Run(t, newHTTPPlace) })
	t.Run("like the original", func(t *testing.T) { uploadertest.Run(t, newOriginalPlace) })
	t.Run("nginx", func(t *testing.T) { uploadertest.Run(t, newNginxPlace) })
}
