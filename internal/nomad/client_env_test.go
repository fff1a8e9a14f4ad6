package nomad

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/testenv"
)

// patience bounds what must happen on a loaded machine; no test passes by it.
const patience = 2 * time.Minute

// agent is the Nomad that all tests of the package share, started by the
// first that needs one.
var agent struct {
	once    sync.Once
	address string
	stop    func() error
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if agent.stop != nil {
		if err := agent.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop Nomad:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// realNomad is the address of a real Nomad.
func realNomad(t testing.TB) string {
	t.Helper()
	agent.once.Do(func() {
		if agent.address = os.Getenv("HERON_TEST_NOMAD"); agent.address != "" {
			return
		}
		var dir string
		if dir, agent.err = os.MkdirTemp("", "heron-nomad-test"); agent.err != nil {
			return
		}
		server, err := testenv.StartNomad(context.Background(), dir, testenv.NomadOptions{})
		if err != nil {
			agent.err = errors.Join(err, os.RemoveAll(dir))
			return
		}
		agent.address = server.Addr
		agent.stop = func() error { return errors.Join(server.Stop(), os.RemoveAll(dir)) }
	})
	if agent.err != nil {
		t.Fatalf("start Nomad: %v", agent.err)
	}
	return agent.address
}

func newClient(t testing.TB, address string, timeout time.Duration) *Client {
	t.Helper()
	c, err := NewClient(ClientOptions{Address: address, RequestTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func realClient(t testing.TB) *Client { return newClient(t, realNomad(t), 20*time.Second) }

// testJob is a job of count containers that sleep, with an id of its own. It
// is purged when the test ends.
func testJob(t testing.TB, count int) *api.Job {
	t.Helper()
	job := sleepingJob(count)
	t.Cleanup(func() { removeJob(t, *job.ID) })
	return job
}

func sleepingJob(count int) *api.Job {
	id := "heron.test." + uuid.NewString()
	return &api.Job{
		ID: new(id), Name: new("wc"), Type: new("service"), Datacenters: []string{"*"},
		Meta: map[string]string{jobspec.MetaTopologyName: "wc-" + id, jobspec.MetaTopologyID: "id-of-" + id},
		TaskGroups: []*api.TaskGroup{{
			Name: new("container"), Count: new(count),
			RestartPolicy:    &api.RestartPolicy{Attempts: new(0), Mode: new(api.RestartPolicyModeFail)},
			ReschedulePolicy: &api.ReschedulePolicy{Attempts: new(0), Unlimited: new(false)},
			EphemeralDisk:    &api.EphemeralDisk{SizeMB: new(10)},
			Tasks: []*api.Task{{
				Name: "executor", Driver: "raw_exec",
				Config:      map[string]any{"command": "/bin/sleep", "args": []string{"3600"}},
				Resources:   &api.Resources{CPU: new(10), MemoryMB: new(10)},
				KillTimeout: new(time.Second),
				LogConfig:   &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)},
			}},
		}},
	}
}

// removeJob ends a job's containers and purges it, if it is there.
func removeJob(t testing.TB, id string) {
	ctx, c := context.Background(), realClient(t)
	job, err := c.Job(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return
	}
	if err == nil {
		err = c.Stop(ctx, job)
	}
	if err == nil {
		_, err = c.WaitStopped(ctx, id, patience, nil)
	}
	if err := errors.Join(err, c.Purge(ctx, id)); err != nil {
		t.Error(err)
	}
}

// shell makes the job's task run a shell command.
func shell(job *api.Job, command string) *api.Job {
	job.TaskGroups[0].Tasks[0].Config = map[string]any{"command": "/bin/sh", "args": []string{"-c", command}}
	return job
}

// unplaceable rules out every node.
func unplaceable(job *api.Job) *api.Job {
	job.Constraints = []*api.Constraint{{LTarget: "${attr.kernel.name}", RTarget: "plan9", Operand: "="}}
	return job
}

// otherRun is the same job of another submission.
func otherRun(job *api.Job, topologyID string) *api.Job {
	other := *job
	other.Meta = map[string]string{jobspec.MetaTopologyName: job.Meta[jobspec.MetaTopologyName], jobspec.MetaTopologyID: topologyID}
	return &other
}

// fault is what happens to one request on its way.
type fault int

const (
	pass      fault = iota
	answer500       // answered with 500, never forwarded
	lose500         // forwarded, the answer replaced by 500
	cut             // the connection is closed, never forwarded
	loseReply       // forwarded, then the connection is closed
	silent          // never forwarded, never answered
	slow            // forwarded after a while
	answer429       // answered with 429 and Retry-After, never forwarded
	answer503       // answered with 503, never forwarded
	reset           // the connection is reset, never forwarded
	noLeader        // answered as by a server without a leader, never forwarded
	answer403       // answered with 403, never forwarded
)

// faultProxy stands before a real Nomad. choose says what happens to each
// request.
type faultProxy struct {
	URL    string
	mu     sync.Mutex
	choose func(*http.Request) fault
	seen   []*http.Request
}

func newFaultProxy(t testing.TB, target string, choose func(*http.Request) fault) *faultProxy {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &faultProxy{choose: choose}
	forward := httputil.NewSingleHostReverseProxy(to)
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.seen = append(p.seen, r)
		what := p.choose(r)
		p.mu.Unlock()
		lost := httptest.NewRecorder()
		switch what {
		case pass:
			forward.ServeHTTP(w, r)
		case slow:
			select {
			case <-time.After(300 * time.Millisecond):
			case <-end:
			}
			forward.ServeHTTP(w, r)
		case answer429:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "slow down", http.StatusTooManyRequests)
		case answer503:
			http.Error(w, "upstream is away", http.StatusServiceUnavailable)
		case answer403:
			http.Error(w, "Permission denied", http.StatusForbidden)
		case noLeader:
			http.Error(w, "No cluster leader", http.StatusInternalServerError)
		case answer500:
			http.Error(w, "out of order", http.StatusInternalServerError)
		case lose500:
			forward.ServeHTTP(lost, r)
			http.Error(w, "out of order", http.StatusInternalServerError)
		case reset:
			hijackAndReset(w)
		case cut:
			panic(http.ErrAbortHandler)
		case loseReply:
			forward.ServeHTTP(lost, r)
			panic(http.ErrAbortHandler)
		case silent:
			select {
			case <-r.Context().Done():
			case <-end:
			}
		}
	}))
	p.URL = server.URL
	t.Cleanup(func() {
		close(end)
		server.CloseClientConnections()
		server.Close()
	})
	return p
}

// registers selects requests that register a job, the first n of them.
func registers(n int, f fault) func(*http.Request) fault {
	return func(r *http.Request) fault {
		if r.Method == http.MethodPut && r.URL.Path == "/v1/jobs" && n > 0 {
			n--
			return f
		}
		return pass
	}
}

// hijackAndReset ends a connection in the way of a process that crashed.
func hijackAndReset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
