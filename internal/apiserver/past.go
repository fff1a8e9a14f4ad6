package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/apiserver/journal"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/wire"
)

// journalDir is the folder of journals, below that of packages.
const journalDir = ".operations"

// maxOutcome bounds what the journal keeps of an operation's end, in bytes.
const maxOutcome = 64 << 10

// errPast is what an operation ends with that the end of an earlier server
// interrupted.
var errPast = errors.New("the server ended while this was under way, and was started anew; " +
	"nobody goes on with it until the same request is sent again, best with its Idempotency-Key: that continues it")

// pastError is the failure of an operation of an earlier server.
type pastError struct {
	status  int
	problem *wire.Problem
}

func (e *pastError) Error() string { return e.problem.Message }

// Kind implements the contract of package outcome.
func (e *pastError) Kind() outcome.Kind { return e.problem.Kind }

// openJournal reads what earlier servers knew. Without a journal the server
// works on, and forgets its operations when it ends.
func (o *operations) openJournal(dir string) {
	j, known, trouble, err := journal.Open(filepath.Join(dir, journalDir))
	if trouble != nil {
		o.log.Warn("some operations of an earlier server are not known any more", "error", trouble.Error())
	}
	if err != nil {
		o.log.Error("operations are not kept: after a restart nobody can ask for them", "error", err.Error())
		return
	}
	o.journal = j
	for _, e := range known {
		run := pastOperation(e)
		o.byID[run.id] = run
		// Of several with one key the last one counts.
		if before := o.byKey[e.Key]; e.Key != "" && (before == nil || before.start().Before(e.Began)) {
			o.byKey[e.Key] = run
		}
		if e.Interrupted {
			o.log.Warn("an operation was interrupted by the end of an earlier server",
				"operation", run.id, "verb", e.Operation, "topology", e.Topology, "request_id", e.RequestID, "by", e.Owner)
		}
	}
}

// closeJournal is the end of the journal.
func (o *operations) closeJournal() error {
	if o.journal == nil {
		return nil
	}
	return o.journal.Close()
}

// pastOperation is an operation of an earlier server, as clients see it.
func pastOperation(e journal.Entry) *running {
	run := &running{
		id: e.ID, requestID: e.RequestID, owner: e.Owner, key: e.Key,
		task: task{
			verb: auth.Verb(e.Operation), topology: e.Topology, digest: e.Digest,
			at: place{cluster: e.Cluster, role: e.Role, environ: e.Environ},
		},
		cancel: func(error) {}, done: make(chan struct{}), changed: make(chan struct{}),
		state: stateSucceeded, began: e.Began, ended: e.Ended,
		reply: &reply{status: e.Status, location: e.Location, body: message{e.Operation + " is done; more of its answer is not known any more"}},
	}
	close(run.done)
	if len(e.Response) > 0 {
		run.reply.body = e.Response
	}
	if len(e.Result) > 0 {
		run.reply.result = e.Result
	}
	problem := &wire.Problem{}
	switch {
	case e.Interrupted:
		run.state, run.err = stateInterrupted, outcome.Errorf(outcome.Interrupted, "%s of %s: %w", e.Operation, subjectOf(e), errPast)
	case len(e.Problem) == 0:
	case json.Unmarshal(e.Problem, problem) == nil && problem.Message != "":
		run.state, run.err = stateFailed, &pastError{e.Status, problem}
	default:
		run.state, run.err = stateFailed, errors.New("it failed; why is not known any more, but the log of the server has it")
	}
	return run
}

func subjectOf(e journal.Entry) string {
	if e.Topology != "" {
		return "topology " + e.Topology
	}
	return "cluster " + e.Cluster
}

// keep writes an operation to the journal. Where that fails, such as for lack of
// room, the operation goes on: it may be the one that makes room.
func (o *operations) keep(e journal.Entry) {
	if o.journal == nil {
		return
	}
	if err := o.journal.Keep(e); err != nil {
		o.log.Error("an operation is not kept: after a restart nobody can ask for it", "error", err.Error())
	}
}

// drop removes an operation from the journal.
func (o *operations) drop(id string) {
	if o.journal == nil {
		return
	}
	if err := o.journal.Forget(id); err != nil {
		o.log.Warn("an operation stays in the journal", "error", err.Error())
	}
}

// entry is a running operation as the journal has it.
func (o *running) entry() journal.Entry {
	return journal.Entry{
		ID: o.id, Key: o.key, Owner: o.owner, Digest: o.task.digest, RequestID: o.requestID,
		Operation: string(o.task.verb), Topology: o.task.topology,
		Cluster: o.task.at.cluster, Role: o.task.at.role, Environ: o.task.at.environ, Began: o.start(),
	}
}

// endOf adds to an entry what came of the operation. What is too large is left
// out, what only some clients read first.
func endOf(e journal.Entry, r *reply, err error) journal.Entry {
	if r != nil {
		e.Status, e.Location, e.Response, e.Result = r.status, r.location, encode(r.body), encode(r.result)
	}
	if err != nil {
		e.Status, e.Response = statusOf(err), nil
		p := newProblem(err, e.RequestID)
		if e.Problem = encode(p); len(e.Problem) > maxOutcome {
			const most = maxOutcome / 2
			short := wire.Problem{Message: p.Message, Kind: p.Kind, RequestID: p.RequestID, Remedy: p.Remedy}
			short.Message = short.Message[:min(len(short.Message), most)] + " … (the rest is not kept)"
			e.Problem = encode(short)
		}
	}
	if len(e.Response)+len(e.Result)+len(e.Problem) > maxOutcome {
		e.Result = nil
	}
	if len(e.Response)+len(e.Problem) > maxOutcome {
		e.Response = nil
	}
	return e
}

// again says that a request repeats one which a server did not end: what that
// has done counts as this one's work.
func again(ctx context.Context) bool {
	yes, _ := ctx.Value(keyAgain).(bool)
	return yes
}

// deadSession is how much longer than its session lasts a server that died may
// hold its claims.
const deadSession = 15 * time.Second

// patience is how long a request waits for the claim of another operation: one
// that repeats what a lost server began waits at least until that one's claim is
// over.
func patience(ctx context.Context, s *conf.Settings, limit time.Duration) time.Duration {
	if !again(ctx) {
		return limit
	}
	return max(limit, s.State.SessionTimeout+deadSession)
}

// repeats says whether the client sends a request again because it lost the
// server that had begun it.
func repeats(r *http.Request) bool { return r.Header.Get(wire.HeaderAgain) == "true" }
