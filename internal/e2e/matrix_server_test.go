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

// crashing is one of the requests, whose server is to be killed.
type crashing struct {
	*apiServer
	w       *watched
	r, rest request
}

// serveCrashing starts a server to be killed while it carries a request out.
func serveCrashing(t *testing.T, name string) *crashing {
	t.Helper()
	w := watchedCluster(t)
	s := w.serve()
	requests := s.requests()
	c := &crashing{apiServer: s, w: w, r: requests[name], rest: requests["kill"]}
	c.rest.path += "&ignore_missing=true" // the request may have been the kill
	return c
}

// prepare brings about what the request acts on, and has the server killed after
// one of the calls to come; after 0, never.
func (c *crashing) prepare(at int) {
	c.t.Helper()
	for _, before := range c.r.on {
		c.must(before, uuid.NewString())
	}
	c.w.count(func() *running { return c.run }, at, killed)
}

// end kills the topology.
func (c *crashing) end() {
	c.t.Helper()
	c.must(c.rest, uuid.NewString())
	c.nothingLeft()
}

// uncrashed says what is there after the request, and how many calls it makes the
// server do.
func (c *crashing) uncrashed() (state string, calls int) {
	c.t.Helper()
	c.prepare(0)
	c.must(c.r, uuid.NewString())
	calls, state = c.w.counts(), c.endState()
	c.end()
	return state, calls
}

// crash kills the server after one of its calls, and sends the request again to
// one started anew. want is what has to be there then.
func (c *crashing) crash(at int, want string) {
	c.t.Helper()
	c.prepare(at)
	key := uuid.NewString()
	status, text, err := c.perform(c.r, key)
	c.w.counts()
	if err == nil && status != c.r.done {
		c.t.Fatalf("killed after call %d: status %d: %s", at, status, text)
	}
	if err != nil { // else it needed fewer calls this time
		<-c.run.done
		c.w.emptyTmp()
		c.begin()
	}
	c.must(c.r, key)
	c.w.settled(at, want)
	c.end()
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
			want, calls := serveCrashing(t, name).uncrashed()
			if calls < 10 {
				t.Fatalf("only %d calls pass the proxies", calls)
			}
			for i, points := range crashPoints(calls, seed) {
				t.Run(fmt.Sprint("part ", i+1), func(t *testing.T) {
					t.Parallel()
					t.Logf("%s makes %d calls; the server is killed after: %v", name, calls, points)
					c := serveCrashing(t, name)
					for _, at := range points {
						c.crash(at, want)
					}
				})
			}
		})
	}
}
