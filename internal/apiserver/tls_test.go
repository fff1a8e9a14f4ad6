package apiserver

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/testenv"
)

// secure is a server with TLS that knows the certificates of an authority.
func secure(t *testing.T, tokens string) (*bench, *testenv.Authority, *x509.CertPool) {
	t.Helper()
	authority, err := testenv.NewAuthority(t.TempDir(), "heron")
	if err != nil {
		t.Fatal(err)
	}
	own, err := authority.Issue("server", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(own.CertFile, own.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(authority.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	b := newBench(t, func(o *Options) {
		path := ""
		if tokens != "" {
			path = t.TempDir() + "/tokens.yaml"
			writeFile(t, path, tokens)
		}
		if o.Auth, err = auth.New(path, true); err != nil {
			t.Fatal(err)
		}
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
	})
	b.url = strings.Replace(b.url, "http:", "https:", 1)
	return b, authority, pool
}

// get asks as a client with a certificate of that name, "" for none.
func (b *bench) get(path, name string, authority *testenv.Authority, pool *x509.CertPool) int {
	b.t.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	if name != "" {
		own, err := authority.Issue(name, "127.0.0.1")
		b.Must(err)
		pair, err := tls.LoadX509KeyPair(own.CertFile, own.KeyFile)
		b.Must(err)
		config.Certificates = []tls.Certificate{pair}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	resp, err := client.Get(b.url + path)
	b.Must(err)
	resp.Body.Close()
	return resp.StatusCode
}

func TestClientCertificates(t *testing.T) {
	b, authority, pool := secure(t, "")
	for name, want := range map[string]int{"": 401, "ann": 200} {
		if got := b.get("/api/v1/version", name, authority, pool); got != want {
			t.Errorf("certificate %q: status %d, want %d", name, got, want)
		}
	}
	// Nodes have none.
	if got := b.get("/api/v1/file/download/x", "", authority, pool); got != 404 {
		t.Errorf("download: status %d", got)
	}
}

func TestClientCertificatesWithTokens(t *testing.T) {
	tokens := fmt.Sprintf("tokens:\n- {name: ann, certificate: ann, verbs: [read], roles: ['*']}\n- {name: ci, sha256: %s, verbs: [read], roles: ['*']}\n", digest("t"))
	b, authority, pool := secure(t, tokens)
	for name, want := range map[string]int{"": 401, "ann": 200, "bob": 401} {
		if got := b.get("/api/v1/version", name, authority, pool); got != want {
			t.Errorf("certificate %q: status %d, want %d", name, got, want)
		}
	}
	if got := b.get("/metrics", "ann", authority, pool); got != 403 {
		t.Errorf("metrics: status %d, want 403", got)
	}
}
