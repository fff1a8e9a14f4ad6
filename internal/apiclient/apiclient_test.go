package apiclient

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/update"
	"github.com/heron-nomad/heron/internal/wire"
)

// release is what the original server answers to GET /api/v1/version.
const release = "{\n  \"heron.build.timestamp\" : 1500000000,\n  \"heron.build.version\" : \"0.20.5\"\n}"

// server is one whose answers a test gives; ours says that it is our own.
func server(t *testing.T, ours bool, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ours {
			w.Header().Set(wire.HeaderAPI, "1")
		}
		if strings.HasSuffix(r.URL.Path, "/api/v1/version") {
			_, _ = io.WriteString(w, release)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func connect(t *testing.T, o Options) *Topologies {
	t.Helper()
	c, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c.At(Place{"nomad", "ads", "prod", "ann"})
}

// want fails the test unless an error is of a kind and says something.
func want(t *testing.T, err error, kind outcome.Kind, words ...string) {
	t.Helper()
	if outcome.KindOf(err) != kind {
		t.Errorf("kind %q, want %q: %v", outcome.KindOf(err), kind, err)
	}
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("no %q in: %v", w, err)
		}
	}
}

func TestConnect(t *testing.T) {
	ours := server(t, true, http.NotFound)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/text/api/v1/version":
			_, _ = io.WriteString(w, "hello")
		case "/json/api/v1/version":
			_, _ = io.WriteString(w, "{}")
		case "/denied/api/v1/version":
			http.Error(w, "no", http.StatusForbidden)
		case "/down/api/v1/version":
			http.Error(w, "<html>", http.StatusBadGateway)
		default:
			http.NotFound(w, r)
		}
	}))
	defer other.Close()
	for _, address := range []string{ours.URL, ours.URL + "/", ours.URL + "/behind/a proxy"} {
		c, err := Connect(t.Context(), Options{URL: address})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"heron.build.version": "0.20.5", "heron.build.timestamp": "1500000000"}
		if !maps.Equal(c.Version(), want) || c.Original() {
			t.Errorf("%s: %v, original %v", address, c.Version(), c.Original())
		}
	}
	for address, kind := range map[string]outcome.Kind{
		other.URL + "/text":         outcome.Failed,
		other.URL + "/json":         outcome.Failed,
		other.URL + "/none":         outcome.Failed,
		other.URL + "/denied":       outcome.Denied,
		other.URL + "/down":         outcome.Unreachable,
		"http://127.0.0.1:1":        outcome.Unreachable,
		"no-url":                    outcome.Usage,
		"ftp://host":                outcome.Usage,
		"http://ann:secret@host":    outcome.Usage,
		"http://host:9000/?token=1": outcome.Usage,
	} {
		_, err := Connect(t.Context(), Options{URL: address})
		want(t, err, kind)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}

func TestConnectIsInterrupted(t *testing.T) {
	began := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	}))
	defer s.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-began
		cancel(io.ErrClosedPipe) // as a signal does, with a cause of its own
	}()
	_, err := Connect(ctx, Options{URL: s.URL})
	want(t, err, outcome.Interrupted)
}

// The token goes to the server, and nowhere else.
func TestTokenAndRedirects(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Store(true) }))
	defer other.Close()
	var token atomic.Value
	s := server(t, true, func(w http.ResponseWriter, r *http.Request) {
		token.Store(r.Header.Get("Authorization"))
		switch {
		case strings.Contains(r.URL.Path, "/away"):
			http.Redirect(w, r, other.URL+"/x", http.StatusTemporaryRedirect)
		case strings.Contains(r.URL.Path, "/get"):
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case strings.Contains(r.URL.Path, "/loop"):
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		case strings.Contains(r.URL.Path, "/moved"):
			http.Redirect(w, r, strings.Replace(r.URL.Path, "moved", "there", 1), http.StatusTemporaryRedirect)
		default:
			_, _ = io.WriteString(w, `{"topology":"there"}`)
		}
	})
	to := connect(t, Options{URL: s.URL, Token: "sesame"})
	_, err := to.Status(t.Context(), "away")
	want(t, err, outcome.Usage, "another server", other.URL)
	_, err = to.Activate(t.Context(), "get", lifecycle.SwitchOptions{})
	want(t, err, outcome.Usage, "makes GET of it")
	_, err = to.Status(t.Context(), "loop")
	want(t, err, outcome.Usage, "too often")
	if status, err := to.Status(t.Context(), "moved"); err != nil || status.Topology != "there" {
		t.Errorf("%+v, %v", status, err)
	}
	if leaked.Load() || token.Load() != "Bearer sesame" {
		t.Errorf("leaked %v, token %v", leaked.Load(), token.Load())
	}
}

// Names are one part of a path each.
func TestNamesAreEscaped(t *testing.T) {
	var path, cache string
	s := server(t, true, func(w http.ResponseWriter, r *http.Request) {
		path, cache = r.URL.EscapedPath(), r.Header.Get("Cache-Control")
		_, _ = io.WriteString(w, "{}")
	})
	to := connect(t, Options{URL: s.URL + "/proxy"})
	for name, end := range map[string]string{"a b": "a%20b", "../x": "..%2Fx", "a/b": "a%2Fb", "a%2Fb": "a%252Fb"} {
		if _, err := to.Status(t.Context(), name); err != nil || path != "/proxy/api/v1/topologies/nomad/ads/prod/"+end {
			t.Errorf("%s: %s, %v", name, path, err)
		}
		if cache != "no-cache" {
			t.Errorf("Cache-Control: %q: the status may be an old one", cache)
		}
	}
}

// Answers that are cut off are asked for again; in the end they are an error.
func TestTruncatedAnswers(t *testing.T) {
	var asked atomic.Int32
	good := int32(3)
	s := server(t, true, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < good {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"topology":`)
			return
		}
		_, _ = io.WriteString(w, `{"topology":"words"}`)
	})
	to := connect(t, Options{URL: s.URL})
	if status, err := to.Status(t.Context(), "words"); err != nil || status.Topology != "words" || asked.Load() != good {
		t.Errorf("%+v, %v after %d requests", status, err, asked.Load())
	}
	_, err := to.List(t.Context(), inspect.Filter{})
	if err != nil {
		t.Error(err)
	}
	good = 100
	asked.Store(0)
	_, err = to.Status(t.Context(), "words")
	want(t, err, outcome.Unreachable, "unexpected EOF")
	if asked.Load() != attempts {
		t.Errorf("asked %d times", asked.Load())
	}
}

// The answers are those of an original server, as they were recorded, but for the
// two that are written out here.
func TestOriginalServer(t *testing.T) {
	all := recordings(t)
	names := map[string]string{
		"POST /api/v1/topologies":                                 "submit",
		"DELETE /api/v1/topologies/nomad/ads/prod/words":          "kill",
		"POST /api/v1/topologies/nomad/ads/prod/words/activate":   "activate",
		"POST /api/v1/topologies/nomad/ads/prod/words/deactivate": "deactivate",
		"POST /api/v1/topologies/nomad/ads/prod/words/restart":    "restart",
		"POST /api/v1/topologies/nomad/ads/prod/words/update":     "update of the configuration",
		"DELETE /api/v1/topologies/nomad/ads/prod/nothing":        "kill of no topology",
	}
	answers := map[string]recording{
		"POST /api/v1/topologies/nomad/ads/prod/unlucky/restart":    {Status: 500, Body: `{"message":null}`},
		"POST /api/v1/topologies/nomad/ads/prod/unlucky/deactivate": {Status: 422, Body: `{"message":"Unknown cluster x expecting 'y'"}`},
	}
	for request, name := range names {
		answers[request] = all[name]
	}
	var last *http.Request
	s := server(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Prefer") != "" || len(r.URL.Query()) > 0 {
			t.Errorf("%s: it knows neither %v nor %v", r.URL, r.Header, r.URL.Query())
		}
		if err := r.ParseMultipartForm(1 << 20); err == nil || r.PostForm != nil {
			last = r
		}
		answer, ok := answers[r.Method+" "+r.URL.Path]
		switch {
		case !ok:
			t.Errorf("asked for %s %s", r.Method, r.URL.Path)
			answer = all["unknown path"]
		case r.FormValue("dry_run") != "" && strings.HasSuffix(r.URL.Path, "/update"):
			answer = all["dry run of an update"]
		case r.FormValue("dry_run") != "":
			answer = all["dry run"]
		}
		answer.send(w)
	})
	ctx := t.Context()
	to := connect(t, Options{URL: s.URL})
	if !to.Client().Original() {
		t.Fatal("it is not known")
	}
	one := submission(t)
	done, err := to.Submit(ctx, one)
	if err != nil || len(done) != 1 || done[0].ID != "words-1" || done[0].Environ != "prod" {
		t.Errorf("%+v, %v", done, err)
	}
	for name, value := range map[string]string{
		"name": "words", "cluster": "nomad", "role": "ads", "environment": "prod", "user": "ann", "heron.a": "b=c",
	} {
		if got := last.PostFormValue(name); got != value {
			t.Errorf("field %s is %q", name, got)
		}
	}
	if f := last.MultipartForm.File; f["definition"][0].Filename != "words.defn" || f["topology"][0].Filename != "words.jar" || f["topology"][0].Size != 5 {
		t.Errorf("files %v", f)
	}
	if text, err := to.DryRun(ctx, one, "table"); err != nil || !strings.HasPrefix(text, "Total number of containers: 2\nUsing packing class: ") {
		t.Errorf("%q, %v", text, err)
	}
	if killed, err := to.Kill(ctx, "words", lifecycle.KillOptions{}); err != nil || !killed.Found {
		t.Errorf("%+v, %v", killed, err)
	}
	if on, err := to.Activate(ctx, "words", lifecycle.SwitchOptions{Wait: time.Minute}); err != nil || on.State != "RUNNING" {
		t.Errorf("%+v, %v", on, err)
	}
	whole := lifecycle.RestartOptions{Container: lifecycle.AllContainers, Batch: 1, BatchTimeout: time.Minute}
	if _, err := to.Restart(ctx, "words", whole); err != nil || last.PostFormValue("container_id") != "-1" {
		t.Errorf("%v, %v", last.PostForm, err)
	}
	count, err := update.ParseRequest([]string{"count:3", "word:2"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if up, err := to.Update(ctx, "words", count, update.Options{}); err != nil || !up.Changed || fmt.Sprint(last.PostForm["component_parallelism"]) != "[count:3 word:2]" {
		t.Errorf("%+v, %v: %v", up, err, last.PostForm)
	}
	if p, plans, err := to.PreviewUpdate(ctx, "words", count, "table"); err != nil || p != nil || !strings.HasPrefix(plans, "Total number of containers: 3\nUsing repacking class: ") {
		t.Errorf("%+v, %q, %v", p, plans, err)
	}
	if off, err := to.Deactivate(ctx, "words", lifecycle.SwitchOptions{}); err != nil || off.State != "PAUSED" {
		t.Errorf("%+v, %v", off, err)
	}
	// It cannot tell whether there was one.
	if killed, err := to.Kill(ctx, "nothing", lifecycle.KillOptions{}); err != nil || !killed.Found {
		t.Errorf("%+v, %v", killed, err)
	}
	_, err = to.Restart(ctx, "unlucky", whole)
	want(t, err, outcome.Failed, "does not say why")
	_, err = to.Deactivate(ctx, "unlucky", lifecycle.SwitchOptions{})
	want(t, err, outcome.Usage, "expecting 'y'")

	// What it cannot do is said, and not asked of it.
	count.Runtime = []topology.RuntimeValue{{Key: "a", Value: "b"}}
	_, err = to.Update(ctx, "x", count, update.Options{})
	want(t, err, outcome.Usage, "--runtime-config")
	count.Runtime, count.Containers = nil, new(int)
	_, err = to.Update(ctx, "x", count, update.Options{})
	want(t, err, outcome.Usage, "--container-number")
	_, err = to.Kill(ctx, "x", lifecycle.KillOptions{Drain: time.Minute})
	want(t, err, outcome.Usage, "Apache Heron's own", "--drain")
	_, err = to.Locked(time.Minute).Activate(ctx, "x", lifecycle.SwitchOptions{})
	want(t, err, outcome.Usage, "--lock-timeout")
	one.Options.Options = submit.Options{Wait: time.Minute}
	_, err = to.Submit(ctx, one)
	want(t, err, outcome.Usage, "--wait")
	_, err = to.Status(ctx, "x")
	want(t, err, outcome.Usage, "status")
	_, err = to.History(ctx, "x")
	want(t, err, outcome.Usage, "history")
}
