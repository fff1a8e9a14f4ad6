package apiserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// held makes operations wait before they connect, until the test lets them go.
func (b *bench) held() (begun chan struct{}, release func()) {
	begun = make(chan struct{}, 100)
	let := make(chan struct{})
	b.before = func(ctx context.Context) error {
		begun <- struct{}{}
		select {
		case <-let:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return begun, func() { close(let) }
}

func (b *bench) operation(a answer) operationDoc {
	b.t.Helper()
	var doc operationDoc
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
		b.t.Fatalf("%v: %s", err, a.body)
	}
	return doc
}

func TestAsync(t *testing.T) {
	b := newBench(t, nil)
	begun, release := b.held()
	a := b.submit("/api/v1/topologies", b.submission(), "Prefer", "wait=10, respond-async")
	b.want(a, 202)
	doc := b.operation(a)
	at := a.header.Get("Location")
	if at != "/api/v1/operations/"+doc.ID || doc.Operation != "submit" || doc.Topology != "words" {
		t.Fatalf("%s: %+v", at, doc)
	}
	<-begun
	if now := b.operation(b.send("GET", at, nil)); now.State != stateRunning {
		t.Errorf("%+v", now)
	}
	release()
	ended := b.operation(b.send("GET", at+"?wait=1m", nil))
	if ended.State != stateSucceeded || ended.Status != 201 || ended.Ended.IsZero() {
		t.Errorf("%+v", ended)
	}
	result, _ := json.Marshal(ended.Result)
	if !strings.Contains(string(result), `"submitted":[{`) || !strings.Contains(string(result), `"containers":3`) {
		t.Errorf("result %s", result)
	}
	events := b.send("GET", at+"/events", nil)
	b.want(events, 200, `{"event":{"seq":1,`, `"step":"register"`, `{"operation":{"id":"`+doc.ID)
	lines := strings.Split(strings.TrimSpace(events.body), "\n")
	if rest := b.send("GET", at+"/events?after=1", nil); strings.Contains(rest.body, `"seq":1,`) || len(strings.Split(strings.TrimSpace(rest.body), "\n")) != len(lines)-1 {
		t.Errorf("after 1: %s", rest.body)
	}
	b.want(b.send("GET", "/api/v1/operations", nil), 200, doc.ID)
	b.want(b.send("GET", "/api/v1/operations/none", nil), 404, "no operation")

	failed := b.operation(b.submit("/api/v1/topologies", b.submission(), "Prefer", "respond-async"))
	failed = b.operation(b.send("GET", "/api/v1/operations/"+failed.ID+"?wait=1m", nil))
	if failed.State != stateFailed || failed.Status != 409 || failed.Error == nil || failed.Error.Kind != "exists" {
		t.Errorf("%+v", failed)
	}
}

// TestEventsAsTheyHappen reads a stream while the operation runs.
func TestEventsAsTheyHappen(t *testing.T) {
	b := newBench(t, nil)
	begun, release := b.held()
	doc := b.operation(b.submit("/api/v1/topologies", b.submission(), "Prefer", "respond-async"))
	<-begun
	resp, err := http.Get(b.url + "/api/v1/operations/" + doc.ID + "/events")
	b.Must(err)
	defer resp.Body.Close()
	release()
	var last string
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		last = lines.Text()
	}
	if !strings.Contains(last, `"state":"succeeded"`) {
		t.Errorf("the last line: %s", last)
	}
}

func TestHangingUpCancels(t *testing.T) {
	b := newBench(t, nil)
	begun, _ := b.held()
	ctx, hangUp := context.WithCancel(t.Context())
	contentType, body := form(b.submission()...)
	r, err := http.NewRequestWithContext(ctx, "POST", b.url+"/api/v1/topologies", body)
	b.Must(err)
	r.Header.Set("Content-Type", contentType)
	ended := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		ended <- err
	}()
	<-begun
	hangUp()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request ended with %v", err)
	}
	list := b.server.operations.list()
	if len(list) != 1 {
		t.Fatalf("%d operations", len(list))
	}
	<-list[0].done
	if doc := list[0].doc(); doc.Error == nil || doc.Error.Kind != "interrupted" {
		t.Errorf("%+v", doc)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestCancel(t *testing.T) {
	b := newBench(t, nil)
	begun, _ := b.held()
	doc := b.operation(b.submit("/api/v1/topologies", b.submission(), "Prefer", "respond-async"))
	<-begun
	b.want(b.send("DELETE", "/api/v1/operations/"+doc.ID, nil), 202)
	if doc = b.operation(b.send("GET", "/api/v1/operations/"+doc.ID+"?wait=1m", nil)); doc.Status != 503 || doc.Error.Kind != "interrupted" {
		t.Errorf("%+v", doc)
	}
}

func TestIdempotencyKey(t *testing.T) {
	b := newBench(t, nil)
	// The same bytes: a form has a boundary of its own each time.
	contentType, body := form(b.submission()...)
	text := body.String()
	send := func(key, text string) answer {
		return b.send("POST", "/api/v1/topologies", strings.NewReader(text), "Content-Type", contentType, "Idempotency-Key", key)
	}
	first := send("a", text)
	b.want(first, 201)
	again := send("a", text)
	b.want(again, 201)
	if again.body != first.body || again.header.Get("Heron-Operation") != first.header.Get("Heron-Operation") {
		t.Errorf("%+v, first %+v", again, first)
	}
	b.want(send("b", text), 409, `"kind":"exists"`)
	b.want(send("a", strings.Replace(text, "prod", "test", 1)), 422, "Idempotency-Key")
	killed := b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil, "Idempotency-Key", "k")
	b.want(killed, 200)
	b.want(b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil, "Idempotency-Key", "k"), 200, "words killed")
	b.want(b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil), 404)
}

func TestOperationsAreBounded(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Limits.Operations = 1 })
	begun, release := b.held()
	for i := range 1 + waitersPerSlot {
		a := b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/t"+string(rune('a'+i)), nil, "Prefer", "respond-async")
		b.want(a, 202)
	}
	<-begun
	full := b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/z", nil)
	b.want(full, 503, "too many operations")
	if full.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	release()
	for _, o := range b.server.operations.list() {
		<-o.done
	}
}

// TestDrain: a server that is told to end takes no operations, and cancels those
// that take too long.
func TestDrain(t *testing.T) {
	b := newBench(t, nil)
	begun, _ := b.held()
	doc := b.operation(b.submit("/api/v1/topologies", b.submission(), "Prefer", "respond-async"))
	<-begun
	over := make(chan struct{})
	ctx, now := context.WithCancel(t.Context())
	go func() {
		b.server.operations.drain(ctx)
		close(over)
	}()
	for deadline := time.Now().Add(20 * time.Second); !b.server.operations.isDraining(); {
		if time.Now().After(deadline) {
			t.Fatal("it does not drain")
		}
	}
	b.want(b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil), 503, "being stopped")
	b.want(b.send("GET", "/readyz", nil), 503, `"running":"failed"`)
	now()
	<-over
	if run := b.server.operations.find(doc.ID); run.doc().State != stateFailed {
		t.Errorf("%+v", run.doc())
	}
}

func TestAPanicEndsOneOperation(t *testing.T) {
	b := newBench(t, nil)
	b.before = func(context.Context) error { panic("oh") }
	b.want(b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil), 500, "internal error")
	b.before = nil
	b.want(b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil), 404)
}
