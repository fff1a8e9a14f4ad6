package apiserver

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
)

// TestPythonClient sends what the original's Python client sends in service
// mode, and compares with what that one expects.
func TestPythonClient(t *testing.T) {
	b := newBench(t, nil)
	a := b.submit("/api/v1/topologies", b.submission())
	b.want(a, 201)
	if want := `{"name":"words","cluster":"nomad","role":"ads","environment":"prod"}`; a.body != want {
		t.Errorf("body %s, want %s", a.body, want)
	}
	if at := a.header.Get("Location"); at != "/api/v1/topologies/nomad/ads/prod/words" {
		t.Errorf("Location %s", at)
	}
	if kind := a.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("Content-Type %s", kind)
	}
	again := b.submit("/api/v1/topologies", b.submission())
	b.want(again, 409, `"message":"`, `already exists`, `"kind":"exists"`)
	if id := b.object(again)["request_id"]; id == "" || id != again.header.Get("X-Request-Id") {
		t.Errorf("request id %v, header %q", id, again.header.Get("X-Request-Id"))
	}

	at := "/api/v1/topologies/nomad/ads/prod/words"
	killed := b.send("DELETE", at, nil)
	b.want(killed, 200)
	if killed.body != `{"message":"words killed"}` {
		t.Errorf("body %s", killed.body)
	}
	b.want(b.send("DELETE", at, nil), 404, `no topology \"words\"`, `"kind":"not_found"`)
	b.want(b.send("DELETE", at+"?ignore_missing=true", nil), 200)
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	b.want(b.send("POST", at+"/activate", nil), 404, "words")
	b.want(b.send("POST", at+"/deactivate", nil), 404, "words")
}

// TestPythonClientWithoutEnvironment: "cluster/role" makes the Python client
// send an empty environment, in forms and in paths.
func TestPythonClientWithoutEnvironment(t *testing.T) {
	b := newBench(t, nil)
	a := b.submit("/api/v1/topologies", replaced(b.submission(), "environment", ""))
	b.want(a, 201, `"environment":"default"`)
	b.want(b.send("GET", "/api/v1/topologies/nomad/ads//words", nil), 200, `"environ":"default"`)
	b.want(b.send("DELETE", "/api/v1/topologies/nomad/ads//words", nil), 200, `{"message":"words killed"}`)
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	// No other part may be empty. The client shows the message alone.
	for _, at := range []string{"/nomad//prod/words", "//ads/prod/words", "/nomad/ads//", "/nomad/ads///words"} {
		b.want(b.send("DELETE", "/api/v1/topologies"+at, nil), 404, `"paths" : [ "/api/v1/topologies", "/api/v1/version", "/api/v1/file" ]`,
			`"message" : "there is nothing at /api/v1/topologies`+at+` on this server`)
	}
	b.want(b.send("POST", "/heron/api/v1/topologies/nomad/ads/prod/words/activate", nil), 404, `is its address right?`)
}

func TestRestart(t *testing.T) {
	b := newBench(t, nil)
	at := "/api/v1/topologies/nomad/ads/prod/words/restart"
	send := func(body, kind string) answer {
		return b.send("POST", at, strings.NewReader(body), "Content-Type", kind)
	}
	const kind = "application/x-www-form-urlencoded"
	b.want(send("container_id=-1", kind), 404, "words")
	b.want(send("container_id=x", kind), 400, "not a number")
	b.want(send("container_id=-2", kind), 422, "-1 for all")
	b.want(send("{}", "application/json"), 415)
	b.want(b.send("POST", at, nil), 404)
	b.want(b.send("POST", at+"?batch=0", nil), 400)
	b.want(b.send("POST", at+"?stable_for=1m", nil), 400)
}

func TestDryRun(t *testing.T) {
	b := newBench(t, nil)
	a := b.submit("/api/v1/topologies", b.submission(part{"dry_run", "", "True"}))
	b.want(a, 200, `{"response":"Total number of containers: 2\nUsing packing class: org.apache.heron.packing.roundrobin.RoundRobinPacking`)
	b.want(b.submit("/api/v1/topologies", b.submission(part{"dry_run", "", "True"}, part{"dry_run_format", "", "JSON"})), 200, `{"response":"{\"packingClass\"`)
	b.want(b.submit("/api/v1/topologies", b.submission(part{"dry_run", "", "True"}, part{"dry_run_format", "", "fancy"})), 200, `Total number of containers`)
	if left := b.Left(); len(left) > 0 {
		t.Errorf("a dry run left %q", left)
	}
	// The original takes every text for true.
	b.want(b.submit("/api/v1/topologies", b.submission(part{"dry_run", "", "False"})), 201)
}

func TestSubmitIsRefused(t *testing.T) {
	b := newBench(t, nil)
	all := b.submission()
	for _, c := range []struct {
		name   string
		parts  []part
		status int
		says   string
	}{
		{"nothing", nil, 422, `{"message":"Validation failed missing required params: [name, cluster, role, definition, topology]","errors":{"missing_parameters":["name","cluster","role","definition","topology"]}`},
		{"no role", append(all[:2:2], all[3:]...), 422, `missing required params: [role]`},
		{"other cluster", replaced(all, "cluster", "aurora"), 422, `"message":"Unknown cluster aurora expecting 'nomad'"`},
		{"cluster in other letters", replaced(all, "cluster", "NoMad"), 201, ""},
		{"other name", replaced(all, "name", "sentences"), 422, `of topology \"words\", not of \"sentences\"`},
		{"role with a slash", replaced(all, "role", "../x"), 422, `role \"../x\"`},
		{"environment with dots", replaced(all, "environment", "a..b"), 422, `a..b`},
		{"user with a slash", replaced(all, "user", "a/b"), 422, `a/b`},
		{"no definition", replacedFile(all, "definition", "words.defn", "text"), 422, `not a topology's definition`},
		{"file of unknown kind", replacedFile(all, "topology", "words.zip", "x"), 422, ``},
		{"class", b.submission(part{"heron.class.scheduler", "", "x"}), 403, `does not let clients set heron.class.scheduler`},
		{"address", b.submission(part{"heron.nomad.scheduler.uri", "", "http://evil:1"}), 403, `heron.nomad.scheduler.uri`},
		{"image", b.submission(part{"heron.executor.docker.image", "", "evil"}), 403, `heron.executor.docker.image`},
		{"core", b.submission(part{"heron.package.core.uri", "", "http://evil"}), 403, `heron.package.core.uri`},
		{"unknown key", b.submission(part{"my.own", "", "1"}), 403, `my.own`},
		{"class path below a pattern", b.submission(part{"heron.instance.classpath", "", "1"}), 403, `heron.instance.classpath`},
		{"two values", b.submission(part{"dry_run", "", "perhaps"}), 400, `perhaps`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			b.want(b.submit("/api/v1/topologies", c.parts), c.status, c.says)
		})
	}
}

func replaced(parts []part, name, value string) []part {
	var out []part
	for _, p := range parts {
		if p.name == name {
			p.content = value
		}
		out = append(out, p)
	}
	return out
}

func replacedFile(parts []part, name, file, content string) []part {
	var out []part
	for _, p := range parts {
		if p.name == name {
			p.file, p.content = file, content
		}
		out = append(out, p)
	}
	return out
}

// TestOverridesReachTheJob: numbers and booleans are typed.
func TestOverridesReachTheJob(t *testing.T) {
	b := newBench(t, nil)
	b.want(b.submit("/api/v1/topologies", b.submission(
		part{"heron.nomad.kill.timeout", "", "77s"}, part{"heron.nomad.metrics.service.register", "", "True"},
	)), 201)
	task := b.Jobs.Jobs["heron.nomad.words"].TaskGroups[0].Tasks[0]
	if got := task.KillTimeout.String(); got != "1m17s" {
		t.Errorf("kill timeout %s", got)
	}
	if len(task.Services)+len(b.Jobs.Jobs["heron.nomad.words"].TaskGroups[0].Services) == 0 {
		t.Error("no metrics service")
	}
}

func TestVersion(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Base.Release = []byte("heron.build.version: '1.2'\nheron.build.host: h\n") })
	a := b.send("GET", "/api/v1/version", nil)
	b.want(a, 200)
	if want := "{\n  \"heron.build.host\" : \"h\",\n  \"heron.build.version\" : \"1.2\"\n}"; a.body != want {
		t.Errorf("body %q, want %q", a.body, want)
	}
}

func TestStatusOfAFailure(t *testing.T) {
	for kind, status := range map[outcome.Kind]int{
		outcome.Failed: 500, outcome.Usage: 422, outcome.Differs: 409, outcome.NotFound: 404, outcome.Exists: 409, outcome.Busy: 409,
		outcome.Unreachable: 502, outcome.Denied: 502, outcome.Undone: 500, outcome.LeftBehind: 500, outcome.WaitExpired: 504, outcome.Interrupted: 503,
	} {
		if got := statusOf(outcome.New(kind, "x")); got != status {
			t.Errorf("%s: status %d, want %d", kind, got, status)
		}
	}
	p := newProblem(outcome.WithRemedy(errors.New("half done"), outcome.Remedy{Action: outcome.Kill, Topology: "t", Cluster: "c", Role: "r", Environ: "e"}), "id")
	if !strings.HasSuffix(p.Message, "to clean up: heron kill c/r/e t") || p.Remedy == nil {
		t.Errorf("%+v", p)
	}
}

func TestReadsAndMethods(t *testing.T) {
	b := newBench(t, nil)
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	b.want(b.send("GET", "/api/v1/topologies", nil), 200, `{"topologies":[{"topology":"words"`)
	b.want(b.send("GET", "/api/v1/topologies?role=other", nil), 200, `{"topologies":[]}`)
	b.want(b.send("GET", "/api/v1/topologies/nomad/ads/prod/words", nil), 200, `"topology":"words"`)
	b.want(b.send("GET", "/api/v1/topologies/nomad/ads/prod/other", nil), 404)
	b.want(b.send("GET", "/api/v1/topologies/nomad/else/prod/words", nil), 422)
	b.want(b.send("GET", "/api/v1/topologies/other/ads/prod/words", nil), 422, "Unknown cluster other expecting 'nomad'")
	b.want(b.send("GET", "/healthz", nil), 200)
	b.want(b.send("GET", "/readyz", nil), 200, `"ready":true`)
	b.want(b.send("GET", "/metrics", nil), 200, `heron_apiserver_operations_total{operation="submit",outcome="done"} 1`, `heron_apiserver_requests_total{method="POST",route="/api/v1/topologies",status="201"} 1`)
	put := b.send("PUT", "/api/v1/version", nil)
	b.want(put, 405)
	if allow := put.header.Get("Allow"); allow != "GET, HEAD, OPTIONS" {
		t.Errorf("Allow %q", allow)
	}
	b.want(b.send("POST", "/api/v1/topologies", strings.NewReader("{}"), "Content-Type", "application/json"), 415)
	b.want(b.send("GET", "/favicon.ico", nil), 404, `"paths" : [`)
}

func TestUpdate(t *testing.T) {
	b := newBench(t, nil)
	at := "/api/v1/topologies/nomad/ads/prod/words/update"
	send := func(query, body string) answer {
		return b.send("POST", at+query, strings.NewReader(body), "Content-Type", "application/x-www-form-urlencoded")
	}
	b.want(b.send("POST", at, nil), 422, `"message":"no param"`)
	b.want(send("", "dry_run=True"), 422, `"message":"missing component_parallelism or runtime_config param"`)
	b.want(send("", "component_parallelism=x"), 422, "component:number")
	b.want(send("", "component_parallelism=word:2"), 404, "words")
	b.want(send("", "container_number=x"), 422, "whole number")
	b.want(send("?rollback=true", "component_parallelism=word:2"), 400, "wait")
	b.want(b.send("POST", at, strings.NewReader("{}"), "Content-Type", "application/json"), 415)
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	b.TManager("words-1", heronpb.TopologyState_RUNNING)
	b.want(send("", "component_parallelism=spout:3&component_parallelism=bolt:4&container_number=6&dry_run=True&dry_run_format=table"), 200,
		`{"response":"Total number of containers: 6\nUsing repacking class: `)
}

func TestVersions(t *testing.T) {
	b := newBench(t, nil)
	at := "/api/v1/topologies/nomad/ads/prod/words"
	b.want(b.send("GET", at+"/history", nil), 404)
	b.want(b.send("POST", at+"/rollback", nil), 404)
	b.want(b.send("POST", at+"/rollback?version=0", nil), 422, "version")
	b.want(b.submit("/api/v1/topologies?state=keep", b.submission()), 400, "replace")
	b.want(b.submit("/api/v1/topologies?rollback=true", b.submission()), 400, "wait")
	b.want(b.submit("/api/v1/topologies?replace=true", b.submission(part{"dry_run", "", "True"})), 400, "plan")
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	b.want(b.send("GET", at+"/history", nil), 200, `"versions":[{`)
	b.want(b.submit("/api/v1/topologies?plan=true", b.submission()), 200, `{"planned":[{"topology":"words"`)
}

func TestStreams(t *testing.T) {
	b := newBench(t, nil)
	at := "/api/v1/topologies/nomad/ads/prod/words"
	b.want(b.send("GET", at+"/watch", nil), 404, `"kind":"not_found"`)
	b.want(b.send("GET", at+"/logs", nil), 404, `"kind":"not_found"`)
	b.want(b.send("POST", at+"/logs", nil), 404, `"kind":"not_found"`)
	b.want(b.send("POST", at+"/logs", strings.NewReader(`{"from":[]}`)), 404, `"kind":"not_found"`)
	b.want(b.send("POST", at+"/logs", strings.NewReader("from here")), 400, "not the JSON of bookmarks")
	b.want(b.send("POST", at+"/logs", strings.NewReader(`{"from":[{"allocation":"a","logs":{"x":{"at":1,"from":3}}}]}`)), 422, "bookmark")
	b.want(b.send("POST", at+"/logs", strings.NewReader(`{"from":["`+strings.Repeat("x", maxBookmarks)+`"]}`)), 413, "larger than")
	b.want(b.send("GET", at+"/logs?tail=x", nil), 400, "tail")
	b.want(b.send("GET", at+"/logs?stream=x", nil), 400, "stream")
	b.want(b.send("GET", at+"/logs?since=yesterday", nil), 400, "since")
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	resp, err := http.Get(b.url + at + "/watch")
	b.Must(err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), `{"status":{"topology":"words"`) {
		t.Fatalf("first line %q", lines.Text())
	}
	b.want(b.send("DELETE", at+"?lock_timeout=1m", nil), 200)
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if last != `{"end":true}` {
		t.Errorf("last line %q", last)
	}
	b.want(b.send("POST", at+"/unlock?force=true", nil), 200, "words unlocked")
	b.want(b.send("DELETE", at+"?drain=soon", nil), 400, "soon")
}
