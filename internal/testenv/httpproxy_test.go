package testenv

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func put(method, path string) bool { return method == http.MethodPut && path == "/v1/jobs" }

// counted is a server that counts what reaches it, and a proxy before it.
func counted(t *testing.T) (*HTTPFaultProxy, *atomic.Int32) {
	t.Helper()
	reached := new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(server.Close)
	return HTTPProxy(t, server.URL), reached
}

func ask(ctx context.Context, method, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("hello"))
	if err != nil {
		return 0, "", err
	}
	// A reused connection that is cut would make the client try again.
	req.Close = true
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func TestHTTPFaults(t *testing.T) {
	const cut, hang = 0, -1
	for _, c := range []struct {
		name    string
		fault   HTTPFault
		outcome int // status, cut or hang
		reached int32
	}{
		{"error", HTTPError, 500, 0},
		{"cut", HTTPCut, cut, 0},
		{"hang", HTTPHang, hang, 0},
		{"error after the deed", HTTPErrorLost, 500, 1},
		{"cut after the deed", HTTPCutLost, cut, 1},
		{"hang after the deed", HTTPHangLost, hang, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy, reached := counted(t)
			proxy.Fail(c.fault, 1, put)
			ctx := t.Context()
			if c.outcome == hang {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 500*time.Millisecond)
				defer cancel()
			}
			status, _, err := ask(ctx, http.MethodPut, proxy.URL+"/v1/jobs")
			switch c.outcome {
			case cut:
				if err == nil || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("status %d, error %v; want a cut connection", status, err)
				}
			case hang:
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("status %d, error %v; want no answer", status, err)
				}
			default:
				if err != nil || status != c.outcome {
					t.Errorf("status %d, error %v; want %d", status, err, c.outcome)
				}
			}
			if reached.Load() != c.reached {
				t.Errorf("%d requests reached the server, want %d", reached.Load(), c.reached)
			}
			status, body, err := ask(t.Context(), http.MethodPut, proxy.URL+"/v1/jobs")
			if err != nil || status != 200 || body != "hello" {
				t.Errorf("the request after it: %d %q %v", status, body, err)
			}
		})
	}
}

func TestHTTPProxyForwardsWhatDoesNotMatch(t *testing.T) {
	proxy, _ := counted(t)
	proxy.Fail(HTTPError, -1, put)
	for range 2 {
		if status, _, err := ask(t.Context(), http.MethodPut, proxy.URL+"/v1/jobs"); err != nil || status != 500 {
			t.Errorf("a request that matches: %d, %v", status, err)
		}
	}
	if status, body, err := ask(t.Context(), http.MethodPut, proxy.URL+"/v1/job/a"); err != nil || status != 200 || body != "hello" {
		t.Errorf("another path: %d %q %v", status, body, err)
	}
	proxy.Heal()
	if status, _, err := ask(t.Context(), http.MethodPut, proxy.URL+"/v1/jobs"); err != nil || status != 200 {
		t.Errorf("healed: %d, %v", status, err)
	}
	if got := proxy.Count(put); got != 3 {
		t.Errorf("counted %d requests, want 3", got)
	}
}

func TestHTTPProxyBeforeADeadServerCuts(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	proxy := HTTPProxy(t, server.URL)
	server.Close()
	if status, _, err := ask(t.Context(), http.MethodGet, proxy.URL); err == nil {
		t.Errorf("status %d from a server that is gone", status)
	}
}
