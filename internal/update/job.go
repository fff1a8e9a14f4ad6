package update

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// grow adds containers and waits until they run. The executor of one that is
// not in the plan yet idles.
func (u *updating) grow(ctx context.Context) error { return u.resize(ctx, u.need()) }

// ungrow takes them away again.
func (u *updating) ungrow(ctx context.Context) (bool, error) {
	return true, u.resize(ctx, u.count())
}

// resize gives the job a count, waits until as many containers run and sees that
// they are the right ones.
func (u *updating) resize(ctx context.Context, count int) error {
	if err := u.setCount(ctx, count); err != nil {
		return err
	}
	if err := u.awaitContainers(ctx, count); err != nil {
		return err
	}
	return u.settle(ctx, count)
}

// setCount changes the count of the job as it is now.
func (u *updating) setCount(ctx context.Context, count int) error {
	if err := u.guard(ctx); err != nil {
		return err
	}
	job, err := u.read(ctx)
	if err != nil {
		return err
	}
	if job, err = u.Cluster.SetCount(ctx, job, count); err == nil {
		u.job = job
	}
	return err
}

// read reads the job, which must still be this topology's.
func (u *updating) read(ctx context.Context) (*api.Job, error) {
	job, err := u.Cluster.Jobs.Job(ctx, *u.job.ID)
	if err != nil {
		return nil, err
	}
	if err := u.sameRun(job); err != nil {
		return nil, err
	}
	u.job = job
	return job, nil
}

func (u *updating) awaitContainers(ctx context.Context, count int) error {
	what := outcome.Resource{Kind: outcome.Containers, ID: *u.job.ID}
	return u.Cluster.Jobs.WaitRunning(ctx, *u.job.ID, count, u.limit, func(p nomad.RunProgress) {
		u.Cluster.Progress.Send(progress.Event{State: progress.Advanced, Step: "start", What: what, Done: int64(p.Running), Total: int64(p.Want), Unit: "containers"})
	})
}

// settle sees that the containers are exactly those of a count.
func (u *updating) settle(ctx context.Context, count int) error {
	err := u.Cluster.SettleIndexes(ctx, cluster.Settle{
		Topology: u.Name, ID: u.ID(), JobID: *u.job.ID, Containers: count, Limit: u.limit, Guard: u.guard,
	})
	if err != nil {
		return err
	}
	_, err = u.read(ctx)
	return err
}

// roll registers the job for the new plan; Nomad replaces its containers.
func (u *updating) roll(ctx context.Context) error { return u.setSpec(ctx, u.spec) }

// dropAdded gives a job that has grown the count that it had, and sees that the
// containers which stay are the right ones. One that was added may be why this is
// undone, and never run, so undoing waits for the others alone. Where it is done
// before the state is back, its TManager has an incomplete plan until then.
func (u *updating) dropAdded(ctx context.Context) error {
	if u.count() >= u.need() {
		return nil
	}
	job, err := u.read(ctx)
	if err != nil || cluster.CountOf(job) <= u.count() {
		return err
	}
	if err := u.setCount(ctx, u.count()); err != nil {
		return err
	}
	return u.settle(ctx, u.count())
}

// unroll registers the job as it was.
func (u *updating) unroll(ctx context.Context) (bool, error) {
	if err := u.dropAdded(ctx); err != nil {
		return false, err
	}
	if err := u.setSpec(ctx, u.There.Job); err != nil {
		return false, err
	}
	return true, u.awaitContainers(ctx, cluster.CountOf(u.job))
}

func (u *updating) setSpec(ctx context.Context, spec *api.Job) error {
	if err := u.guard(ctx); err != nil {
		return err
	}
	job, err := u.read(ctx)
	if err != nil {
		return err
	}
	if job, err = u.Cluster.Jobs.SetSpec(ctx, job, spec); err == nil {
		u.job = job
	}
	return err
}

// shrink takes away the containers that the plan does not have any more, and
// sees that those which stay are the right ones.
func (u *updating) shrink(ctx context.Context) error {
	job, err := u.read(ctx)
	if err != nil {
		return err
	}
	if cluster.CountOf(job) > u.need() {
		if err := u.awaitSteady(ctx); err != nil {
			return err
		}
		if err := u.setCount(ctx, u.need()); err != nil {
			return err
		}
	}
	return u.settle(ctx, u.need())
}

// unshrink gives the job the count that it had.
func (u *updating) unshrink(ctx context.Context) (bool, error) {
	if u.count() <= u.need() {
		return false, nil
	}
	return true, u.resize(ctx, u.count())
}

// awaitSteady waits until no container is being moved and each that stays runs.
// Nomad takes away first what it is moving, and from 2.0.4 on what has failed,
// whatever the index. Failed containers are started anew, once.
func (u *updating) awaitSteady(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, u.limit)
	defer cancel()
	tick := time.NewTicker(cluster.PlanPoll)
	defer tick.Stop()
	asked, said := false, ""
	for {
		why, failed, err := u.unsteady(bounded)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && bounded.Err() == nil:
			return err
		case err == nil && why == "":
			return nil
		}
		if failed && !asked {
			if err := u.guard(bounded); err != nil {
				return err
			}
			if err := u.Cluster.Jobs.RescheduleFailed(bounded, *u.job.ID); err != nil && bounded.Err() == nil {
				return err
			}
			asked = true
		}
		if err == nil && why != said {
			u.Cluster.Progress.Warn("wait for", outcome.Resource{Kind: outcome.Containers, ID: *u.job.ID}, "no container is taken away while "+why, nil)
			said = why
		}
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("no container can be taken away: after %s, %s", u.limit, why)
		case <-tick.C:
		}
	}
}

// unsteady says why nothing may be taken away now, "" for nothing; failed says
// that containers have failed and are not replaced yet.
func (u *updating) unsteady(ctx context.Context) (why string, failed bool, err error) {
	settled, err := u.Cluster.Jobs.Settled(ctx, *u.job.ID)
	if err != nil {
		return "", false, err
	}
	list, err := u.Cluster.Jobs.Containers(ctx, *u.job.ID)
	if err != nil {
		return "", false, err
	}
	moving, err := u.Cluster.Jobs.Migrating(ctx, list)
	if err != nil {
		return "", false, err
	}
	if len(moving) > 0 {
		var indexes []int
		for _, c := range moving {
			indexes = append(indexes, c.Index)
		}
		slices.Sort(indexes)
		return "containers " + cluster.Ranges(slices.Compact(indexes)) + " are being moved", false, nil
	}
	running := map[int]bool{}
	for _, c := range list {
		running[c.Index] = running[c.Index] || c.Running()
		failed = failed || c.Failed()
	}
	var absent []int
	for index := range u.need() {
		if !running[index] {
			absent = append(absent, index)
		}
	}
	switch {
	case len(absent) > 0:
		return "containers " + cluster.Ranges(absent) + " do not run", failed, nil
	case !settled:
		return "Nomad is deciding about the job", false, nil
	}
	return "", false, nil
}

// sameRun says whether a job is of this topology id.
func (u *updating) sameRun(job *api.Job) error {
	if got, want := job.Meta[metaID], u.ID(); got != want {
		return errors.New("the job is of topology id " + got + " now, not of " + want)
	}
	return nil
}
