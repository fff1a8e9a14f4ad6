package submit

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// check refuses everything that can be known to fail before anything is
// written. First come the rules on what there is, then the servers, which are
// asked at the same time.
func (s *submission) check(ctx context.Context) error {
	if err := jobspec.CheckReach(s.m.in.Settings, s.m.Package.URI); err != nil {
		return fmt.Errorf("submit topology %q: %w", s.name, err)
	}
	if err := s.checkPending(ctx); err != nil {
		return err
	}
	rights, err := s.checkState()
	if err == nil {
		err = s.checkJob()
	}
	if err == nil {
		err = s.checkSize()
	}
	if err != nil {
		return err
	}
	s.warnOfHeap()
	return inParallel(ctx,
		func(ctx context.Context) error { return s.checkRights(ctx, rights) },
		func(ctx context.Context) error { return checkRegister(ctx, s.cl.Jobs, s.m.Job) },
		s.cl.Uploader.Check,
	)
}

// inParallel runs the checks at the same time and returns the error of the first in
// the list that failed.
func inParallel(ctx context.Context, checks ...func(context.Context) error) error {
	errs := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { errs[i] = check(ctx) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkPending decides what to do about an operation that has not ended: one
// that is under way is an error, one that died is continued or cleaned up.
func (s *submission) checkPending(ctx context.Context) error {
	dead := s.there.Pending
	if dead == nil {
		return nil
	}
	if dead.Alive {
		return &operation.BusyError{Topology: s.name, Owner: dead.Intent.Owner}
	}
	if err := cluster.CheckPlace(s.m.in.Settings.Nomad, dead.Intent); err != nil {
		return err
	}
	if err := s.checkFinished(ctx); err != nil {
		return err
	}
	s.resume = s.canResume()
	return nil
}

// canResume says whether this submission would write the very same as the one
// that died: then everything that is there already is its own.
func (s *submission) canResume() bool {
	i, m := s.there.Pending.Intent, s.m
	return i.Operation == statemgr.OperationSubmit && i.Request != "" && i.Request == m.in.Request &&
		i.TopologyID == m.Definition.ID() && i.SubmittedAt.Unix() == m.in.Now.Unix() &&
		s.cl.Uploader.Capabilities().FixedNames &&
		i.Package.Uploader == m.in.Settings.Upload.Kind && i.Package.Name == m.PackageName && i.Package.URI == m.Package.URI
}

// checkFinished refuses where the operation that died left a topology that
// runs. One whose submission had completed only misses the removal of its
// intent. An operation that neither makes nor removes a topology has left it
// whole, whatever its job looks like from here.
func (s *submission) checkFinished(ctx context.Context) error {
	job, dead := s.there.Job, s.there.Pending
	id := dead.Intent.TopologyID
	if !dead.Intent.Partial() && s.there.Definition.There {
		return outcome.Errorf(outcome.Exists, "topology %q already exists at %s, and %s died at the step %q; replace it, kill it first, or submit under another name",
			s.name, s.there.Definition.Path, dead.Intent.Owner, dead.Intent.Step)
	}
	running := job != nil && job.Meta[jobspec.MetaTopologyID] == id && !jobspec.Stopped(job)
	switch {
	case dead.Intent.Operation != statemgr.OperationSubmit && (running || len(s.there.Originals) > 0):
		return outcome.WithRemedy(outcome.Errorf(outcome.Exists, "topology %q: %s died at the step %q and left it in place",
			s.name, dead.Intent.Owner, dead.Intent.Step), s.remedy())
	case !running:
		return nil
	case !s.there.Complete(id):
		return outcome.WithRemedy(outcome.Errorf(outcome.Exists, "job %s of a submit that died is running, although the state of topology %q is incomplete",
			*job.ID, s.name), s.remedy())
	}
	drop := statemgr.Delete(s.cl.State.Operation(s.name)).At(dead.Version)
	if err := s.cl.State.Apply(ctx, drop); err != nil {
		s.cl.Progress.Warn(operation.Remove, outcome.Resource{Kind: outcome.Claim, ID: drop.Path}, "could not remove it, which does no harm", err)
	}
	operation.Sweep(ctx, s.cl.State, s.cl.Progress, s.name)
	return outcome.Errorf(outcome.Exists, "topology %q already exists at %s: the submit that was killed had already completed, as id %s; replace it, kill it first, or submit under another name",
		s.name, s.there.Definition.Path, id)
}

// checkState refuses a name whose state is there, in part or whole, unless the
// operation that died left it. It returns operations like those to come, for
// asking whether the store would let us do them.
func (s *submission) checkState() ([]statemgr.Op, error) {
	dead := s.there.Pending
	s.oldState = dead != nil && !s.resume && dead.Intent.Partial() && s.there.Of(dead.Intent.TopologyID)
	rights := s.claimRights()
	for _, op := range s.m.State {
		data, there := s.there.Data(op.Path)
		switch {
		case !there:
			rights = append(rights, op)
		case s.oldState:
			rights = append(rights, statemgr.Delete(op.Path))
		case s.resume && string(data) == string(op.Data):
		case s.there.Definition.There:
			return nil, outcome.Errorf(outcome.Exists, "topology %q already exists at %s; replace it, kill it first, or submit under another name",
				s.name, s.there.Definition.Path)
		default:
			return nil, outcome.WithRemedy(outcome.Errorf(outcome.Exists, "%s is left of an earlier topology %q", op.Path, s.name), s.remedy())
		}
	}
	return rights, nil
}

// checkSize refuses a state that the store could not take.
func (s *submission) checkSize() error {
	tree := s.cl.State
	guards := []statemgr.Op{statemgr.Check(tree.Owner(s.name, anyToken)), statemgr.Check(tree.Operation(s.name))}
	if err := tree.CheckSize(append(guards, s.m.writes()...)...); err != nil {
		return fmt.Errorf("submit topology %q: %w", s.name, err)
	}
	return nil
}

// anyToken stands for the token that the claim's owner will have.
const anyToken = "0000000000000000"

// claimRights are operations like those on the intent and its owner's node.
func (s *submission) claimRights() []statemgr.Op {
	path := s.cl.State.Operation(s.name)
	owner := s.cl.State.Owner(s.name, anyToken)
	ops := []statemgr.Op{statemgr.Create(owner, nil), statemgr.Delete(owner)}
	if s.there.Pending != nil {
		return append(ops, statemgr.Set(path, nil), statemgr.Delete(path))
	}
	return append(ops, statemgr.Create(path, nil), statemgr.Delete(path))
}

func (s *submission) checkRights(ctx context.Context, ops []statemgr.Op) error {
	if err := s.cl.State.CheckRights(ctx, ops...); err != nil {
		return fmt.Errorf("submit topology %q: %w", s.name, err)
	}
	return nil
}

// checkJob refuses a job of ours that still runs, and any that is not ours.
func (s *submission) checkJob() error {
	job := s.there.Job
	switch {
	case job == nil:
		return nil
	case !jobspec.SameMarks(job, s.m.Job):
		return foreignJob(s.cl.JobResource(*job.ID))
	case jobspec.Stopped(job):
		s.stopped = job
		return nil
	}
	return outcome.WithRemedy(outcome.Errorf(outcome.Exists, "job %s is running although the state of topology %q is gone", *job.ID, s.name), s.remedy())
}

// checkRegister finds out whether Nomad would take a job, from this token and
// at all. The forecast is of no containers, so that it costs the same for any
// topology; whether there is room is no reason to refuse.
func checkRegister(ctx context.Context, jobs cluster.Jobs, job *api.Job) error {
	empty, none := *job, 0
	empty.TaskGroups = nil
	for _, g := range job.TaskGroups {
		group := *g
		group.Count = &none
		empty.TaskGroups = append(empty.TaskGroups, &group)
	}
	if _, err := jobs.Forecast(ctx, &empty); err != nil {
		return fmt.Errorf("ask Nomad whether it would take job %s: %w", *job.ID, err)
	}
	return nil
}

func foreignJob(job outcome.Resource) error {
	return outcome.Errorf(outcome.Exists, "%s is not a topology of this cluster and state root; rename the topology or remove that job", job)
}
