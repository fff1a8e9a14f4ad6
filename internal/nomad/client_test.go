package nomad

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestNewClientRefusesBadAddresses(t *testing.T) {
	for _, address := range []string{
		"", "127.0.0.1:4646", "nomad", "ftp://nomad:4646", "http://", "http://:4646",
		"http://nomad:4646?region=x", "http://nomad:4646/nomad?", "http://nomad:4646#x", "http://nomad:0", "http://nomad:70000",
		"http://nomad:port", "http://user:secret@nomad:4646", "http://user:secret%@nomad:4646", "user:secret@nomad:4646", "http://no mad",
		"unix://", "unix:///", "unix://run/nomad.sock", "unix:run/nomad.sock",
	} {
		t.Run(address, func(t *testing.T) {
			_, err := NewClient(ClientOptions{Address: address, RequestTimeout: time.Second})
			if early := CheckAddress(address); early == nil || early.Error() != err.Error() {
				t.Errorf("checked early: %v, later: %v", early, err)
			}
			if outcome.KindOf(err) != outcome.Usage {
				t.Fatalf("got %v, want an error of kind usage", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the message shows the password: %v", err)
			}
		})
	}
}

func TestNewClientAcceptsAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"http://127.0.0.1:4646":     "http://127.0.0.1:4646",
		"http://127.0.0.1:4646/":    "http://127.0.0.1:4646",
		"https://nomad.example.org": "https://nomad.example.org",
		"http://[::1]:4646":         "http://[::1]:4646",
		"http://proxy/nomad/":       "http://proxy/nomad",
		"unix:///run/nomad.sock":    "unix:///run/nomad.sock",
	} {
		if got := newClient(t, address, time.Second).Address(); got != want {
			t.Errorf("%s: address is %s, want %s", address, got, want)
		}
	}
}

func TestNewClientRefusesBadOptions(t *testing.T) {
	for name, o := range map[string]ClientOptions{
		"no timeout":        {Address: "http://x:1"},
		"missing authority": {Address: "https://x:1", RequestTimeout: time.Second, TLS: TLSOptions{CACert: "/nowhere/ca.pem"}},
		"cert without key":  {Address: "https://x:1", RequestTimeout: time.Second, TLS: TLSOptions{ClientCert: "/nowhere/c.pem"}},
	} {
		if _, err := NewClient(o); outcome.KindOf(err) != outcome.Usage {
			t.Errorf("%s: got %v, want an error of kind usage", name, err)
		}
	}
}

func TestClientTakesNothingFromTheEnvironment(t *testing.T) {
	for _, name := range []string{"ADDR", "REGION", "NAMESPACE", "TOKEN", "HTTP_AUTH"} {
		t.Setenv("NOMAD_"+name, "http://from-the-environment")
	}
	p := newFaultProxy(t, realNomad(t), func(*http.Request) fault { return pass })
	if _, err := newClient(t, p.URL, patience).Jobs(context.Background(), "nothing"); err != nil {
		t.Fatal(err)
	}
	r := p.seen[0]
	if r.Header.Get("X-Nomad-Token") != "" || r.Header.Get("Authorization") != "" || strings.Contains(r.URL.RawQuery, "environment") {
		t.Errorf("sent %v %v", r.URL, r.Header)
	}
}

func TestClientSendsItsOptions(t *testing.T) {
	p := newFaultProxy(t, realNomad(t), func(*http.Request) fault { return pass })
	c, err := NewClient(ClientOptions{Address: p.URL, Region: "global", Namespace: "default", Token: "t0ken", RequestTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The agent has no access control, so it looks no token up.
	if _, err := c.Jobs(context.Background(), "nothing"); err != nil {
		t.Fatal(err)
	}
	r := p.seen[0]
	q := r.URL.Query()
	if r.Header.Get("X-Nomad-Token") != "t0ken" || q.Get("region") != "global" || q.Get("namespace") != "default" {
		t.Errorf("sent %v %v", r.URL, r.Header)
	}
}

func TestPing(t *testing.T) {
	server, err := realClient(t).Ping(context.Background())
	if err != nil || server.Leader == "" || !strings.HasPrefix(server.Version, "1.") {
		t.Fatalf("got %+v, %v", server, err)
	}
}

func TestUnreachable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	always := func(f fault) string {
		return newFaultProxy(t, realNomad(t), func(*http.Request) fault { return f }).URL
	}
	for name, address := range map[string]string{
		"refuses":          "http://" + closed.Addr().String(),
		"never answers":    always(silent),
		"answers 500":      always(answer500),
		"hangs up":         always(cut),
		"speaks no TLS":    strings.Replace(always(pass), "http:", "https:", 1),
		"answer is no job": htmlServer(t),
	} {
		t.Run(name, func(t *testing.T) {
			const timeout = 500 * time.Millisecond
			c := newClient(t, address, timeout)
			for what, call := range map[string]func() error{
				"ping": func() error { _, err := c.Ping(context.Background()); return err },
				"read": func() error { _, err := c.Job(context.Background(), "x"); return err },
				"list": func() error { _, err := c.TopologyJobs(context.Background(), "x"); return err },
				"wait": func() error { _, err := c.WaitStopped(context.Background(), "x", patience, nil); return err },
				"run":  func() error { return c.WaitRunning(context.Background(), "x", 1, patience, nil) },
			} {
				start := time.Now()
				err := call()
				if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), address) {
					t.Errorf("%s: got %v, want ErrUnreachable that names %s", what, err, address)
				}
				// The request's own time, and as much again for a slow machine.
				if took := time.Since(start); took > timeout+10*time.Second {
					t.Errorf("%s took %s", what, took)
				}
			}
		})
	}
}

// htmlServer is a web server that is not Nomad.
func htmlServer(t *testing.T) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>welcome</html>"))
	})
}

// serve is a server that answers like this.
func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

func TestCancelEndsARequest(t *testing.T) {
	p := newFaultProxy(t, realNomad(t), func(*http.Request) fault { return silent })
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := newClient(t, p.URL, patience).Job(ctx, "x")
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Fatalf("got %v, want context.Canceled and nothing about the server", err)
	}
}

func TestSlowAnswersAreWaitedFor(t *testing.T) {
	p := newFaultProxy(t, realNomad(t), func(*http.Request) fault { return slow })
	if _, err := newClient(t, p.URL, patience).Ping(context.Background()); err != nil {
		t.Fatal(err)
	}
}
