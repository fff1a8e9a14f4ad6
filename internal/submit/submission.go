package submit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// The steps of a submission, as its intent names them: what belongs to earlier
// ones is there, what belongs to the one that is named may be, what belongs to
// later ones is not.
const (
	stepPackage = "package"
	stepState   = "state"
	stepJob     = cluster.StepJob
)

// submission is one run of Submit.
type submission struct {
	cl    cluster.Cluster
	m     *Manifest
	name  string
	there *cluster.Topology

	// resume says that this run continues a submission that died; oldState that
	// an operation which died left a state that has to go first.
	resume, oldState bool
	// stopped is the stopped job of an earlier run that the new one replaces,
	// if there is one.
	stopped *api.Job

	// uploaded: the package is there. stateMade: this run made the state, or
	// may have. Another run with the same topology id can have made either, so
	// that what is found has our id does not make it ours.
	uploaded, stateMade bool
	// done: all steps are done.
	done bool
	// earlier is the record of the process that had completed this very
	// submission; nil for none.
	earlier *statemgr.DeploymentRecord
	// claim is this submission's own; kept are packages of the dead operation
	// that could not be removed.
	claim *operation.Claim
	kept  []outcome.Leftover
}

func newSubmission(cl cluster.Cluster, d Decision) (*submission, error) {
	cl, err := cl.With(d.Manifest.in.Settings)
	return &submission{cl: cl, m: d.Manifest, name: d.Manifest.Definition.Name(), there: d.There}, err
}

// steps are the side effects of a submission, in order, under its claim.
func (s *submission) steps() []operation.Step {
	return []operation.Step{
		{
			Mark: stepPackage, Action: operation.Upload,
			Of: outcome.Resource{Kind: outcome.Package, ID: s.m.PackageName, Where: s.m.in.Settings.Upload.Kind},
			Do: s.upload, Undo: s.deletePackage,
			LeftByHand: !s.cl.Uploader.Capabilities().FixedNames,
		},
		{
			Mark: stepState, Action: operation.Write,
			Of: s.cl.StateResource(s.name),
			Do: s.writeState, Undo: s.deleteState,
		},
		{
			Mark: stepJob, Action: operation.Register,
			Of: s.cl.JobResource(*s.m.Job.ID),
			Do: s.register, Undo: s.removeJob,
		},
	}
}

// begin claims the topology and, where an operation died whose work is of no
// use, removes what it left.
func (s *submission) begin(ctx context.Context) error {
	intent, dead := s.intent(), s.there.Pending
	if dead != nil && !s.resume {
		// Until what it left is gone, the intent describes it: the next operation
		// has to find it.
		owner := intent.Owner
		intent = dead.Intent
		intent.Owner = owner
	}
	var err error
	if s.claim, err = s.cl.Take(ctx, s.there, intent); err != nil {
		return err
	}
	if dead == nil {
		return nil
	}
	if s.resume {
		s.noteDead("continue")
		s.uploaded, s.stateMade = true, true
		return nil
	}
	s.noteDead("remove what is left of")
	return s.cleanUp(ctx)
}

// overtaken is the end of a submission whose steps were all done, and whose
// claim turned out to be lost: another operation took over. Where that has
// continued with this very topology, all is well.
func (s *submission) overtaken(ctx context.Context, err error) error {
	var lost *operation.LostError
	if !errors.As(err, &lost) {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if shared, lookErr := s.shared(ctx); lookErr != nil || shared {
		return lookErr
	}
	remedy := s.remedy()
	job := s.cl.JobResource(*s.m.Job.ID)
	undo := operation.Run{
		Steps:    []operation.Step{{Of: job, Undo: s.endOwnJob}},
		Progress: s.cl.Progress, UndoLimit: s.cl.UndoLimit(),
	}
	return undo.Undo(ctx, &operation.Failure{Action: operation.Register, Of: job, Err: lost, Remedy: &remedy})
}

// shared says whether the operation that took over has continued with this
// very topology, or else has put another in its place.
func (s *submission) shared(ctx context.Context) (bool, error) {
	now, err := s.cl.Look(ctx, s.name, cluster.Scope{})
	if err != nil {
		return true, err
	}
	id := s.m.Definition.ID()
	return now.Pending != nil && now.Pending.Intent.TopologyID == id || now.Complete(id), nil
}

// intent is what this submission is about to do.
func (s *submission) intent() statemgr.Intent {
	m, set := s.m, s.m.in.Settings
	i := statemgr.Intent{
		Operation: statemgr.OperationSubmit, Step: stepPackage, Steps: []string{stepPackage, stepState, stepJob},
		TopologyID: m.Definition.ID(), Request: m.in.Request,
		Cluster: set.Cluster, Role: set.Role, Environ: set.Environ,
		SubmittedAt: m.in.Now,
		Owner:       statemgr.NewOwner(statemgr.OperationSubmit, set.User, m.in.Now).For(statemgr.Via(set.Via)),
	}
	i.Package.Uploader, i.Package.Name, i.Package.URI = set.Upload.Kind, m.PackageName, m.Package.URI
	i.Package.SHA256, i.Package.Size = m.in.Package.SHA256, m.in.Package.Size
	i.Nomad.Address, i.Nomad.JobID = set.Nomad.Address, *m.Job.ID
	i.Nomad.Region, i.Nomad.Namespace = set.Nomad.Region, set.Nomad.Namespace
	if s.resume {
		i.Step = s.there.Pending.Intent.Step
	}
	return i
}

// jobPage is where a person sees a job in Nomad's user interface.
func jobPage(n conf.Nomad, id string) string {
	page := n.Address + "/ui/jobs/" + url.PathEscape(id)
	return page + "@" + url.PathEscape(cmp.Or(n.Namespace, api.DefaultNamespace))
}

// wait returns when the topology runs.
func (s *submission) wait(ctx context.Context, opts Options) error {
	err := s.cl.AwaitRunning(ctx, cluster.Running{
		Name: s.name, ID: s.m.Definition.ID(), JobID: *s.m.Job.ID, Containers: *s.m.Job.TaskGroups[0].Count,
		Limit: opts.Wait, StableFor: opts.StableFor,
	})
	switch {
	case err == nil:
		return nil
	case opts.Rollback:
		return err // it is not submitted for long
	case ctx.Err() != nil:
		err = outcome.Errorf(outcome.WaitExpired, "stopped waiting: topology %q is submitted, but not known to run", s.name)
	default:
		err = outcome.Errorf(outcome.WaitExpired, "topology %q is submitted, but does not run: %w; for more: nomad job status %s", s.name, err, *s.m.Job.ID)
	}
	return outcome.WithRemedy(err, s.remedy())
}

// noteDead says what becomes of an operation that died.
func (s *submission) noteDead(step string) {
	i := s.there.Pending.Intent
	s.cl.Progress.Send(progress.Event{
		State: progress.Noted, Step: step, What: s.claim.Resource(),
		Note: fmt.Sprintf("%s, which died at the step %q", i.Owner, i.Step),
	})
}
