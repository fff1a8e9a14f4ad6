package versions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/subject"
)

// The steps of a change, as its intent names them.
const (
	stepPackage = "package"
	stepStop    = "stop"
	stepState   = "state"
	stepJob     = cluster.StepJob
	stepWait    = "wait"
)

func steps() []string { return []string{stepPackage, stepStop, stepState, stepJob, stepWait} }

// change puts one version of a topology in the place of another. Each of its
// steps looks at what is there and does what is missing, so that a change which
// died can be continued by the same steps.
type change struct {
	subj *subject.Subject
	cl   cluster.Cluster
	name string
	// base is what ran before, target what is put in its place; both with their
	// content. recorded: base is in the history.
	base, target statemgr.Version
	recorded     bool
	// baseGood: the base was seen to run as it should.
	baseGood bool
	// fresh: the list of checkpoints goes.
	fresh bool
	// get stores or finds the target's package, and says how nodes fetch it. drop
	// removes it again, where it is the target's alone.
	get  func(context.Context) (fetch string, err error)
	drop func(context.Context) (bool, error)
	// pkg is what get does, to what.
	pkgAction string
	pkg       outcome.Resource

	wait Wait
	// forTopology, unless nil, gives the settings as they are for a topology id.
	forTopology ForTopology

	claim *operation.Claim
	fetch string
	// old is the base's job as Nomad had it, nil where it is not known.
	old *api.Job
}

// ForTopology gives the settings as they are for a topology, for a place of
// packages that depends on it.
type ForTopology func(name, id string) (*conf.Settings, error)

// Wait says when a version counts as good.
type Wait struct {
	// Limit is the longest wait.
	Limit time.Duration
	// StableFor is how long it has to stay as it is.
	StableFor time.Duration
}

func (c *change) jobID() string { return jobspec.JobID(c.cl.Settings.Cluster, c.name) }

func (c *change) job() outcome.Resource { return c.cl.JobResource(c.jobID()) }

// steps are the side effects of a change, in order, under its claim.
func (c *change) steps() []operation.Step {
	return []operation.Step{
		{Mark: stepPackage, Action: c.pkgAction, Of: c.pkg, Do: c.getPackage, Undo: c.dropPackage},
		{Mark: stepStop, Action: operation.Stop, Of: c.job(), Do: c.stop, Undo: c.restoreJob, PutsBack: true},
		{Action: operation.Await, Of: outcome.Resource{Kind: outcome.Containers, ID: c.jobID()}, Do: c.awaitEnd},
		{Mark: stepState, Action: operation.Write, Of: c.cl.StateResource(c.name), Do: c.writeState, Undo: c.restoreState, PutsBack: true},
		{Mark: stepJob, Action: operation.Register, Of: c.job(), Do: c.register, Undo: c.endTarget},
		{Mark: stepWait, Action: "wait for", Of: c.subj.Resource(), Do: c.await},
	}
}

// run carries the change out. What fails, and when ctx ends, the base comes
// back. It ends with the claim still held.
func (c *change) run(ctx context.Context) error {
	run := operation.Run{
		Steps: c.steps(), Claim: c.claim, Progress: c.cl.Progress,
		Remedy: c.subj.Repeat(), UndoLimit: c.cl.UndoLimit(), Base: c.asBefore(),
	}
	_, err := run.Do(ctx)
	return err
}

// asBefore says what is there when a change is undone.
func (c *change) asBefore() string {
	if c.base.Number == 0 {
		return "what ran before is in place again"
	}
	return fmt.Sprintf("version %d is in place, as before", c.base.Number)
}

func (c *change) getPackage(ctx context.Context) (err error) {
	c.fetch, err = c.get(ctx)
	return err
}

func (c *change) dropPackage(ctx context.Context) (bool, error) {
	if c.drop == nil || c.claim.Lost(ctx) {
		return false, nil
	}
	if err := c.checkBack(ctx); err != nil {
		return false, fmt.Errorf("it is in use: %w", err)
	}
	return c.drop(ctx)
}

// readJob is the topology's job, nil where there is none.
func (c *change) readJob(ctx context.Context) (*api.Job, error) {
	job, err := c.cl.Jobs.Job(ctx, c.jobID())
	if errors.Is(err, nomad.ErrNotFound) {
		return nil, nil
	}
	return job, err
}

// isTarget says whether a job is the target's. Two versions of a topology may
// have the same topology id.
func (c *change) isTarget(job *api.Job) bool {
	return job != nil && job.Meta[jobspec.MetaVersion] == fmt.Sprint(c.target.Number) && job.Meta[jobspec.MetaTopologyID] == c.target.Deployment.TopologyID
}

// stop ends the base's job, and keeps it: by it the way back is short.
func (c *change) stop(ctx context.Context) error {
	job, err := c.readJob(ctx)
	if err != nil || job == nil || c.isTarget(job) {
		return err
	}
	if err := c.guard(ctx); err != nil {
		return err
	}
	c.old = job
	err = c.cl.Jobs.Stop(ctx, job)
	if errors.Is(err, nomad.ErrNotFound) {
		return nil
	}
	return err
}

// guard refuses where another operation has taken over. A write to Nomad cannot
// check the claim as part of it.
func (c *change) guard(ctx context.Context) error {
	if c.claim.Lost(ctx) {
		return &operation.LostError{Topology: c.name}
	}
	return nil
}

// awaitEnd waits for the containers of a job that was stopped. A change that
// died before it stopped the base has left that running.
func (c *change) awaitEnd(ctx context.Context) error {
	job, err := c.readJob(ctx)
	if err != nil || job == nil || !jobspec.Stopped(job) {
		return err
	}
	return c.cl.AwaitEnd(ctx, c.jobID())
}

// register puts the target's job in the place of the stopped one.
func (c *change) register(ctx context.Context) error {
	job, err := jobspec.Restore(c.target.Job, c.fetch, c.cl.Settings.Nomad.DockerAuth)
	if err != nil {
		return err
	}
	job.Meta[jobspec.MetaVersion] = fmt.Sprint(c.target.Number)
	return c.put(ctx, job, c.isTarget)
}

// put registers a job where there is none, or a stopped one. One that is there
// already, and runs, is the caller's, or an error.
func (c *change) put(ctx context.Context, job *api.Job, own func(*api.Job) bool) error {
	there, err := c.readJob(ctx)
	if err != nil {
		return err
	}
	if err := c.guard(ctx); err != nil {
		return err
	}
	// A registration that is cut off may still arrive, after it was looked for in
	// vain.
	rctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(registerGrace, cancel) })()
	switch {
	case there == nil:
		_, err = c.cl.Jobs.RegisterNew(rctx, job)
	case own(there) && !jobspec.Stopped(there):
		return nil
	default:
		_, err = c.cl.Jobs.TakeOver(rctx, job, there)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// registerGrace is how long a registration continues after an interrupt.
const registerGrace = 5 * time.Second

// await returns when the target runs as it should.
func (c *change) await(ctx context.Context) error {
	id := c.target.Deployment.TopologyID
	err := c.cl.AwaitRunning(ctx, cluster.Running{
		Name: c.name, ID: id, JobID: c.jobID(), Containers: c.target.Containers, Limit: c.wait.Limit, StableFor: c.wait.StableFor,
	})
	if err != nil {
		return err
	}
	return c.cl.SettleIndexes(ctx, cluster.Settle{
		Topology: c.name, ID: id, JobID: c.jobID(), Containers: c.target.Containers,
		Limit: c.cl.Settings.Nomad.StopTimeout, Guard: c.guard,
	})
}
