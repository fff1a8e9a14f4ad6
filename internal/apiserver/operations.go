package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/heron-nomad/heron/internal/apiserver/journal"
	"github.com/heron-nomad/heron/internal/outcome"
)

var (
	errHungUp   = errors.New("the client hung up")
	errCanceled = errors.New("a client cancelled it")
	errEnding   = errors.New("the server is being stopped")
	errInternal = errors.New("internal error; the server's log has more under the request id")
)

// operations runs tasks, a bounded number at a time, and keeps what became of
// them.
type operations struct {
	limits  Limits
	now     func() time.Time
	log     *slog.Logger
	metrics *metrics
	slots   chan struct{}
	// starts is taken by operations that have just begun.
	starts chan struct{}
	// changes is called with a topology's name when an operation begins to act
	// on it, and before its end is known.
	changes func(topology string)
	journal *journal.Journal // nil where nothing can be kept

	mu       sync.Mutex
	byID     map[string]*running
	byKey    map[string]*running
	draining bool
	waiting  sync.WaitGroup
}

func newOperations(opts Options, m *metrics, changes func(topology string)) *operations {
	return &operations{
		limits: opts.Limits, now: opts.Now, log: opts.Log, metrics: m, changes: changes,
		slots: make(chan struct{}, opts.Limits.Operations), starts: make(chan struct{}, max(2, runtime.NumCPU())),
		byID: map[string]*running{}, byKey: map[string]*running{},
	}
}

// waitersPerSlot bounds how many operations may wait for a slot.
const waitersPerSlot = 8

// start begins a task, or finds the one that a request with the same key began.
// The context gives values only: an operation lasts longer than a request.
func (o *operations) start(ctx context.Context, t task, owner, key string) (*running, error) {
	if key != "" {
		key = owner + "\x00" + key
	}
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	run, fresh, err := o.admit(t, owner, key, requestID(ctx), cancel)
	if err != nil || !fresh {
		cancel(nil)
		if t.clean != nil {
			t.clean()
		}
		return run, err
	}
	if run.again {
		inner = context.WithValue(inner, keyAgain, true)
	}
	o.keep(run.entry())
	go o.carryOut(inner, run)
	return run, nil
}

// admit makes an operation, or finds an earlier one.
func (o *operations) admit(t task, owner, key, requestID string, cancel context.CancelCauseFunc) (run *running, fresh bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget()
	earlier := o.byKey[key]
	if key != "" && earlier != nil && !earlier.interrupted() {
		if earlier.task.digest != t.digest || earlier.task.verb != t.verb {
			return nil, false, refuse(http.StatusUnprocessableEntity, "this Idempotency-Key was sent before with another request; use a new one")
		}
		return earlier, false, nil
	}
	active := 0
	for _, r := range o.byID {
		if _, over := r.over(); !over {
			active++
		}
	}
	later := http.Header{"Retry-After": {"5"}}
	switch {
	case o.draining:
		return nil, false, &httpError{status: http.StatusServiceUnavailable, kind: outcome.Unreachable, msg: errEnding.Error(), header: later}
	case active >= o.limits.Operations*(1+waitersPerSlot):
		return nil, false, &httpError{status: http.StatusServiceUnavailable, kind: outcome.Unreachable, msg: "too many operations wait already; try again later", header: later}
	}
	run = &running{
		id: uuid.NewString(), requestID: requestID, owner: owner, task: t,
		cancel: cancel, done: make(chan struct{}), changed: make(chan struct{}), state: stateWaiting, began: o.now(),
		key: key, again: key != "" && earlier != nil && earlier.lost(),
	}
	o.byID[run.id] = run
	if key != "" {
		o.byKey[key] = run
	}
	o.waiting.Add(1)
	return run, true, nil
}

// forget drops operations that ended long ago; mu is held.
func (o *operations) forget() {
	before := o.now().Add(-o.limits.Keep)
	old := func(r *running) bool {
		at, over := r.over()
		return over && at.Before(before)
	}
	for id, r := range o.byID {
		if old(r) {
			delete(o.byID, id)
			o.drop(id)
		}
	}
	for key, r := range o.byKey {
		if old(r) {
			delete(o.byKey, key)
		}
	}
}

// carryOut runs a task when there is a slot for it.
func (o *operations) carryOut(ctx context.Context, run *running) {
	defer o.waiting.Done()
	defer run.cancel(nil)
	r, err := o.inTurn(ctx, run)
	if errors.Is(context.Cause(ctx), errEnding) && outcome.KindOf(err) == outcome.Interrupted && !errors.Is(err, errEnding) {
		err = fmt.Errorf("%w: %w", errEnding, err) // nobody interrupted it at the client
	}
	if run.task.clean != nil {
		run.task.clean()
	}
	// First it is written down: what a client has seen is true after a restart.
	ended := o.now()
	e := endOf(run.entry(), r, err)
	e.Ended = ended
	o.keep(e)
	run.finish(r, err, ended)
	o.metrics.operation(string(run.task.verb), err)
}

// inTurn waits for a slot and runs a task.
func (o *operations) inTurn(ctx context.Context, run *running) (*reply, error) {
	cut := func() error {
		return outcome.Errorf(outcome.Interrupted, "%w before it began: %w", context.Cause(ctx), ctx.Err())
	}
	select {
	case o.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, cut()
	}
	defer func() { <-o.slots }()
	select {
	case o.starts <- struct{}{}:
	case <-ctx.Done():
		return nil, cut()
	}
	started := sync.OnceFunc(func() { <-o.starts })
	defer started()
	defer time.AfterFunc(startTime, started).Stop()
	o.changes(run.task.topology)
	run.enter(stateRunning, o.now())
	o.metrics.running.Inc()
	defer o.metrics.running.Dec()
	defer o.changes(run.task.topology)
	return o.guarded(ctx, run)
}

// startTime is how long an operation counts as one that has just begun, if it
// lasts that long. At first it keeps a processor busy, with configuration and
// packages; only a few may, so that other requests are answered in the meantime.
// Later it mostly waits for others, which any number may.
const startTime = time.Second

// guarded runs a task; a panic in it is a failure of this operation alone.
func (o *operations) guarded(ctx context.Context, run *running) (r *reply, err error) {
	err = safely(o.log, run.requestID, func() (err error) {
		r, err = run.task.run(ctx, run.note)
		return err
	})
	return r, err
}

// find is an operation by its id, nil for none.
func (o *operations) find(id string) *running {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byID[id]
}

// list are all operations that are known, oldest first.
func (o *operations) list() []*running {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget()
	all := make([]*running, 0, len(o.byID))
	for _, r := range o.byID {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *running) int { return strings.Compare(a.id, b.id) })
	slices.SortStableFunc(all, func(a, b *running) int { return a.start().Compare(b.start()) })
	return all
}

// drain refuses new operations, waits until ctx ends for those that run, then
// cancels them and waits until they have undone what they did.
func (o *operations) drain(ctx context.Context) {
	o.mu.Lock()
	o.draining = true
	o.mu.Unlock()
	over := make(chan struct{})
	go func() {
		o.waiting.Wait()
		close(over)
	}()
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	for _, r := range o.list() {
		r.cancel(errEnding)
	}
	<-over
}

// isDraining says that the server is being stopped.
func (o *operations) isDraining() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.draining
}
