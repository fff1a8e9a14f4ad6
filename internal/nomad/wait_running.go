package nomad

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// RunProgress says how far the start of a job is.
type RunProgress struct {
	// Want counts the containers, Placed those that have a node, Running those
	// that run.
	Want, Placed, Running int
	// Waiting says what is waited for that may still come, such as room on a
	// node; nothing where containers are just being started.
	Waiting []string
}

// equal compares two states.
func (p RunProgress) equal(q RunProgress) bool {
	return p.Want == q.Want && p.Placed == q.Placed && p.Running == q.Running && slices.Equal(p.Waiting, q.Waiting)
}

// WaitRunning waits until count containers of the job's present version run,
// for at most timeout; then the error is a *NotRunningError. It gives up before
// that where waiting would not help: no node is what a container wants, a
// *NoPlaceError, or one has failed for good, a *FailingError. Nodes that are
// full or not ready are waited for. A job that is changed during the wait is
// ErrConflict, one that is stopped, purged or unknown ErrNotFound. report, which
// may be nil, is called in this goroutine at every change.
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
	defer cancel()
	w := &startWait{client: c, job: job, want: count, report: report}
	err = w.run(bounded)
	switch {
	case errors.Is(err, errGaveUp):
		if w.ended != "" {
			return &NoPlaceError{RunState: w.state(ctx, start, append([]reason{{text: w.ended}}, w.places...))}
		}
		if slices.ContainsFunc(w.places, func(r reason) bool { return !r.passes }) {
			return &NoPlaceError{RunState: w.state(ctx, start, append(w.places, w.failures(ctx)...))}
		}
		return &FailingError{RunState: w.state(ctx, start, w.failures(ctx))}
	case err != nil && over():
		w.refresh(ctx)
		return &NotRunningError{Limit: timeout, RunState: w.state(ctx, start, append(w.places, taskReasons(w.allocs, w.before, true)...))}
	}
	return err
}

// errGaveUp ends a wait that would not help.
var errGaveUp = errors.New("waiting would not help")

// startWait is one wait for a job to run. allocs are what is known of the
// containers of the job's present version, the youngest of each, before those
// that they replaced; places why some have no place; ended why Nomad places no
// more.
type startWait struct {
	client *Client
	job    *api.Job
	want   int
	report func(RunProgress)

	allocs   []*api.AllocationListStub
	before   replaced
	places   []reason
	ended    string
	reported RunProgress
	// weighed are the reasons as they were before the nodes were looked at.
	weighed []reason
}

// state is how far the start is, with all that can be learned of the reasons.
func (w *startWait) state(ctx context.Context, start time.Time, reasons []reason) RunState {
	s := RunState{JobID: value(w.job.ID), Want: w.want, Placed: w.placed(), Running: w.running(), Waited: time.Since(start)}
	s.Output = w.client.addOutput(ctx, reasons)
	s.Reasons = reasonTexts(reasons)
	return s
}

// failures are the failures that last, in Nomad's words, which events lack.
func (w *startWait) failures(ctx context.Context) []reason {
	before := taskReasons(w.allocs, w.before, false)
	w.refresh(ctx)
	if now := taskReasons(w.allocs, w.before, false); len(now) > 0 {
		return now
	}
	return before
}

// refresh reads the allocations once more, where Nomad answers.
func (w *startWait) refresh(ctx context.Context) {
	var list []*api.AllocationListStub
	err := w.client.glance(ctx, func(q *api.QueryOptions) (err error) {
		list, _, err = w.client.api.Jobs().Allocations(value(w.job.ID), false, q)
		return err
	})
	if err == nil {
		sortAllocations(list)
		w.take(list)
	}
}

// run follows the job until the end is known.
func (w *startWait) run(ctx context.Context) error {
	id := value(w.job.ID)
	f := w.client.newFeed(id, value(w.job.Version), value(w.job.JobModifyIndex))
	failed, stop := f.start(ctx)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for job %q to run: %w", id, context.Cause(ctx))
		case err := <-failed:
			if err == nil {
				err = fmt.Errorf("wait for job %q to run: %w", id, context.Cause(ctx))
			}
			return err
		case <-f.woken:
			if end, err := w.look(ctx, f.view()); end || err != nil {
				return err
			}
		}
	}
}

// look looks at what is known; end says that all containers run.
func (w *startWait) look(ctx context.Context, v jobView) (end bool, err error) {
	since := value(w.job.JobModifyIndex)
	newer := v.jobIndex > since
	for _, a := range v.allocs {
		newer = newer || a.JobVersion > value(w.job.Version)
	}
	var evals []*api.Evaluation
	for _, e := range v.evals {
		newer = newer || e.JobModifyIndex > since
		if e.CreateIndex >= since {
			evals = append(evals, e)
		}
	}
	if newer {
		if err := w.changed(ctx); err != nil {
			return false, err
		}
	}
	w.take(v.allocs)
	w.place(ctx, evals)
	p := RunProgress{Want: w.want, Placed: w.placed(), Running: w.running(), Waiting: reasonTexts(w.places)}
	if p.Running < p.Want && !v.allocsListed {
		return false, nil // it has just begun
	}
	if w.report != nil && !p.equal(w.reported) {
		w.report(p)
	}
	w.reported = p
	switch {
	case p.Running >= w.want:
		return true, nil
	case slices.ContainsFunc(w.places, func(r reason) bool { return !r.passes }), len(taskReasons(w.allocs, w.before, false)) > 0:
		return false, errGaveUp
	case p.Placed < w.want && ended(v.deployment, w.job):
		// Nomad places no more containers then.
		w.ended = "Nomad has ended the deployment: " + cmp.Or(v.deployment.StatusDescription, "it does not say why")
		return false, errGaveUp
	}
	return false, nil
}

// ended says that the deployment of a job as it is now has failed.
func ended(d *api.Deployment, job *api.Job) bool {
	return d != nil && d.Status == api.DeploymentStatusFailed && d.JobVersion == value(job.Version) && d.JobCreateIndex == value(job.CreateIndex)
}

// place finds out why containers have no place. The nodes are looked at once
// for the same reasons.
func (w *startWait) place(ctx context.Context, evals []*api.Evaluation) {
	now := placementReasons(wants(w.job), evals)
	if slices.Equal(now, w.weighed) {
		return
	}
	w.weighed = slices.Clone(now)
	w.client.weighNodes(ctx, wants(w.job), now)
	w.places = now
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

// take notes a list of the job's allocations.
func (w *startWait) take(list []*api.AllocationListStub) {
	own := w.ofVersion(list)
	w.allocs, w.before = youngest(own), replacedIn(own)
}

// ofVersion are the allocations of the job's present version.
func (w *startWait) ofVersion(allocs []*api.AllocationListStub) (own []*api.AllocationListStub) {
	for _, a := range allocs {
		if a.JobVersion == value(w.job.Version) {
			own = append(own, a)
		}
	}
	return own
}

// youngest leaves out allocations that were replaced: what became of those is
// settled. The list is sorted by container and age.
func youngest(allocs []*api.AllocationListStub) (last []*api.AllocationListStub) {
	for _, a := range allocs {
		if n := len(last); n > 0 && last[n-1].Name == a.Name {
			last[n-1] = a
			continue
		}
		last = append(last, a)
	}
	return last
}

// placed and running count containers.
func (w *startWait) placed() int {
	return w.count(func(*api.AllocationListStub) bool { return true })
}

func (w *startWait) running() int {
	return w.count(func(a *api.AllocationListStub) bool { return a.ClientStatus == api.AllocClientStatusRunning })
}

func (w *startWait) count(is func(*api.AllocationListStub) bool) (n int) {
	for _, a := range w.allocs {
		if a.DesiredStatus == api.AllocDesiredStatusRun && is(a) {
			n++
		}
	}
	return n
}
