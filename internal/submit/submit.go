package submit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Options change what Submit does beyond the deployment.
type Options struct {
	// Wait makes Submit return only when the topology runs, or when the time
	// is over; zero for no wait.
	Wait time.Duration
}

// Submitted is what a successful Submit has done.
type Submitted struct {
	Topology   string `json:"topology"`
	ID         string `json:"id"`
	Cluster    string `json:"cluster"`
	Role       string `json:"role"`
	Environ    string `json:"environ"`
	Job        string `json:"job"`
	Containers int    `json:"containers"`
	Package    string `json:"package"`
	Running    bool   `json:"running"`
	// Kept are packages of an earlier submission that died which could not be
	// removed.
	Kept []string `json:"kept,omitempty"`
}

// Submit carries a deployment out: package, state, job. Whatever fails, and
// when ctx ends, what this run made is removed again, in reverse order. With
// Wait, a topology that does not run in time stays: its error has ExitWait.
//
// Before anything else an intent is written, and it goes when all is done or
// undone. Where an earlier submission died, what it left is taken up if it was
// to make the very same, and removed otherwise.
func Submit(ctx context.Context, env Env, d *Deployment, opts Options) (*Submitted, error) {
	s, err := newSubmission(env, d)
	if err != nil {
		return nil, err
	}
	if err := s.preflight(ctx); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	plan := run{
		steps:  s.steps(),
		repair: d.killCommand(),
		report: env.Report, undoLimit: s.undoLimit(),
		unnamed: !s.env.Uploader.Capabilities().FixedNames,
	}
	if err := s.end(ctx, plan.carryOut(ctx)); err != nil {
		return nil, err
	}
	done := s.result()
	if opts.Wait > 0 {
		if err := s.wait(ctx, opts.Wait); err != nil {
			return done, err
		}
		done.Running = true
	}
	return done, nil
}

// killCommand is what a person types to remove what a submit left.
func (d *Deployment) killCommand() string {
	return killCommand(d.in.Settings, d.in.KillFlags, d.Definition.Name())
}

// killCommand is the command line that kills a topology, for a shell.
func killCommand(s *conf.Settings, flags, name string) string {
	words := []string{"heron kill"}
	if flags != "" {
		words = append(words, flags)
	}
	return strings.Join(append(words, s.Cluster+"/"+s.Role+"/"+s.Environ, name), " ")
}

// All carries several deployments out, one after the other. All are
// checked before the first one writes. The first failure ends it; what was
// submitted before stays and is returned beside the error.
func All(ctx context.Context, env Env, list []*Deployment, opts Options) ([]*Submitted, error) {
	for _, d := range list {
		s, err := newSubmission(env, d)
		if err == nil {
			err = s.preflight(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	var done []*Submitted
	for _, d := range list {
		result, err := Submit(ctx, env, d, opts)
		if result != nil {
			done = append(done, result)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func newSubmission(env Env, d *Deployment) (*submission, error) {
	env, err := env.with(d.in.Settings.Upload)
	return &submission{env: env, d: d, layout: statemgr.Layout{Root: d.in.Settings.State.Root}}, err
}

// submission is one run of Submit.
type submission struct {
	env    Env
	d      *Deployment
	layout statemgr.Layout
	// uploaded: the package is there. stateMade: this run made the state, or
	// may have. Another run with the same topology id can have made either, so
	// what is found is not ours for having our id.
	uploaded, stateMade bool
	// stopped is the stopped job of an earlier run that the new one replaces,
	// if there is one.
	stopped *api.Job

	// found is the intent of a submission that died, nil for none. resume says
	// that this one goes on with its work, oldState that it left a state which
	// has to go first.
	found            *begun
	resume, oldState bool
	// claim is this submission's own, kept what could not be removed of found.
	claim *claim
	kept  []string
}

// preflight checks all that can be checked before anything is written. The
// servers are asked at the same time; what is wrong with the state is told
// first, then the job, then the uploader.
func (s *submission) preflight(ctx context.Context) error {
	if err := jobspec.CheckReach(s.d.in.Settings, s.d.Package.URI); err != nil {
		return fmt.Errorf("submit topology %q: %w", s.d.Definition.Name(), err)
	}
	if err := s.lookBack(ctx); err != nil {
		return err
	}
	checks := []func(context.Context) error{s.checkState, s.checkNomad, s.env.Uploader.Check}
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

// checkJob refuses a job of ours that still runs, and any of somebody else's.
func (s *submission) checkJob(ctx context.Context) error {
	id := *s.d.Job.ID
	job, err := s.env.Jobs.Job(ctx, id)
	switch {
	case errors.Is(err, nomad.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("look for job %s: %w", id, err)
	case !jobspec.SameMarks(job, s.d.Job):
		return foreignJob(id, s.d.in.Settings.Nomad.Address)
	case job.Stop != nil && *job.Stop:
		s.stopped = job
		return nil
	}
	return outcome.Errorf(outcome.Exists, "job %s runs although the state of topology %q is gone; remove it with: %s",
		id, s.d.Definition.Name(), s.d.killCommand())
}

// checkNomad refuses what Nomad would.
func (s *submission) checkNomad(ctx context.Context) error {
	if err := s.checkJob(ctx); err != nil {
		return err
	}
	return s.checkRegister(ctx)
}

// checkRegister finds out whether Nomad would take the job, from this token
// and at all. The forecast is of no containers, so that it costs the same for
// any topology; whether there is room is no reason to refuse.
func (s *submission) checkRegister(ctx context.Context) error {
	empty, none := *s.d.Job, 0
	empty.TaskGroups = nil
	for _, g := range s.d.Job.TaskGroups {
		group := *g
		group.Count = &none
		empty.TaskGroups = append(empty.TaskGroups, &group)
	}
	if _, err := s.env.Jobs.Forecast(ctx, &empty); err != nil {
		return fmt.Errorf("ask Nomad whether it would take job %s: %w", *s.d.Job.ID, err)
	}
	return nil
}

func foreignJob(id, address string) error {
	return outcome.Errorf(outcome.Exists, "job %s at %s is not a topology of this cluster and state root; rename the topology or remove that job", id, address)
}

// steps are the side effects of a submission, in order, between begin and end.
func (s *submission) steps() []step {
	name := s.d.Definition.Name()
	return []step{
		{
			name: fmt.Sprintf("upload the package of topology %q", name),
			what: "package " + s.d.PackageName,
			do:   s.upload,
			undo: s.deletePackage,
		},
		{
			name: fmt.Sprintf("write the state of topology %q below %s", name, s.layout.Root),
			what: "state of topology " + name + " below " + s.layout.Root,
			do:   s.writeState,
			undo: s.deleteState,
		},
		{
			name: fmt.Sprintf("register job %s at %s", *s.d.Job.ID, s.d.in.Settings.Nomad.Address),
			what: "job " + *s.d.Job.ID + " at " + s.d.in.Settings.Nomad.Address,
			do:   s.register,
			undo: s.removeJob,
		},
	}
}

func (s *submission) result() *Submitted {
	set := s.d.in.Settings
	return &Submitted{
		Topology:   s.d.Definition.Name(),
		ID:         s.d.Definition.ID(),
		Cluster:    set.Cluster,
		Role:       set.Role,
		Environ:    set.Environ,
		Job:        *s.d.Job.ID,
		Containers: *s.d.Job.TaskGroups[0].Count,
		Package:    s.d.Package.URI,
		Kept:       s.kept,
	}
}
