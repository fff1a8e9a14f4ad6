package nomad

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/progress"
)

// times lets a fault happen to the first n requests of a method and path.
func times(n int, method, path string, f fault) func(*http.Request) fault {
	return func(r *http.Request) fault {
		if r.Method == method && strings.HasPrefix(r.URL.Path, path) && n > 0 {
			n--
			return f
		}
		return pass
	}
}

// Each way to Nomad comes through each failure that ends by itself.
func TestRequestsOutlastWhatPasses(t *testing.T) {
	stored := mustRegister(t, realClient(t), unplaceable(testJob(t, 1)))
	id := *stored.ID
	for name, f := range map[string]fault{
		"too many requests": answer429, "a proxy without its server": answer503, "no leader": noLeader,
		"trouble of its own": answer500, "reset": reset, "closed": cut,
	} {
		for what, request := range map[string]struct {
			method, path string
			do           func(context.Context, *Client) error
		}{
			"read": {http.MethodGet, "/v1/job/", func(ctx context.Context, c *Client) error { _, err := c.Job(ctx, id); return err }},
			"list": {http.MethodGet, "/v1/jobs", func(ctx context.Context, c *Client) error { _, err := c.TopologyJobs(ctx, "x"); return err }},
			"plan": {http.MethodPut, "/v1/job/", func(ctx context.Context, c *Client) error { _, err := c.Forecast(ctx, stored); return err }},
			"ping": {http.MethodGet, "/v1/status/leader", func(ctx context.Context, c *Client) error { _, err := c.Ping(ctx); return err }},
			"wait": {http.MethodGet, "/v1/job/" + id + "/evaluations", func(ctx context.Context, c *Client) error {
				_, _, err := c.watchEvaluations(id).next(ctx)
				return err
			}},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				p := newFaultProxy(t, realNomad(t), times(2, request.method, request.path, f))
				if err := request.do(t.Context(), newClient(t, p.URL, patience)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A server that refuses connections for a while is waited for, and the caller
// learns of it.
func TestRequestsOutlastARefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	var mu sync.Mutex
	var events []progress.Event
	up := make(chan struct{})
	c, err := NewClient(ClientOptions{Address: "http://" + address, RequestTimeout: patience, Progress: func(e progress.Event) {
		mu.Lock()
		defer mu.Unlock()
		if events = append(events, e); len(events) == 2 {
			close(up)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server := &http.Server{Handler: http.HandlerFunc(leader)}
	defer server.Close()
	go func() {
		<-up
		if l, err := net.Listen("tcp", address); err == nil {
			_ = server.Serve(l)
		}
	}()
	if _, err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, e := range events {
		if e.State != progress.Retrying || e.Attempt != i+1 || e.Wait <= 0 || !errors.Is(e.Err, ErrUnreachable) || e.What.ID != c.Address() {
			t.Errorf("event %d: %+v", i, e)
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, c := range map[string]struct {
		header func() string
		least  time.Duration
		gives  bool
	}{
		"seconds":  {func() string { return "2" }, 2 * time.Second, false},
		"date":     {func() string { return time.Now().Add(3 * time.Second).UTC().Format(http.TimeFormat) }, 2 * time.Second, false},
		"nonsense": {func() string { return "soon" }, 0, false},
		"too long": {func() string { return "3600" }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var asked []time.Time
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked = append(asked, time.Now())
				first := len(asked) == 1
				mu.Unlock()
				if first {
					w.Header().Set("Retry-After", c.header())
					w.WriteHeader(http.StatusTooManyRequests)
					return
				}
				leader(w, r)
			})
			start := time.Now()
			_, err := newClient(t, address, patience).Ping(t.Context())
			if c.gives {
				var trouble *UnreachableError
				if !errors.As(err, &trouble) || trouble.RetryAfter != time.Hour || time.Since(start) > patience/2 {
					t.Errorf("got %v after %s, want an error at once", err, time.Since(start))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := asked[1].Sub(asked[0]); got < c.least {
				t.Errorf("asked again after %s, want at least %s", got, c.least)
			}
		})
	}
}

// What cannot pass is reported at once.
func TestLastingFailuresAreNotRepeated(t *testing.T) {
	job := testJob(t, 1)
	job.JobModifyIndex = new(uint64(7))
	for body, status := range map[string]int{
		"Enforcing job modify index 7: job does not exist": 500,
		"No path to region":                                      500,
		`job "x" is in nonexistent namespace "y"`:                500,
		"rpc error: job \"x\" is in nonexistent namespace \"y\"": 500,
		"Not Implemented":                                        501,
		"bad request":                                            400,
	} {
		requests := 0
		address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			requests++
			http.Error(w, body, status)
		})
		c := newClient(t, address, patience)
		if _, err := c.Job(t.Context(), "x"); err == nil || requests != 1 {
			t.Errorf("%d %s: a read was sent %d times: %v", status, body, requests, err)
		}
		requests = 0
		if _, err := c.Forecast(t.Context(), job); err == nil || requests != 1 {
			t.Errorf("%d %s: a plan was sent %d times: %v", status, body, requests, err)
		}
	}
}

// The end of a context ends the pause between two attempts.
func TestCancelEndsRepeating(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, err := newClient(t, address, patience).Job(ctx, "x")
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want context.Canceled and nothing about the server", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestPurgeComesThroughFaults(t *testing.T) {
	for name, f := range map[string]fault{"500 before": answer500, "500 after": lose500, "cut before": cut, "reply lost": loseReply, "no leader": noLeader, "too many": answer429} {
		t.Run(name, func(t *testing.T) {
			c, job := realClient(t), unplaceable(testJob(t, 1))
			stored := mustRegister(t, c, job)
			if err := c.Stop(t.Context(), stored); err != nil {
				t.Fatal(err)
			}
			p := newFaultProxy(t, realNomad(t), times(2, http.MethodDelete, "/v1/job/", f))
			if err := newClient(t, p.URL, patience).PurgeOwned(t.Context(), *job.ID, "id-of-"+*job.ID); err != nil {
				t.Error(err)
			}
			if _, err := c.Job(t.Context(), *job.ID); !errors.Is(err, ErrNotFound) {
				t.Errorf("it is still there: %v", err)
			}
		})
	}
}

func TestUnreachableNamesTheAddressOnceAndItsOrigin(t *testing.T) {
	const from = "heron.nomad.scheduler.uri in scheduler.yaml:3"
	job := &api.Job{ID: new("x"), Meta: map[string]string{"topology.id": "1"}}
	for name, broken := range map[string]string{
		"refused": "http://127.0.0.1:1",
		"hangs up": newFaultProxy(t, realNomad(t), func(*http.Request) fault {
			return cut
		}).URL,
	} {
		c, err := NewClient(ClientOptions{Address: broken, From: from, RequestTimeout: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, read := c.Job(t.Context(), "x")
		_, write := c.RegisterNew(t.Context(), job)
		for _, err := range []error{read, write} {
			text := err.Error()
			if strings.Count(text, "unreachable") != 1 || strings.Count(text, strings.TrimPrefix(broken, "http://")) != 1 || !strings.Contains(text, "("+from+")") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}
