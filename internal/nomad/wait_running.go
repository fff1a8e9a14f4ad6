package nomad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// RunProgress says how far the start of a job is.
type RunProgress struct {
	// Want counts the containers, Placed those that have a node, Running those
	// that run.
	Want, Placed, Running int
}

// WaitRunning waits until count containers of the job's present version run,
// for at most timeout; then the error is a *NotRunningError. It gives up before
// that where waiting would not help: Nomad finds no place for a container, a
// *NoPlaceError, or one fails again and again, a *FailingError. A job that is
// changed during the wait is ErrConflict, one that is stopped, purged or unknown
// ErrNotFound. report, which may be nil, is called in this goroutine at every
// change.
func (c *Client) WaitRunning(ctx context.Context, jobID string, count int, timeout time.Duration, report func(RunProgress)) error {
	start := time.Now()
	job, err := c.Job(ctx, jobID)
	if err != nil {
		return err
	}
	if value(job.Stop) {
		return fmt.Errorf("job %q is stopped: %w", jobID, ErrNotFound)
	}
	bounded, over, cancel := within(ctx, timeout)
	w := &startWait{client: c, job: job, want: count, report: report}
	err = w.run(bounded, cancel)
	switch {
	case errors.Is(err, errGaveUp):
		if noPlace := w.placement(); len(noPlace) > 0 {
			return &NoPlaceError{RunState: w.state(ctx, start, append(noPlace, taskReasons(w.allocs, false)...))}
		}
		return &FailingError{RunState: w.state(ctx, start, taskReasons(w.allocs, false))}
	case err != nil && over():
		return &NotRunningError{Limit: timeout, RunState: w.state(ctx, start, append(w.placement(), taskReasons(w.allocs, true)...))}
	}
	return err
}

// errGaveUp ends a wait that would not help.
var errGaveUp = errors.New("waiting would not help")

// state is how far the start is, with all that can be learned of the reasons.
func (w *startWait) state(ctx context.Context, start time.Time, reasons []reason) RunState {
	s := RunState{JobID: value(w.job.ID), Want: w.want, Placed: w.placed(), Running: w.running(), Waited: time.Since(start)}
	w.client.addReadyNodes(ctx, reasons)
	s.Output = w.client.addOutput(ctx, reasons)
	s.Reasons = reasonTexts(reasons)
	return s
}

func (w *startWait) placement() []reason { return placementReasons(wants(w.job), w.evals) }

// startWait is one wait for a job to run. allocs and evals are what is known,
// of the job's present version only.
type startWait struct {
	client *Client
	job    *api.Job
	want   int
	report func(RunProgress)

	allocs   []*api.AllocationListStub
	evals    []*api.Evaluation
	reported RunProgress
}

// update is news of one of the two lists, or the end of watching it.
type update struct {
	allocs []*api.AllocationListStub
	evals  []*api.Evaluation
	err    error
}

// run follows both lists until the end is known. It calls cancel and waits
// for what it started.
func (w *startWait) run(ctx context.Context, cancel context.CancelFunc) error {
	updates := make(chan update)
	id := value(w.job.ID)
	done := make(chan struct{}, 2)
	go func() {
		follow(ctx, w.client.watchAllocations(id, false), updates, func(l []*api.AllocationListStub) update { return update{allocs: nonNil(l)} })
		done <- struct{}{}
	}()
	go func() {
		follow(ctx, w.client.watchEvaluations(id), updates, func(l []*api.Evaluation) update { return update{evals: nonNil(l)} })
		done <- struct{}{}
	}()
	defer func() {
		cancel()
		<-done
		<-done
	}()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for job %q to run: %w", id, context.Cause(ctx))
		case u := <-updates:
			if u.err != nil {
				return u.err
			}
			if end, err := w.take(ctx, u); end || err != nil {
				return err
			}
		}
	}
}

// nonNil makes an empty list one that was read.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// follow sends every state of a list until the context ends or reading fails.
func follow[T any](ctx context.Context, list *watcher[T], updates chan<- update, wrap func([]T) update) {
	for {
		items, changed, err := list.next(ctx)
		if err == nil && !changed {
			continue
		}
		u := update{err: err}
		if err == nil {
			u = wrap(items)
		}
		select {
		case <-ctx.Done():
			return
		case updates <- u:
		}
		if err != nil {
			return
		}
	}
}

// take looks at news; end says that all containers run.
func (w *startWait) take(ctx context.Context, u update) (end bool, err error) {
	if u.allocs != nil {
		w.allocs = w.allocs[:0]
		for _, a := range u.allocs {
			switch version := value(w.job.Version); {
			case a.JobVersion > version:
				return false, w.changed(ctx)
			case a.JobVersion == version:
				w.allocs = append(w.allocs, a)
			}
		}
	}
	if u.evals != nil {
		w.evals = w.evals[:0]
		for _, e := range u.evals {
			if e.JobModifyIndex > value(w.job.JobModifyIndex) {
				if err := w.changed(ctx); err != nil {
					return false, err
				}
			}
			if e.CreateIndex >= value(w.job.JobModifyIndex) {
				w.evals = append(w.evals, e)
			}
		}
	}
	p := RunProgress{Want: w.want, Placed: w.placed(), Running: w.running()}
	if w.report != nil && p != w.reported {
		w.report(p)
	}
	w.reported = p
	if p.Running >= w.want {
		return true, nil
	}
	if len(w.placement()) > 0 || len(taskReasons(w.allocs, false)) > 0 {
		return false, errGaveUp
	}
	return false, nil
}

// changed says what became of the job that is waited for, nil if it is as it
// was.
func (w *startWait) changed(ctx context.Context) error {
	id := value(w.job.ID)
	now, err := w.client.Job(ctx, id)
	switch {
	case err != nil:
		return err
	case value(now.CreateIndex) == value(w.job.CreateIndex) && value(now.JobModifyIndex) == value(w.job.JobModifyIndex):
		return nil
	case value(now.Stop):
		return fmt.Errorf("job %q was stopped during the wait: %w", id, ErrNotFound)
	default:
		return fmt.Errorf("wait for job %q to run: %w", id, ErrConflict)
	}
}

// placed and running count containers, not allocations: one that failed and
// was replaced counts once.
func (w *startWait) placed() int {
	return w.count(func(*api.AllocationListStub) bool { return true })
}

func (w *startWait) running() int {
	return w.count(func(a *api.AllocationListStub) bool { return a.ClientStatus == api.AllocClientStatusRunning })
}

func (w *startWait) count(is func(*api.AllocationListStub) bool) int {
	seen := map[string]bool{}
	for _, a := range w.allocs {
		if a.DesiredStatus == api.AllocDesiredStatusRun && is(a) {
			seen[a.Name] = true
		}
	}
	return len(seen)
}
