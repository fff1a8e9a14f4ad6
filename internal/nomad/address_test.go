package nomad

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
)

// toNomad forwards to the real Nomad of the tests.
func toNomad(t *testing.T) http.Handler {
	t.Helper()
	to, err := url.Parse(realNomad(t))
	if err != nil {
		t.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(to)
}

// useAll makes requests of each kind.
func useAll(t *testing.T, c *Client) {
	t.Helper()
	job := unplaceable(testJob(t, 1))
	if _, err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RegisterNew(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	stored, err := c.Job(t.Context(), *job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if stubs, err := c.TopologyJobs(t.Context(), job.Meta["topology.name"]); err != nil || len(stubs) != 1 {
		t.Errorf("%v, %v", stubs, err)
	}
	if _, err := c.Forecast(t.Context(), job); err != nil {
		t.Error(err)
	}
	if err := c.Stop(t.Context(), stored); err != nil {
		t.Error(err)
	}
}

func TestClientUsesASocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	forward := toNomad(t)
	tokens := make(chan string, 100)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens <- r.Header.Get("X-Nomad-Token")
		r.Header.Del("X-Nomad-Token")
		forward.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	c, err := NewClient(ClientOptions{Address: "unix://" + socket, Token: "of-the-task", RequestTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	useAll(t, c)
	if token := <-tokens; token != "of-the-task" {
		t.Errorf("sent the token %q", token)
	}
}

func TestClientUsesAPathBehindTheAddress(t *testing.T) {
	for _, prefix := range []string{"/nomad", "/a/b%20c/"} {
		plain, err := url.PathUnescape(strings.TrimRight(prefix, "/"))
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.StripPrefix(plain, toNomad(t)))
		defer server.Close()
		useAll(t, newClient(t, server.URL+prefix, patience))
	}
}

func TestClientLogsInToAProxy(t *testing.T) {
	forward := toNomad(t)
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "open sesame" {
			http.Error(w, "who is there?", http.StatusUnauthorized)
			return
		}
		forward.ServeHTTP(w, r)
	})
	c, err := NewClient(ClientOptions{Address: address, User: "ann", Password: "open sesame", RequestTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	useAll(t, c)
	_, err = newClient(t, address, patience).Ping(t.Context())
	if outcome.KindOf(err) != outcome.Denied || strings.Contains(err.Error(), "sesame") {
		t.Errorf("without an account: %v", err)
	}
}

func TestASocketNeedsNoTunnel(t *testing.T) {
	_, err := NewClient(ClientOptions{Address: "unix:///run/nomad.sock", RequestTimeout: time.Second, Dial: (&net.Dialer{}).DialContext})
	if outcome.KindOf(err) != outcome.Usage {
		t.Errorf("got %v, want an error of kind usage", err)
	}
}

func TestOptionsForSettings(t *testing.T) {
	o := OptionsFor(conf.Nomad{
		Address: "http://h:4646", RequestTimeout: time.Second,
		AddressFrom: conf.Source{Kind: conf.EnvironmentSource, Name: "NOMAD_ADDR"},
		Access:      conf.Access{HTTPUser: "ann", HTTPPassword: "sesame"},
	})
	if o.From != "NOMAD_ADDR" || o.User != "ann" || o.Password != "sesame" || o.Address != "http://h:4646" {
		t.Errorf("got %+v", o)
	}
}
