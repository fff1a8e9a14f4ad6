package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Settle says which containers a topology's job must have.
type Settle struct {
	// Topology is the name, ID the topology's id.
	Topology, ID string
	JobID        string
	// Containers is how many there must be, that of the TManager included.
	Containers int
	// Limit is the longest wait.
	Limit time.Duration
	// Guard, unless nil, is asked before each write; its error ends all: another
	// operation may have taken over.
	Guard func(context.Context) error
}

// repairLimit is how often a set of indexes is repaired before that counts as
// hopeless.
const repairLimit = 8

// SettleIndexes returns when Nomad has decided everything about a topology's
// job and its containers are exactly 0 to Containers-1, each once, all of the
// same topology id. It is for use after every write that can place or stop
// containers, when a changed spec has been rolled out: Nomad promises the
// indexes only as "best effort", and does not mend a set that is wrong.
//
// A wrong set is repaired. Containers of another topology id, and more than the
// job wants, are stopped by id. Where a wrong index keeps a right one from being
// there, the count goes down, which takes the wrong ones away, and up again, for
// Nomad gives new containers the lowest free indexes: a stopped one would come
// back under its old index. Containers that are right run on untouched.
//
// What cannot be repaired in time is an error of kind LeftBehind, whose remedy
// is the same command once more.
func (c Cluster) SettleIndexes(ctx context.Context, s Settle) error {
	bounded, cancel := context.WithTimeout(ctx, s.Limit)
	defer cancel()
	w := settling{c: c, s: s}
	err := w.run(bounded)
	switch {
	case err == nil, ctx.Err() != nil, outcome.KindOf(err) == outcome.Busy:
		return err
	case bounded.Err() != nil:
		if err = w.missing(err); err == nil {
			return nil
		}
		err = fmt.Errorf("not so after %s: %w", s.Limit, err)
	}
	r := c.KillRemedy(s.Topology)
	r.Action = outcome.Repeat
	return outcome.WithRemedy(outcome.Errorf(outcome.LeftBehind, "the containers of job %s must be exactly 0 to %d: %w", s.JobID, s.Containers-1, err), r)
}

// settling is one run of SettleIndexes.
type settling struct {
	c Cluster
	s Settle

	repairs int
	// seen: what follows was read.
	seen bool
	// have is the last that was seen: the containers that Nomad wants to run, how
	// many others have not ended, and what is wrong.
	have    []nomad.Container
	ending  int
	indexes Indexes
}

// missing is why the set is not as it must be when the time is over, nil where
// only what was stopped has not ended: a node that is lost would hold that up for
// ever. last is what the time ended.
func (w *settling) missing(last error) error {
	switch {
	case !w.seen && errors.Is(last, context.DeadlineExceeded):
		return errors.New("where they go is not yet decided by Nomad")
	case !w.seen:
		return last
	case !w.indexes.Exact():
		return errors.New(w.indexes.String())
	}
	w.c.Progress.Warn("stop", outcome.Resource{Kind: outcome.Containers, ID: w.s.JobID}, fmt.Sprintf("%d that were stopped have not ended yet", w.ending), nil)
	return nil
}

func (w *settling) run(ctx context.Context) error {
	if _, err := w.restore(ctx); err != nil {
		return err
	}
	for {
		if err := w.settled(ctx, func() bool { return w.indexes.Wrong() || w.indexes.Exact() && w.ending == 0 }); err != nil {
			return err
		}
		if !w.indexes.Wrong() {
			return nil
		}
		if w.repairs++; w.repairs > repairLimit {
			return fmt.Errorf("%s, after %d repairs", w.indexes, repairLimit)
		}
		if err := w.repair(ctx); err != nil {
			return err
		}
	}
}

// settled reads until Nomad has nothing to decide and is says so.
func (w *settling) settled(ctx context.Context, is func() bool) error {
	tick := time.NewTicker(PlanPoll)
	defer tick.Stop()
	for {
		done, err := w.c.Jobs.Settled(ctx, w.s.JobID)
		if err != nil {
			return err
		}
		if done {
			// Read after the last decision, so that nothing of it is missed.
			if err := w.read(ctx); err != nil {
				return err
			}
			if is() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// read looks at the containers.
func (w *settling) read(ctx context.Context) error {
	list, err := w.c.Jobs.Containers(ctx, w.s.JobID)
	if err != nil {
		return err
	}
	w.have, w.ending = nil, 0
	for _, one := range list {
		switch {
		// One that has failed and must not be there comes back, if nothing is done.
		case one.Live() && one.Desired == api.AllocDesiredStatusRun, one.Failed() && one.Index >= w.s.Containers:
			w.have = append(w.have, one)
		case one.Live():
			w.ending++
		}
	}
	metas, err := w.c.Jobs.VersionMeta(ctx, w.s.JobID)
	if err != nil {
		return err
	}
	var placed []Placed
	for _, one := range w.have {
		placed = append(placed, Placed{Index: one.Index, Allocation: one.ID, TopologyID: metas[one.JobVersion][jobspec.MetaTopologyID]})
	}
	w.indexes, w.seen = CheckIndexes(w.s.Containers, w.s.ID, placed), true
	return nil
}

// repair does one thing about a wrong set.
func (w *settling) repair(ctx context.Context) error {
	what := outcome.Resource{Kind: outcome.Containers, ID: w.s.JobID}
	w.c.Progress.Warn("check", what, "the indexes are wrong, which is repaired: "+w.indexes.String(), nil)
	if len(w.indexes.Foreign) > 0 {
		return w.stop(ctx, w.indexes.Foreign[0])
	}
	job, err := w.restore(ctx)
	if job == nil || err != nil {
		return err
	}
	if len(w.have) > w.s.Containers {
		return w.takeAway(ctx, w.extra())
	}
	indexes := make([]int, 0, len(w.have))
	for _, one := range w.have {
		indexes = append(indexes, one.Index)
	}
	fewer := downTo(w.s.Containers, indexes)
	if err := w.count(ctx, job, fewer); err != nil {
		return err
	}
	if err := w.settled(ctx, func() bool { return len(w.have) <= fewer && w.ending == 0 }); err != nil {
		return err
	}
	if job, err = w.c.Jobs.Job(ctx, w.s.JobID); err != nil {
		return err
	}
	return w.count(ctx, job, w.s.Containers)
}

// restore gives the job its count where it has another one, for instance
// because an earlier run died in a repair; then it returns no job.
func (w *settling) restore(ctx context.Context) (*api.Job, error) {
	job, err := w.c.Jobs.Job(ctx, w.s.JobID)
	if err != nil {
		return nil, err
	}
	switch id := job.Meta[jobspec.MetaTopologyID]; {
	case id != w.s.ID:
		return nil, fmt.Errorf("the job is of topology id %s, not of %s", id, w.s.ID)
	case len(job.TaskGroups) != 1 || job.TaskGroups[0].Count == nil:
		return nil, fmt.Errorf("the job has %d groups, so it is not a topology's", len(job.TaskGroups))
	case *job.TaskGroups[0].Count != w.s.Containers:
		return nil, w.count(ctx, job, w.s.Containers)
	}
	return job, nil
}

// extra is a container that must not be there: the one with the highest index
// above the plan, or else the younger one of a double.
func (w *settling) extra() (found *nomad.Container) {
	seen := map[int]bool{}
	for i, one := range w.have {
		if one.Index < 0 || one.Index >= w.s.Containers || seen[one.Index] {
			found = &w.have[i]
		}
		seen[one.Index] = true
	}
	return found
}

// takeAway ends a container that is too many, which Nomad does not replace. One
// that has failed cannot be stopped before it is there again.
func (w *settling) takeAway(ctx context.Context, one *nomad.Container) error {
	if !one.Failed() {
		return w.stop(ctx, one.ID)
	}
	if err := w.guard(ctx); err != nil {
		return err
	}
	return w.c.Jobs.RescheduleFailed(ctx, w.s.JobID)
}

func (w *settling) guard(ctx context.Context) error {
	if w.s.Guard == nil {
		return nil
	}
	return w.s.Guard(ctx)
}

func (w *settling) stop(ctx context.Context, allocation string) error {
	if err := w.guard(ctx); err != nil {
		return err
	}
	err := w.c.Jobs.StopAllocation(ctx, allocation)
	if errors.Is(err, nomad.ErrNoAllocation) {
		return nil // read again and decide anew
	}
	return err
}

func (w *settling) count(ctx context.Context, job *api.Job, n int) error {
	if err := w.guard(ctx); err != nil {
		return err
	}
	_, err := w.c.SetCount(ctx, job, n)
	if errors.Is(err, nomad.ErrConflict) {
		return nil // read again and decide anew
	}
	return err
}
