package apiserver

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/wire"
)

// place is where a topology is, and who asks.
type place struct{ cluster, role, environ, user string }

// task is what a request wants done.
type task struct {
	verb     auth.Verb
	topology string
	at       place
	// digest tells a request from another one with the same idempotency key.
	digest string
	run    func(ctx context.Context, sink progress.Sink) (*reply, error)
	// clean, unless nil, frees what the request brought, once nothing needs it.
	clean func()
}

// reply is what a task answers with.
type reply struct {
	status   int
	location string
	// body is what the original's clients expect, result what the use case
	// returned.
	body, result any
}

// The states of an operation.
const (
	stateWaiting   = "waiting"
	stateRunning   = "running"
	stateSucceeded = "succeeded"
	stateFailed    = "failed"
	// stateInterrupted: the server that carried it out has ended before it did.
	stateInterrupted = "interrupted"
)

// maxEvents is how many events of an operation are kept.
const maxEvents = 1000

// running is one task under way, or one that has ended.
type running struct {
	id, requestID, owner string
	// key is that of the request, with its owner; "" for none.
	key string
	// again: it continues one that a server did not end.
	again  bool
	task   task
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has ended

	mu       sync.Mutex
	state    string
	began    time.Time
	ended    time.Time
	reply    *reply
	err      error
	events   []event
	seq      int64
	changed  chan struct{} // closed and replaced at every change
	watchers int           // requests that wait for the end
}

// operationDoc is an operation as clients read it.
type operationDoc struct {
	ID        string    `json:"id"`
	Operation auth.Verb `json:"operation"`
	Topology  string    `json:"topology"`
	Cluster   string    `json:"cluster"`
	Role      string    `json:"role"`
	Environ   string    `json:"environ"`
	State     string    `json:"state"`
	Began     time.Time `json:"began"`
	Ended     time.Time `json:"ended,omitzero"`
	RequestID string    `json:"request_id"`
	// Status is that of the answer which a plain request would have got, and
	// Response its body. Result is what the use case returned, Error its failure.
	Status   int           `json:"status,omitempty"`
	Response any           `json:"response,omitempty"`
	Result   any           `json:"result,omitempty"`
	Error    *wire.Problem `json:"error,omitempty"`
}

func (o *running) doc() operationDoc {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := operationDoc{
		ID: o.id, Operation: o.task.verb, Topology: o.task.topology,
		Cluster: o.task.at.cluster, Role: o.task.at.role, Environ: o.task.at.environ,
		State: o.state, Began: o.began, Ended: o.ended, RequestID: o.requestID,
	}
	switch {
	case o.err != nil:
		d.Status, d.Error = statusOf(o.err), newProblem(o.err, o.requestID)
		if o.reply != nil {
			d.Result = o.reply.result
		}
	case o.reply != nil:
		d.Status, d.Response, d.Result = o.reply.status, o.reply.body, o.reply.result
	}
	return d
}

// note takes an event.
func (o *running) note(e progress.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := newEvent(e)
	o.seq++
	next.Seq = o.seq
	if n := len(o.events); n > 0 && next.follows(o.events[n-1]) {
		o.events = o.events[:n-1]
	}
	if len(o.events) >= maxEvents {
		o.events = slices.Delete(o.events, 0, maxEvents/10)
	}
	o.events = append(o.events, next)
	o.announce()
}

// announce wakes all who wait; mu is held.
func (o *running) announce() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// since are the events after seq, and a channel that is closed at the next
// change.
func (o *running) since(seq int64) ([]event, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.events, func(e event) bool { return e.Seq > seq })
	if i < 0 {
		return nil, o.changed
	}
	return slices.Clone(o.events[i:]), o.changed
}

func (o *running) enter(state string, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state, o.began = state, at
	o.announce()
}

func (o *running) finish(r *reply, err error, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reply, o.err, o.ended, o.state = r, err, at, stateSucceeded
	if err != nil {
		o.state = stateFailed
	}
	o.announce()
	close(o.done)
}

// end is how it ended; only after done.
func (o *running) end() (*reply, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reply, o.err
}

// start is when it began, or began to wait.
func (o *running) start() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.began
}

// over says whether it has ended, and since when.
func (o *running) over() (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended, !o.ended.IsZero()
}

// interrupted says that it ended without having done anything, because its
// client or the server gave up: the same request may be made again.
func (o *running) interrupted() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.ended.IsZero() && outcome.KindOf(o.err) == outcome.Interrupted
}

// lost says that a server ended before this operation did.
func (o *running) lost() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state == stateInterrupted
}

// watch counts a request that waits for the end; leave cancels the operation
// when the last one has gone.
func (o *running) watch() (leave func(gone bool)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watchers++
	return func(gone bool) {
		o.mu.Lock()
		o.watchers--
		last := o.watchers == 0
		o.mu.Unlock()
		if gone && last {
			o.cancel(errHungUp)
		}
	}
}
