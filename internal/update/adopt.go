package update

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/subject"
)

// checkJobs demands the jobs of the topology: the one of its name, or those of
// the original client, which an update that died may have stopped or replaced.
func (s *sight) checkJobs() error {
	s.adopts = len(s.There.Originals) > 0
	if !s.adopts || s.dead == subject.DeadNone || s.dead == subject.DeadOver {
		if s.adopts && s.There.Job != nil {
			return s.Errorf(outcome.Differs, "it has both job %s and %d jobs of the original client; stop those that are not to be there", *s.There.Job.ID, len(s.There.Originals))
		}
		return s.CheckJobs()
	}
	if err := s.CheckMarks(); err != nil {
		return err
	}
	if job := s.There.Job; job != nil && job.Meta[metaID] != s.ID() {
		return s.Broken(s.Errorf(outcome.Differs, "job %s is of topology id %s, not %s", *job.ID, job.Meta[metaID], s.ID()))
	}
	if s.dead == subject.DeadOther && (s.moved() || s.CheckJobs() != nil) {
		return s.Errorf(outcome.Differs, "%s died while it made one job of those of the original client; repeat that command first, or kill the topology", s.There.Pending.Intent.Owner)
	}
	return nil
}

// moved says that the state is that of a topology with one job: an update that
// died has written it. Then there is no way back to the original's jobs.
func (s *sight) moved() bool {
	return s.There.Record.Known() && s.There.Record.Value.TopologyID == s.ID() // not one of an earlier topology
}

// moves tells what becomes of the jobs of the original client.
func (d *decision) moves() string {
	return fmt.Sprintf("the original client put it up with a job for each of its containers; the %d jobs are stopped and become one, so all containers are started anew", len(d.There.Originals))
}

// adopt makes the job that takes the place of those of the original client.
func (d *decision) adopt() error {
	script, err := os.ReadFile(d.Cluster.Settings.Nomad.Script)
	if err != nil {
		return outcome.Errorf(outcome.Usage, "read the start script (heron.scheduler.job.template): %w", err)
	}
	d.spec, err = jobspec.Adopt(jobspec.Spec{
		Settings: d.Cluster.Settings, Definition: d.There.Definition.Value, Plan: d.plan.Homogeneous(), Script: string(script),
	}, d.There.Originals[0])
	if err != nil {
		return fmt.Errorf("update topology %q, which the original client put up: %w; kill it and submit it again", d.Name, err)
	}
	return nil
}

// adoptSteps are those of an update that makes one job of those of the original
// client. Once an update that died has written the state, there is only forward.
func (u *updating) adoptSteps() []operation.Step {
	job, self := u.Cluster.JobResource(*u.job.ID), u.Resource()
	stop := operation.Step{Mark: stepStop, Action: operation.Stop, Of: self, Do: u.stopOriginals, Stays: true}
	state := operation.Step{Mark: stepState, Action: operation.Write, Of: u.Cluster.StateResource(u.Name), Do: u.writeAdopted, Stays: true}
	register := operation.Step{Mark: stepRegister, Action: operation.Register, Of: job, Do: u.register, Stays: true}
	var list []operation.Step
	if !u.moved() {
		stop.Stays, state.Stays, register.Stays = false, false, false
		stop.Undo, state.Undo, register.Undo = u.startOriginals, u.restoreAdopted, u.unregister
		if u.ran() && u.There.Pending == nil {
			list = append(list, operation.Step{Mark: stepDeactivate, Action: "deactivate", Of: self, Do: u.deactivate, Undo: u.reactivate})
		}
	}
	list = append(list, stop, state, register,
		operation.Step{Mark: stepPlan, Action: "wait for", Of: outcome.Resource{Kind: outcome.PhysicalPlan, ID: u.Name}, Do: u.awaitPlan},
		operation.Step{Mark: stepActivate, Action: "activate", Of: self, Do: u.activate})
	if u.opts.Rollback && u.opts.Wait > 0 {
		list = append(list, operation.Step{Mark: stepWait, Action: "wait for", Of: self, Do: u.waitFurther})
	}
	return list
}

// adoptionFailed keeps the intent of an adoption that cannot be undone, so that
// the same command finishes it.
func (u *updating) adoptionFailed(err error) error {
	if !u.moved() || errors.As(err, new(*operation.Failure)) {
		return err
	}
	return u.left("update", u.Resource(), err)
}

// endings bounds how many jobs are waited for at a time.
const endings = 32

// stopOriginals stops the jobs of the original client and waits until their
// containers have ended. It keeps the jobs, to start them again.
func (u *updating) stopOriginals(ctx context.Context) error {
	for _, job := range u.There.Originals {
		if err := u.guard(ctx); err != nil {
			return err
		}
		if job.Stop != nil && *job.Stop {
			continue
		}
		if err := u.Cluster.Jobs.Stop(ctx, job); err != nil && !errors.Is(err, nomad.ErrNotFound) {
			return err
		}
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(endings)
	for _, job := range u.There.Originals {
		group.Go(func() error { return u.Cluster.AwaitEnd(inner, *job.ID) })
	}
	return group.Wait()
}

// startOriginals undoes stopOriginals: it registers the jobs as they were, waits
// until they run and puts the topology in the state that it had.
func (u *updating) startOriginals(ctx context.Context) (bool, error) {
	if u.stuck != nil {
		return false, fmt.Errorf("its jobs of the original client were not started again: %w", u.stuck)
	}
	started := false
	var ids []string
	for _, was := range u.There.Originals {
		if err := u.guard(ctx); err != nil {
			return false, err
		}
		did, err := u.startOriginal(ctx, was)
		if err != nil {
			return false, err
		}
		started = started || did
		ids = append(ids, *was.ID)
	}
	if !started {
		return false, nil
	}
	if err := u.Cluster.AwaitOriginals(ctx, cluster.Running{Name: u.Name, ID: u.ID(), Limit: u.limit}, ids); err != nil {
		return false, err
	}
	return true, u.setState(ctx, u.was)
}

func (u *updating) startOriginal(ctx context.Context, was *api.Job) (bool, error) {
	job := *was
	job.Stop, job.Version, job.Status = new(false), nil, nil
	there, err := u.Cluster.Jobs.Job(ctx, *was.ID)
	switch {
	case errors.Is(err, nomad.ErrNotFound):
		_, err = u.Cluster.Jobs.RegisterNew(ctx, &job)
	case err != nil:
	case there.Stop == nil || !*there.Stop:
		return false, nil
	default:
		_, err = u.Cluster.Jobs.TakeOver(ctx, &job, there)
	}
	return err == nil, err
}

// register registers the one job, unless an earlier run has.
func (u *updating) register(ctx context.Context) error {
	if err := u.guard(ctx); err != nil {
		return err
	}
	there, err := u.Cluster.Jobs.Job(ctx, *u.spec.ID)
	switch {
	case errors.Is(err, nomad.ErrNotFound):
		_, err = u.Cluster.Jobs.RegisterNew(ctx, u.spec)
	case err != nil:
		return err
	case u.sameRun(there) != nil:
		return &nomad.ExistsError{Job: there}
	case there.Stop != nil && *there.Stop:
		_, err = u.Cluster.Jobs.TakeOver(ctx, u.spec, there)
	}
	if err != nil {
		return err
	}
	_, err = u.read(ctx)
	return err
}

// unregister takes the one job away, with its containers.
func (u *updating) unregister(ctx context.Context) (did bool, err error) {
	defer func() { u.stuck = errors.Join(u.stuck, err) }()
	if err := u.guard(ctx); err != nil {
		return false, err
	}
	there, err := u.Cluster.Jobs.Job(ctx, *u.spec.ID)
	switch {
	case errors.Is(err, nomad.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case u.sameRun(there) != nil:
		return false, nil // somebody else's
	}
	return true, u.Cluster.EndJob(ctx, there, u.ID())
}

// purgeOriginals removes the stopped jobs of the original client, once the
// topology works with its one job. It is not undone: the same command finishes
// it.
func (u *updating) purgeOriginals(ctx context.Context) error {
	for _, job := range u.There.Originals {
		what := u.Cluster.JobResource(*job.ID)
		u.Cluster.Progress.Begin(operation.Remove, what)
		err := u.guard(ctx)
		if err == nil {
			err = u.Cluster.Jobs.PurgeOwned(ctx, *job.ID, u.ID())
		}
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return u.left(operation.Remove, what, fmt.Errorf("the topology works with its one job, but those of the original client are still there: %w", err))
		}
	}
	for _, dir := range jobspec.OriginalFolders(u.There.Originals) {
		u.Cluster.Progress.Warn(operation.Remove, outcome.Resource{Kind: outcome.File, ID: dir, Where: "the nodes that ran it"}, "kept: containers of the original client wrote there", nil)
	}
	return nil
}
