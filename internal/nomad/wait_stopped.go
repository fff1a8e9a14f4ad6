package nomad

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// StopProgress says how far the stopping of a job is.
type StopProgress struct {
	// Total counts the allocations that had not ended when the job was stopped,
	// Ended those of them that have ended now.
	Total, Ended int
	// Running are those waited for; Lost those on nodes that are gone, of which
	// which cannot be known to have ended.
	Running, Lost []AllocationRef
}

// StillRunningError says that containers of a job had not ended in time.
type StillRunningError struct {
	JobID string
	// Waited is how long they were given, 0 if there was no wait.
	Waited  time.Duration
	Running []AllocationRef
}

// namedAtMost is how many containers or reasons a message lists.
const namedAtMost = 5

// Error implements error.
func (e *StillRunningError) Error() string {
	waited := ""
	if e.Waited > 0 {
		waited = fmt.Sprintf(" after %s", e.Waited)
	}
	if len(e.Running) == 0 {
		return fmt.Sprintf("job %q: Nomad has not finished stopping it%s", e.JobID, waited)
	}
	var names []string
	for _, r := range e.Running {
		names = append(names, r.String())
	}
	return fmt.Sprintf("job %q: %d containers still run%s: %s", e.JobID, len(e.Running), waited, some(names, ", "))
}

// some joins the first few of a list and counts the rest.
func some(list []string, sep string) string {
	if rest := len(list) - namedAtMost; rest > 0 {
		list = append(list[:namedAtMost:namedAtMost], fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(list, sep)
}

// WaitStopped waits until every allocation of a stopped job has ended on its
// node, for at most timeout; then the error is a *StillRunningError.
// Allocations on lost nodes are not waited for but returned. report, which may
// be nil, is called in this goroutine at every change.
//
// A job that is purged or unknown counts as stopped: with the job Nomad
// forgets its allocations, also those that still run. So wait before purging.
func (c *Client) WaitStopped(ctx context.Context, jobID string, timeout time.Duration, report func(StopProgress)) (lost []AllocationRef, err error) {
	bounded, over, cancel := within(ctx, timeout)
	defer cancel()
	var last StopProgress
	lost, err = c.waitStopped(bounded, jobID, func(p StopProgress) {
		last = p
		if report != nil {
			report(p)
		}
	})
	if err != nil && over() {
		return last.Lost, &StillRunningError{JobID: jobID, Waited: timeout, Running: last.Running}
	}
	return lost, err
}

func (c *Client) waitStopped(ctx context.Context, jobID string, report func(StopProgress)) ([]AllocationRef, error) {
	evals, allocs := c.watchEvaluations(jobID), c.watchAllocations(jobID, true)
	down := map[string]bool{}
	job, err := c.Job(ctx, jobID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	before, err := c.endedBefore(ctx, job, jobID)
	if err != nil {
		return nil, err
	}
	for {
		// An evaluation under way may have been started before the stop, and
		// still place containers.
		if err := settled(ctx, evals); err != nil {
			return nil, err
		}
		list, changed, err := allocs.next(ctx)
		if err != nil {
			return nil, err
		}
		live, lost := split(list)
		if len(live) > 0 && !changed {
			c.stopForgotten(ctx, job, live)
			_, gone, err := c.withoutLostNodes(ctx, live)
			if err != nil {
				return nil, err
			}
			clear(down)
			for _, a := range gone {
				down[a.ID] = true
			}
		}
		var running []*api.AllocationListStub
		for _, a := range live {
			if down[a.ID] {
				lost = append(lost, a)
			} else {
				running = append(running, a)
			}
		}
		total := 0
		for _, a := range list {
			if !before(a) {
				total++
			}
		}
		p := StopProgress{Total: total, Ended: total - len(running) - len(lost), Running: refs(running), Lost: refs(lost)}
		report(p)
		if len(running) > 0 {
			evals.index = 0
			continue
		}
		// Nothing runs in a list that was read after the last evaluation: that
		// is the end. A watched list may be older.
		if done, err := c.stoppedNow(ctx, jobID, len(list)); done || err != nil {
			return p.Lost, err
		}
		evals.index, allocs.index = 0, 0
	}
}

// stopForgotten stops allocations of a stopped job that Nomad wants to run on,
// although nothing is left to be decided: before 1.11.1 it may forget those that
// it was placing when the job was stopped. It is an attempt: where it fails, the
// wait ends in time, and names them.
func (c *Client) stopForgotten(ctx context.Context, job *api.Job, live []*api.AllocationListStub) {
	if job == nil || !value(job.Stop) {
		return
	}
	for _, a := range live {
		// A later version is somebody else's, who has started the job again.
		if a.DesiredStatus == api.AllocDesiredStatusRun && a.JobVersion <= value(job.Version) {
			_ = c.StopAllocation(ctx, a.ID)
		}
	}
}

// endedBefore tells the allocations of a job that the stop did not end: those
// of earlier versions, and failed ones that were replaced. Nomad touches them
// once more when a job is stopped, so their indexes and times say nothing.
// For a job that is gone, nil, all that has ended counts as ended before.
func (c *Client) endedBefore(ctx context.Context, job *api.Job, jobID string) (func(*api.AllocationListStub) bool, error) {
	list, err := c.Allocations(ctx, jobID)
	if err != nil {
		return nil, err
	}
	newest := map[string]*api.AllocationListStub{}
	for _, a := range list {
		if last := newest[a.Name]; last == nil || last.CreateIndex < a.CreateIndex {
			newest[a.Name] = a
		}
	}
	before := map[string]bool{}
	for _, a := range list {
		if live, lost := split([]*api.AllocationListStub{a}); len(live)+len(lost) == 0 {
			before[a.ID] = job == nil || a != newest[a.Name] || a.JobVersion < ranVersion(job)
		}
	}
	return func(a *api.AllocationListStub) bool { return before[a.ID] }, nil
}

// ranVersion is the version of a job that runs, or ran until it was stopped:
// stopping a job makes a version too.
func ranVersion(job *api.Job) uint64 {
	if v := value(job.Version); value(job.Stop) && v > 0 {
		return v - 1
	}
	return value(job.Version)
}

// stoppedNow says whether nothing is under way for a job of which total
// allocations were seen and had ended.
func (c *Client) stoppedNow(ctx context.Context, jobID string, total int) (bool, error) {
	evals, _, err := c.watchEvaluations(jobID).next(ctx)
	if err != nil || pending(evals) {
		return false, err
	}
	list, err := c.Allocations(ctx, jobID)
	// Nomad may drop ended ones in between; new ones are what matters.
	return len(list) <= total, err
}

// settled waits until no evaluation of a job is under way.
func settled(ctx context.Context, evals *watcher[*api.Evaluation]) error {
	for {
		list, _, err := evals.next(ctx)
		if err != nil || !pending(list) {
			return err
		}
	}
}

// pending says whether an evaluation is under way. One that waits for its
// time, to place a failed container again, finds the job stopped.
func pending(evals []*api.Evaluation) bool {
	for _, e := range evals {
		if e.Status == api.EvalStatusPending && e.WaitUntil.IsZero() {
			return true
		}
	}
	return false
}
