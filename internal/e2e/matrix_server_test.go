package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/heron-nomad/heron/internal/testenv"
)

// A request changes a topology through an API server, as the matrix of its
// crashes repeats it.
type request struct {
	name string
	// on are the requests that bring about what this one acts on.
	on           []request
	method, path string
	// contentType and body, "" for none. A path without a slash in front is one
	// of the topology's.
	contentType, body string
	// done is the status of the answer.
	done int
}

// patient has a request wait for the claim of the server that died, which
// holds until ZooKeeper gives up that server's session.
const patient = "lock_timeout=1m"

// requests are those that change a topology, by name.
func (s *apiServer) requests() map[string]request {
	const small = "application/x-www-form-urlencoded"
	submission := func(name, query string, stmgrs int, on []request) request {
		contentType, body := s.formWith(s.topology, stmgrs)
		return request{
			name: name, on: on, method: "POST", path: "/api/v1/topologies?" + query + "&" + patient,
			contentType: contentType, body: body.String(), done: 201,
		}
	}
	submit := submission("submit", "wait=2m", 2, nil)
	replace := submission("replace", "replace=true", 3, []request{submit})
	named := map[string]request{}
	for _, r := range []request{
		submit,
		{name: "kill", on: []request{submit}, method: "DELETE", path: "?" + patient, done: 200},
		{
			name: "restart", on: []request{submit}, method: "POST", path: "/restart?wait=2m&batch=2&" + patient,
			contentType: small, body: "container_id=-1", done: 200,
		},
		{
			name: "update", on: []request{submit}, method: "POST", path: "/update?wait=2m&" + patient,
			contentType: small, body: "component_parallelism=count:5&container_number=3", done: 200,
		},
		replace,
		{name: "rollback", on: []request{submit, replace}, method: "POST", path: "/rollback?version=1&" + patient, done: 200},
	} {
		named[r.name] = r
	}
	return named
}

// perform sends a request with an Idempotency-Key and returns the answer's
// status.
func (s *apiServer) perform(r request, key string) (status int, text string, err error) {
	s.t.Helper()
	path := r.path
	if !strings.HasPrefix(path, "/api/") {
		path = s.at() + path
	}
	return s.send(r.method, path, r.contentType, bytes.NewReader([]byte(r.body)), "Idempotency-Key", key)
}

// must sends a request and wants it to succeed.
func (s *apiServer) must(r request, key string) {
	s.t.Helper()
	status, text, err := s.perform(r, key)
	if err != nil || status != r.done {
		s.t.Fatalf("%s: status %d, want %d: %s (%v)\nthe server's log:\n%s", r.name, status, r.done, text, err, s.run.errOut.String())
	}
}

// crash kills the server after one of the calls that a request makes it do;
// after 0 calls, never. Then the request is sent again, to a server started
// anew. want is what is there then, "" to learn it; calls counts those of the
// first time.
func (s *apiServer) crash(w *watched, name string, at int, want string) (end string, calls int) {
	s.t.Helper()
	r, rest := s.requests()[name], s.requests()["kill"]
	for _, before := range r.on {
		s.must(before, uuid.NewString())
	}
	w.count(func() *running { return s.run }, at, killed)
	key := uuid.NewString()
	status, text, err := s.perform(r, key)
	calls = w.counts()
	switch {
	case err == nil && status != r.done, err != nil && at == 0:
		s.t.Fatalf("killed after call %d: status %d: %s (%v)", at, status, text, err)
	case err != nil: // else it needed fewer calls this time
		<-s.run.done
		w.emptyTmp()
		s.begin()
	}
	if at > 0 {
		s.must(r, key)
		w.settled(at, want)
	}
	end = s.endState()
	// The request may have been the kill.
	rest.path += "&ignore_missing=true"
	s.must(rest, uuid.NewString())
	s.nothingLeft()
	return end, calls
}

// An API server is killed after each of its calls to Nomad and ZooKeeper that a
// request makes it do. Then the same request, sent with the same key to a server
// started anew, ends as if nothing had happened, and a kill leaves nothing.
func TestServerCrashMatrix(t *testing.T) {
	t.Parallel()
	seed := testenv.Seed(t, "HERON_CRASH_SEED")
	for _, name := range []string{"submit", "kill", "restart", "update", "replace", "rollback"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watchedCluster(t)
			want, calls := w.serve().crash(w, name, 0, "")
			if calls < 10 {
				t.Fatalf("only %d calls pass the proxies", calls)
			}
			for i, points := range crashPoints(calls, seed) {
				t.Run(fmt.Sprint("part ", i+1), func(t *testing.T) {
					t.Parallel()
					t.Logf("%s makes %d calls; the server is killed after: %v", name, calls, points)
					w := watchedCluster(t)
					s := w.serve()
					for _, at := range points {
						s.crash(w, name, at, want)
					}
				})
			}
		})
	}
}
