package nomad

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
)

// leader is a server that says who the leader is.
func leader(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/status/leader" {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	_, _ = w.Write([]byte(`"10.0.0.1:4647"`))
}

// The way is the caller's, names are not looked up here, and no proxy is asked
// to go there.
func TestClientGoesItsOwnWay(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	authority, err := testenv.NewAuthority(t.TempDir(), "authority")
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"http", "https"} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(leader))
		if scheme == "https" {
			pair, err := authority.Issue("server", "nomad.inside")
			if err != nil {
				t.Fatal(err)
			}
			certificate, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
			if err != nil {
				t.Fatal(err)
			}
			server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
			server.StartTLS()
		} else {
			server.Start()
		}
		defer server.Close()
		var dialled atomic.Int32
		c, err := NewClient(ClientOptions{
			Address: scheme + "://nomad.inside:4646", TLS: TLSOptions{CACert: authority.CertFile}, RequestTimeout: time.Minute,
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if dialled.Add(1); addr != "nomad.inside:4646" {
					t.Errorf("asked to go to %s", addr)
				}
				return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 3 {
			if s, err := c.Ping(t.Context()); err != nil || s.Leader != "10.0.0.1:4647" {
				t.Errorf("%s: %+v, %v", scheme, s, err)
			}
		}
		if n := dialled.Load(); n != 1 {
			t.Errorf("%s: %d connections for 6 requests in a row", scheme, n)
		}
	}
}

func TestClientTellsWhyItsWayEnds(t *testing.T) {
	why := errors.New("the bastion is shut")
	c, err := NewClient(ClientOptions{
		Address: "http://nomad.inside:4646", RequestTimeout: time.Minute,
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, why },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Ping(t.Context()); !errors.Is(err, ErrUnreachable) || !errors.Is(err, why) || !strings.Contains(err.Error(), "nomad.inside:4646") {
		t.Error(err)
	}
	if _, err := NewClient(ClientOptions{
		Address: "https://nomad.inside:4646", RequestTimeout: time.Minute, TLS: TLSOptions{CACert: t.TempDir() + "/missing"},
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, why },
	}); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("a missing authority: %v", err)
	}
}
