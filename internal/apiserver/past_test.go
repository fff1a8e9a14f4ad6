package apiserver

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/apiserver/journal"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// successor is the server that comes after one that was killed now. The dead
// one's journal is what it had on disk, without its lock.
func (b *bench) successor(change func(*Options)) *bench {
	b.t.Helper()
	dir := filepath.Join(b.t.TempDir(), "store")
	b.Must(os.CopyFS(dir, os.DirFS(b.store.Dir())))
	next := newBench(b.t, func(o *Options) {
		store, err := files.Open(dir, 0)
		b.Must(err)
		o.Store = store
		if change != nil {
			change(o)
		}
	})
	next.store = next.server.opts.Store
	return next
}

func TestARestartLosesNoOperation(t *testing.T) {
	b := newBench(t, nil)
	contentType, body := form(b.submission()...)
	text := body.String()
	submit := func(b *bench, key string) answer {
		b.t.Helper()
		return b.send("POST", "/api/v1/topologies", strings.NewReader(text), "Content-Type", contentType, "Idempotency-Key", key, "Prefer", "respond-async")
	}
	wait := func(b *bench, doc operationDoc) operationDoc {
		b.t.Helper()
		return b.operation(b.send("GET", "/api/v1/operations/"+doc.ID+"?wait=1m", nil))
	}
	done := wait(b, b.operation(submit(b, "done")))
	failed := wait(b, b.operation(submit(b, "failed")))
	begun, release := b.held()
	defer release()
	under := b.operation(b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil, "Idempotency-Key", "under", "Prefer", "respond-async"))
	<-begun

	next := b.successor(nil)
	equal := func(a, b operationDoc) {
		t.Helper()
		one, _ := json.Marshal(a)
		two, _ := json.Marshal(b)
		if string(one) != string(two) {
			t.Errorf("before %s, after the restart %s", one, two)
		}
	}
	equal(done, wait(next, done))
	equal(failed, wait(next, failed))
	if failed.Status != 409 || done.Status != 201 {
		t.Errorf("%+v, %+v", done, failed)
	}
	lost := wait(next, under)
	if lost.State != stateInterrupted || lost.Status != 503 || lost.Error == nil || lost.Error.Kind != outcome.Interrupted || lost.Ended.IsZero() {
		t.Errorf("%+v", lost)
	}
	for _, says := range []string{"kill of topology words", "same request", "Idempotency-Key"} {
		if !strings.Contains(lost.Error.Message, says) {
			t.Errorf("no %q in %s", says, lost.Error.Message)
		}
	}
	next.want(next.send("GET", "/api/v1/operations/"+under.ID+"/events", nil), 200, `"state":"interrupted"`)
	next.want(next.send("DELETE", "/api/v1/operations/"+under.ID, nil), 202, `"state":"interrupted"`)
	next.want(next.send("GET", "/api/v1/operations", nil), 200, done.ID, failed.ID, under.ID)

	// The keys count too. What was interrupted begins anew, and there what is gone
	// already is no failure.
	if same := next.operation(submit(next, "done")); same.ID != done.ID {
		t.Errorf("%+v", same)
	}
	next.want(next.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil, "Idempotency-Key", "done"), 422, "another request")
	next.want(next.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil), 404)
	next.want(next.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil, "Idempotency-Key", "under"), 200, "words killed")
	if !strings.Contains(next.log.String(), "interrupted by the end of an earlier server") {
		t.Error("the log does not say so")
	}
}

// Whom an operation belongs to is known after a restart as before.
func TestARestartKeepsRights(t *testing.T) {
	text := `tokens:
  - {name: ads, sha256: ` + digest("ads") + `, verbs: ["*"], roles: [ads]}
  - {name: other, sha256: ` + digest("other") + `, verbs: ["*"], roles: [other]}
`
	auth := func(o *Options) { o.Auth = tokens(t, text) }
	b := newBench(t, auth)
	b.want(b.submit("/api/v1/topologies", b.submission(), "Authorization", "Bearer ads"), 201)
	next := b.successor(auth)
	next.want(next.send("GET", "/api/v1/operations", nil, "Authorization", "Bearer ads"), 200, `"operation":"submit"`)
	next.want(next.send("GET", "/api/v1/operations", nil, "Authorization", "Bearer other"), 200, `{"operations":[]}`)
}

// What is kept of an operation is bounded, and goes with it.
func TestTheJournalIsBounded(t *testing.T) {
	long := strings.Repeat("x", 10*maxOutcome)
	e := endOf(journal.Entry{}, &reply{status: 200, body: message{"ok"}, result: long}, nil)
	if len(e.Response)+len(e.Result) > maxOutcome || e.Status != 200 || !strings.Contains(string(e.Response), "ok") {
		t.Errorf("%d and %d bytes", len(e.Response), len(e.Result))
	}
	e = endOf(journal.Entry{}, nil, outcome.New(outcome.Busy, long))
	if len(e.Problem) > maxOutcome || e.Status != 409 {
		t.Errorf("%d bytes, status %d", len(e.Problem), e.Status)
	}
	e.Ended = time.Now()
	if run := pastOperation(e); statusOf(run.err) != 409 || !strings.HasPrefix(run.err.Error(), "xxx") || outcome.KindOf(run.err) != outcome.Busy {
		t.Errorf("%.40v", run.err)
	}

	b := newBench(t, func(o *Options) { o.Limits.Keep = time.Millisecond })
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	list := func() []string {
		found, err := filepath.Glob(filepath.Join(b.store.Dir(), journalDir, "*", "*.json"))
		b.Must(err)
		return found
	}
	if found := list(); len(found) != 1 {
		t.Errorf("%v", found)
	}
	time.Sleep(2 * time.Millisecond)
	b.want(b.send("GET", "/api/v1/operations", nil), 200, `{"operations":[]}`)
	if found := list(); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// Without room for the journal an operation goes on.
func TestWithoutAJournal(t *testing.T) {
	b := newBench(t, nil)
	b.Must(os.RemoveAll(filepath.Join(b.store.Dir(), journalDir)))
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	if !strings.Contains(b.log.String(), "an operation is not kept") {
		t.Error("the log does not say so")
	}
}

// A client sends again what a server did not end. Where all had been done, that
// counts: a topology that the request itself made is no other's.
func TestARepeatedRequest(t *testing.T) {
	b := newBench(t, nil)
	to := b.client(apiclient.Options{})
	order := b.order(5)
	submitted, err := to.Submit(t.Context(), order)
	b.Must(err)
	contentType, body := form(b.submission()...)
	text := body.String()
	send := func(header ...string) answer {
		return b.send("POST", "/api/v1/topologies", strings.NewReader(text), append(header, "Content-Type", contentType)...)
	}
	b.want(send(), 409, "already exists")
	b.want(send("Heron-Again", "true"), 201, `"name":"words"`)
	if b.Jobs.Jobs[submitted[0].Job] == nil || len(b.Jobs.Jobs) != 1 {
		t.Errorf("jobs %v", b.Jobs.Jobs)
	}
	// Another topology of the name is another's.
	node := b.Cluster.State.Deployment("words")
	read, err := b.Cluster.State.Read(t.Context(), node)
	b.Must(err)
	b.Must(b.Cluster.State.Apply(t.Context(), statemgr.Set(node, []byte(strings.Replace(string(read.Data), "words-1", "words-2", 1)))))
	b.want(send("Heron-Again", "true"), 409, "already exists")

	_, err = to.Kill(t.Context(), "words", lifecycle.KillOptions{})
	b.Must(err)
	if _, err = to.Kill(t.Context(), "words", lifecycle.KillOptions{}); outcome.KindOf(err) != outcome.NotFound {
		t.Error(err)
	}
	b.want(b.send("DELETE", "/api/v1/topologies/nomad/ads/prod/words", nil, "Heron-Again", "true"), 200)
}
