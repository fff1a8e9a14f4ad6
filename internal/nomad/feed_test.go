package nomad

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/nomad/api"
)

const streamPath = "/v1/event/stream"

// asked counts requests by what they are for.
func asked(seen []*http.Request) map[string]int {
	n := map[string]int{}
	for _, r := range seen {
		n[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]++
	}
	return n
}

func TestWaitIsOneStream(t *testing.T) {
	p := newFaultProxy(t, realNomad(t), func(*http.Request) fault { return pass })
	job := testJob(t, 8)
	mustRegister(t, realClient(t), job)
	if err := newClient(t, p.URL, patience).WaitRunning(t.Context(), *job.ID, 8, patience, nil); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := asked(p.seen)
	if n["stream"] != 1 || n["allocations"] > 2 || n["evaluations"] != 1 || n["deployments"] != 1 {
		t.Errorf("asked %v", n)
	}
	for _, r := range p.seen {
		if r.URL.Path == streamPath && len(r.URL.Query()["topic"]) != 4 {
			t.Errorf("topics %v", r.URL.Query()["topic"])
		}
	}
}

func TestWaitWithoutAStream(t *testing.T) {
	for name, f := range map[string]fault{"not allowed": answer403, "out of order": answer500, "away for ever": answer503, "never answers": silent} {
		t.Run(name, func(t *testing.T) {
			p := newFaultProxy(t, realNomad(t), func(r *http.Request) fault {
				if r.URL.Path == streamPath {
					return f
				}
				return pass
			})
			c, job := newClient(t, p.URL, patience), testJob(t, 2)
			stored := mustRegister(t, realClient(t), job)
			if err := c.WaitRunning(t.Context(), *job.ID, 2, patience, nil); err != nil {
				t.Fatal(err)
			}
			// What happens later is seen too.
			stopped := make(chan error, 1)
			err := c.WaitRunning(t.Context(), *job.ID, 3, patience, func(p RunProgress) {
				if p.Running == 2 {
					go func() { stopped <- realClient(t).Stop(context.Background(), stored) }()
				}
			})
			if err == nil || !strings.Contains(err.Error(), "was stopped during the wait") {
				t.Errorf("got %v", err)
			}
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}

// cutStreams stands before a real Nomad and ends each stream of events after a
// few bytes.
func cutStreams(t *testing.T, after int64, streams *atomic.Int64) string {
	t.Helper()
	to, err := url.Parse(realNomad(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path == streamPath {
				streams.Add(1)
				r.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(r.Body, after), r.Body}
			}
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func TestWaitOutlastsStreamsThatBreakOff(t *testing.T) {
	var streams atomic.Int64
	// The sign of life at the beginning passes, hardly an event does.
	c, job := newClient(t, cutStreams(t, 700, &streams), patience), testJob(t, 3)
	mustRegister(t, c, job)
	if err := c.WaitRunning(t.Context(), *job.ID, 3, patience, nil); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.WaitRestart(t.Context(), *job.ID, patience)
		done <- err
	}()
	for _, a := range mustAllocations(t, c, *job.ID) {
		if err := c.api.Allocations().Restart(&api.Allocation{ID: a.ID, NodeID: a.NodeID}, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil || streams.Load() < 2 {
		t.Errorf("%d streams: %v", streams.Load(), err)
	}
}

func TestFeedKeepsTheNewest(t *testing.T) {
	alloc := func(id string, version, create, modify uint64, eval string) *api.AllocationListStub {
		return &api.AllocationListStub{ID: id, JobID: "j", Name: "j.container[0]", JobVersion: version, CreateIndex: create, ModifyIndex: modify, EvalID: eval}
	}
	happened := func(index uint64, a *api.AllocationListStub) eventBatch {
		b := eventBatch{Index: index, Events: make([]event, 1)}
		b.Events[0].Payload.Allocation = a
		return b
	}
	f := (&Client{}).newFeed("j", 7, 100)
	if f.last != 100 {
		t.Errorf("it starts at %d", f.last)
	}
	f.putAllocs([]*api.AllocationListStub{alloc("a", 7, 101, 110, "e1"), alloc("old", 6, 50, 60, "e0"), alloc("gone", 6, 51, 61, "e0")}, 110)
	f.take(eventBatch{}) // a sign of life
	f.take(happened(109, alloc("a", 0, 101, 109, "e1")))
	f.take(happened(112, alloc("b", 0, 112, 112, "e2")))
	f.take(happened(113, alloc("a", 0, 101, 113, "e1")))
	other := alloc("c", 0, 112, 113, "e2")
	other.JobID = "another"
	f.take(happened(113, other))
	if f.last != 113 {
		t.Errorf("the last event is %d", f.last)
	}
	version := func(id string) uint64 { return f.allocs[id].JobVersion }
	if len(f.allocs) != 4 || f.allocs["a"].ModifyIndex != 113 || version("a") != 7 || version("b") != 7 || version("old") != 6 || len(f.unsure) != 0 {
		t.Errorf("%+v", f.allocs)
	}
	// An older list changes nothing but what it alone knows.
	f.putAllocs([]*api.AllocationListStub{alloc("a", 7, 101, 110, "e1"), alloc("old", 6, 50, 60, "e0")}, 111)
	if len(f.allocs) != 3 || f.allocs["a"].ModifyIndex != 113 || f.allocs["b"] == nil || f.allocs["gone"] != nil {
		t.Errorf("%+v", f.allocs)
	}
	f.take(happened(114, alloc("old", 0, 50, 114, "e3")))
	if len(f.unsure) != 1 || version("old") != 6 {
		t.Errorf("version %d is taken for granted", version("old"))
	}
	f.putAllocs([]*api.AllocationListStub{alloc("a", 7, 101, 113, "e1"), alloc("b", 7, 112, 112, "e2"), alloc("old", 7, 50, 114, "e3")}, 114)
	if version("old") != 7 {
		t.Errorf("version %d after the list", version("old"))
	}
	// One that was read before and comes late takes nothing back.
	f.putAllocs([]*api.AllocationListStub{alloc("a", 7, 101, 110, "e1"), alloc("old", 6, 50, 60, "e0")}, 112)
	if len(f.allocs) != 3 || version("old") != 7 {
		t.Errorf("%d allocations, version %d after a list that is older than the last one", len(f.allocs), version("old"))
	}
}
