package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv/jsondoc"
)

// guest runs a command line of a user without any configuration.
func guest(t *testing.T, env map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if env["HOME"] == "" {
		env["HOME"] = t.TempDir()
	}
	env["USER"], env["HERON_HOME"] = "ann", filepath.Join(env["HOME"], "none")
	a := &app{stdout: &stdout, stderr: &stderr, getenv: func(name string) string { return env[name] }, now: time.Now}
	code = a.run(t.Context(), "heron", args)
	if command, asked, stream := jsondoc.Asked(args); asked {
		if err := jsondoc.Check(command, stdout.String(), stream); err != nil {
			t.Errorf("%v\n%s", err, stdout.String())
		}
	}
	return code, stdout.String(), stderr.String()
}

// wantRun fails the test unless a run ended with a code and said something.
func wantRun(t *testing.T, env map[string]string, code int, says string, args ...string) {
	t.Helper()
	got, out, errs := guest(t, env, args...)
	if got != code || !strings.Contains(out+errs, says) {
		t.Errorf("%v: code %d, want %d with %q\n%s%s", args, got, code, says, out, errs)
	}
}

// fakeService answers as an API server does that knows the token "sesame".
func fakeService(t *testing.T, ours bool) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ours {
			w.Header().Set("Heron-Api", "1")
			if r.Header.Get("Authorization") != "Bearer sesame" {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"message":"a token is needed","kind":"denied","request_id":"r-1"}`)
				return
			}
		}
		at := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1/")
		switch at {
		case "GET version":
			_, _ = io.WriteString(w, `{"heron.build.version":"0.20.5"}`)
		case "GET topologies":
			_, _ = io.WriteString(w, `{"topologies":[{"topology":"wc","health":"healthy"}]}`)
		case "POST clusters/nomad/gc", "POST clusters/nomad/doctor":
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id":"`+strings.TrimPrefix(at, "POST clusters/nomad/")+`","state":"running"}`)
		case "GET operations/gc/events":
			_, _ = io.WriteString(w, `{"operation":{"id":"gc","state":"succeeded","result":{"dry_run":false,"removed":[`+
				`{"name":"nomad/a/b/c/d/e.tar.gz","uri":"http://h/e","size":5,"stored":"2026-01-02T03:04:05Z","partial":false}],"bytes":5,"kept":2,"young":3}}}`+"\n")
		case "GET operations/doctor/events":
			_, _ = io.WriteString(w, `{"operation":{"id":"doctor","state":"succeeded","result":{"checks":[`+
				`{"check":"nomad","status":"problem","text":"no route","kind":"unreachable"},`+
				`{"check":"topology","about":"wc","status":"problem","text":"it has no job","remedy":{"action":"kill","topology":"wc","cluster":"nomad","role":"ann","environ":"default"}}`+
				`]}}}`+"\n")
		case "GET names/nomad/ann/default":
			_, _ = io.WriteString(w, `{"names":["wc","words"]}`)
		case "GET names/nomad/ann/default/wc/components":
			_, _ = io.WriteString(w, `{"names":["count","word"]}`)
		case "GET names/nomad/ann/default/wc/containers":
			_, _ = io.WriteString(w, `{"names":["0","1"]}`)
		case "POST topologies/nomad/ann/default/wc/restart":
			if ours {
				w.WriteHeader(http.StatusConflict)
				_, _ = io.WriteString(w, `{"message":"topology \"wc\": update is under way","kind":"busy","request_id":"r-2",
					"holder":{"command":"update","user":"ann","host":"h","pid":7,"since":"2026-01-31T08:00:00Z"}}`)
				return
			}
			_, _ = io.WriteString(w, `{"message":"wc restarted"}`)
		default:
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"message":"Topology 'wc' does not exist"}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestServiceURL(t *testing.T) {
	url := fakeService(t, true)
	at := "--service-url=" + url
	token := map[string]string{"HERON_SERVICE_TOKEN": "sesame"}
	wantRun(t, token, exitOK, "0.20.5", "version", at)
	wantRun(t, token, exitOK, `"topology": "wc"`, "topologies", at, "--output", "json", "nomad")
	wantRun(t, map[string]string{}, exitFailure, "request r-1", "topologies", at, "nomad")
	wantRun(t, map[string]string{}, exitFailure, `"request_id": "r-1"`, "topologies", at, "--output", "json", "nomad")
	wantRun(t, token, exitExists, "--lock-timeout waits for it", "restart", at, "nomad", "wc")
	wantRun(t, token, exitExists, `"host": "h"`, "restart", at, "--output", "json", "nomad", "wc")
	wantRun(t, token, exitUnreachable, "ask the API server", "topologies", "--service-url=http://127.0.0.1:1", "nomad")

	// The token is in a file, which wins over the environment.
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := map[string]string{"HERON_SERVICE_TOKEN": "wrong"}
	wantRun(t, wrong, exitOK, "wc", "topologies", at, "--service-token-file", file, "nomad")
	wantRun(t, wrong, exitInput, "--service-token-file", "topologies", at, "--service-token-file", file+"x", "nomad")
	wantRun(t, token, exitInput, "--service-ca-cert", "topologies", at, "--service-ca-cert", file, "nomad")
	wantRun(t, token, exitInput, "both --service-client-cert", "topologies", at, "--service-client-cert", file, "nomad")

	// Flags that name other servers do not go with one.
	wantRun(t, token, exitInput, "--nomad-region does not go", "topologies", at, "--nomad-region", "eu", "nomad")
	wantRun(t, token, exitOK, "--config-path is not used", "topologies", at, "--config-path", "/x", "nomad")
	wantRun(t, token, exitOK, "removed 1 package, 5 B; kept 2 in use and 3 too young", "gc", at, "nomad")
	wantRun(t, token, exitOK, `"name": "nomad/a/b/c/d/e.tar.gz"`, "gc", at, "--output", "json", "nomad")
	wantRun(t, token, exitUnreachable, "to repair: heron kill --service-url=", "doctor", at, "nomad")
	wantRun(t, token, exitUnreachable, `"check": "java"`, "doctor", at, "--output", "json", "nomad", "wc")
}

// A cluster's service_url counts as the flag does.
func TestServiceURLOfTheUser(t *testing.T) {
	env := map[string]string{"HERON_SERVICE_TOKEN": "sesame", "HOME": t.TempDir()}
	wantRun(t, env, exitOK, "Updated", "config", "nomad", "set", "service_url", fakeService(t, true))
	wantRun(t, env, exitOK, "wc", "topologies", "nomad")
	wantRun(t, env, exitOK, "0.20.5", "version", "nomad")
	wantRun(t, env, exitOK, "removed 1 package", "gc", "nomad")
}

func TestServiceURLOfAnOriginalServer(t *testing.T) {
	at := "--service-url=" + fakeService(t, false)
	env := map[string]string{}
	wantRun(t, env, exitOK, "topology wc restarted", "restart", at, "nomad", "wc")
	wantRun(t, env, exitOK, `"containers": []`, "restart", at, "--output", "json", "nomad", "wc")
	wantRun(t, env, exitNotFound, "does not exist", "activate", at, "nomad", "wc")
	for _, line := range [][]string{
		{"status", at, "nomad", "wc"}, {"logs", at, "nomad", "wc"}, {"topologies", at, "nomad"}, {"history", at, "nomad", "wc"},
		{"rollback", at, "nomad", "wc"}, {"gc", at, "nomad"}, {"doctor", at, "nomad"}, {"unlock", at, "nomad", "wc"}, {"restart", at, "--wait", "nomad", "wc"},
		{"restart", at, "--batch", "2", "nomad", "wc"}, {"kill", at, "--drain", "1m", "nomad", "wc"},
		{"update", at, "--runtime-config", "a:b", "nomad", "wc"},
	} {
		wantRun(t, env, exitInput, "Apache Heron's own", line...)
	}
}

// What to do next reaches the same server, without a secret.
func TestAgainNamesTheService(t *testing.T) {
	flags := clusterFlags{service: serviceFlags{url: "http://h:9000", tokenFile: "/t", skipVerify: true}}
	if got, want := fmt.Sprint(flags.again()), "--service-url=http://h:9000 --service-token-file=/t --service-skip-verify=true"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Tab asks the API server where one is to be gone through, by a flag or for the
// user's cluster.
func TestNamesAreCompletedThroughTheService(t *testing.T) {
	url := fakeService(t, true)
	env := map[string]string{"HERON_SERVICE_TOKEN": "sesame", "HOME": t.TempDir()}
	offered := func(env map[string]string, line ...string) string {
		_, out, _ := guest(t, env, append([]string{"__complete"}, line...)...)
		// The last line is what the shell is to do with them.
		words := strings.Fields(out)
		return strings.Join(words[:max(0, len(words)-1)], " ")
	}
	check := func(env map[string]string, want string, line ...string) {
		t.Helper()
		if got := offered(env, line...); got != want {
			t.Errorf("%v: %q, want %q", line, got, want)
		}
	}
	check(env, "wc words", "kill", "--service-url="+url, "nomad", "")
	check(env, "", "kill", "nomad", "")
	wantRun(t, env, exitOK, "Updated", "config", "nomad", "set", "service_url", url)
	check(env, "nomad", "kill", "")
	check(env, "words", "kill", "nomad", "wo")
	check(env, "0 1", "restart", "nomad", "wc", "")
	check(env, "count: word:", "update", "nomad", "wc", "--component-parallelism", "")
	check(map[string]string{}, "", "kill", "--service-url="+url, "nomad", "") // without the token
	check(env, "", "kill", "--service-url="+fakeService(t, false), "nomad", "")
	check(env, "", "kill", "--service-url=http://127.0.0.1:1", "nomad", "")
}
