package apiserver

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestNomadAddress(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	for _, c := range []struct{ given, want string }{
		{strings.TrimPrefix(up.URL, "http://"), up.URL},
		{up.URL, up.URL},
		{"nomad.example.com:4646", "http://nomad.example.com:4646"},
		{"https://nomad.example.com", "https://nomad.example.com"},
	} {
		if got, note, err := NomadAddress(t.Context(), c.given); got != c.want || note != "" || err != nil {
			t.Errorf("%s: %s, %q, %v; want %s", c.given, got, note, err, c.want)
		}
	}
	if _, _, err := NomadAddress(t.Context(), "ftp://x"); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("ftp: %v", err)
	}
}

// TestNomadAddressOfTheRPC: 127.0.0.x are addresses of this machine alone.
func TestNomadAddressOfTheRPC(t *testing.T) {
	const host = "127.0.83.21"
	_, _, err := NomadAddress(t.Context(), host+":4647")
	if outcome.KindOf(err) != outcome.Unreachable || !strings.Contains(err.Error(), "http://"+host+":4646") {
		t.Errorf("nothing answers: %v", err)
	}
	l, err := net.Listen("tcp", host+":4646")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	got, note, err := NomadAddress(t.Context(), host+":4647")
	if got != "http://"+host+":4646" || !strings.Contains(note, "RPC") || err != nil {
		t.Errorf("%s, %q, %v", got, note, err)
	}
}

// TestOwnAddressIsNotKnown: without a Nomad that says which nodes there are, a
// submission by way of the server itself says what to set.
func TestOwnAddressIsNotKnown(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Base.Properties = append(o.Base.Properties, "heron.class.uploader=http", "heron.nomad.scheduler.uri=http://127.0.0.1:1", "heron.nomad.request.timeout=1s")
	})
	b.want(b.submit("/api/v1/topologies", b.submission()), 422, "--download-hostname", "--public-url", "nodes have to fetch packages")
}

// TestPackagesGoToTheServerItself: with a public address that has a path.
func TestPackagesGoToTheServerItself(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Base.Properties = append(o.Base.Properties, "heron.class.uploader=org.apache.heron.uploader.http.HttpUploader")
		o.PublicURL = "https://proxy.example.com/heron/"
	})
	b.owned = true
	a := b.submit("/heron/api/v1/topologies", b.submission())
	b.want(a, 201)
	if at := a.header.Get("Location"); at != "/heron/api/v1/topologies/nomad/ads/prod/words" {
		t.Errorf("Location %s", at)
	}
	uri := b.Jobs.Jobs["heron.nomad.words"].Meta["heron.package.uri"]
	path, ok := strings.CutPrefix(uri, "https://proxy.example.com/heron")
	if !ok {
		t.Fatalf("package %s", uri)
	}
	b.want(b.send("GET", path, nil), 200)
	b.want(b.send("GET", "/heron"+path, nil), 200)
	b.want(b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil), 200)
	if names := b.stored(); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}
