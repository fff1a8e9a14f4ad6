package update

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/subject"
	"github.com/heron-nomad/heron/internal/topology"
)

// Options change how Update works.
type Options struct {
	// Limit is the longest that one thing is waited for, such as new containers
	// or the physical plan; 0 for the topology's own
	// topology.update.reactivate.wait.secs, or 10 minutes.
	Limit time.Duration
	// Wait: return when the topology runs as it should, within this time; 0 is no
	// further wait. StableFor is how long it has to stay so.
	Wait, StableFor time.Duration
	// Rollback: undo the update if that wait fails, and where containers that
	// are too many cannot be taken away.
	Rollback bool
}

// Updated is what a successful Update did.
type Updated struct {
	Topology string `json:"topology"`
	ID       string `json:"id"`
	// State is that of the topology: RUNNING or PAUSED, as before.
	State string `json:"state"`
	// Changed is false for a topology that was as asked already.
	Changed bool `json:"changed"`
	// Parallelism counts the instances of every component now; Containers the
	// containers, the TManager's not counted, and ContainersBefore as it was.
	Parallelism      map[string]int `json:"parallelism"`
	Containers       int            `json:"containers"`
	ContainersBefore int            `json:"containers_before"`
	// Replaced: every container was replaced, because what it runs depends on the
	// plan.
	Replaced bool `json:"replaced"`
	// Adopted: the jobs of the original client, one per container, were made one.
	Adopted bool `json:"adopted"`
	// Runtime is the runtime configuration that was set.
	Runtime []topology.RuntimeValue `json:"runtime"`
	// JobVersion is the version of the Nomad job now.
	JobVersion uint64 `json:"job_version"`
	// Waited: it was waited for, and runs.
	Waited bool `json:"waited"`
}

// Update makes a running or paused topology what the request asks for, and
// returns when its TManager works by the new plan, in the state that it had
// before. A topology that is so already is a success, and nothing is written.
//
// What fails before the topology works by the new plan is undone (kind Undone);
// what could not be undone is left for the same command to finish (LeftBehind).
// So are containers that cannot be taken away after it does. A further wait that
// fails is WaitExpired: the update is done. Before anything is written errors
// are NotFound, Usage, Busy, Differs or Unreachable. cl.TManager must be set.
func Update(ctx context.Context, cl cluster.Cluster, name string, r Request, opts Options) (*Updated, error) {
	s, err := look(ctx, cl, name, r)
	if err != nil {
		return nil, err
	}
	d, err := decide(s, r)
	if err != nil {
		return nil, err
	}
	u := &updating{decision: d, opts: opts, job: s.There.Job}
	if d.adopts {
		u.job = d.spec
	}
	u.limit = opts.Limit
	if u.limit <= 0 {
		u.limit = d.seconds("topology.update.reactivate.wait.secs", defaultLimit)
	}
	if d.nothing() {
		result := u.result(false)
		if err := u.waitFurther(ctx); err != nil {
			return result, err
		}
		result.Waited = opts.Wait > 0
		return result, nil
	}
	if err := u.check(ctx); err != nil {
		return nil, err
	}
	if err := u.run(ctx); err != nil {
		return nil, err
	}
	result := u.result(true)
	if opts.Wait > 0 && !opts.Rollback {
		if err := u.waitFurther(ctx); err != nil {
			return result, err
		}
	}
	result.Waited = opts.Wait > 0
	return result, nil
}

// defaultLimit is the original's for the wait for a physical plan.
const defaultLimit = 10 * time.Minute

// seconds reads a time of the definition.
func (d *decision) seconds(key string, missing time.Duration) time.Duration {
	text, there := d.There.Definition.Value.Config(key)
	n, err := strconv.Atoi(text)
	if !there || err != nil || n < 0 {
		return missing
	}
	return time.Duration(n) * time.Second
}

// result is what was done.
func (u *updating) result(changed bool) *Updated {
	r := &Updated{
		Topology: u.Name, ID: u.ID(), State: u.was.String(), Changed: changed,
		Parallelism: parallelism(u.plan), Containers: len(u.plan.Containers), ContainersBefore: len(u.stored.Containers),
		Replaced: u.rolls, Adopted: u.adopts, Runtime: u.request.Runtime,
	}
	if r.Runtime == nil {
		r.Runtime = []topology.RuntimeValue{}
	}
	if u.job.Version != nil {
		r.JobVersion = *u.job.Version
	}
	return r
}

// run claims the topology, carries the steps out, and ends the claim.
func (u *updating) run(ctx context.Context) error {
	steps := u.steps()
	marks := make([]string, 0, len(steps))
	for _, s := range steps {
		marks = append(marks, s.Mark)
	}
	if u.adopts {
		u.Cluster.Progress.Warn("update", u.Resource(), u.moves(), nil)
	}
	intent := u.Intent(marks...)
	intent.Request, intent.State = u.digest, u.was.String()
	if u.dead == subject.DeadOther {
		u.Cluster.Progress.Warn("update", u.Resource(), "another update of it died; this one takes its place", nil)
	}
	var err error
	if u.claim, err = u.Take(ctx, intent); err != nil {
		return err
	}
	return u.claim.Finish(ctx, u.locked(ctx, steps))
}

// locked carries the steps out under the lock of the original's client.
func (u *updating) locked(ctx context.Context, steps []operation.Step) (err error) {
	release, err := u.Cluster.LockUpdate(ctx, u.Name, u.claim.Intent().Owner)
	if err != nil {
		if u.dead == subject.DeadEqual || u.dead == subject.DeadOther {
			return u.left("take the lock for updates of", u.Resource(), err)
		}
		return err
	}
	defer func() {
		if failed := release(context.WithoutCancel(ctx)); failed != nil {
			u.Cluster.Progress.Warn("release", outcome.Resource{Kind: outcome.Node, ID: u.Cluster.State.Locks(u.Name)}, "could not release the lock for updates", failed)
		}
	}()
	run := operation.Run{
		Steps: steps, Claim: u.claim, Progress: u.Cluster.Progress, Remedy: u.Repeat(), UndoLimit: u.limit + u.Cluster.UndoLimit(),
		Base: "the topology is as it was before",
	}
	_, err = run.Do(ctx)
	switch {
	case u.adopts && err != nil:
		return u.adoptionFailed(err)
	case u.adopts:
		return u.purgeOriginals(ctx)
	case err != nil || u.opts.Rollback:
		return err
	}
	if err := u.finish(ctx); err != nil {
		return err
	}
	u.Cluster.ShortenHistory(ctx, u.Name, nil, u.claim.Guards()...)
	return nil
}

// left is a failure after which the same command has to finish what there is.
func (u *updating) left(action string, of outcome.Resource, err error) error {
	remedy := u.Repeat()
	return &operation.Failure{Action: action, Of: of, Err: err, Done: []outcome.Resource{u.Resource()}, Left: []outcome.Leftover{}, Remedy: &remedy}
}

// waitFurther waits until the topology runs and stays so.
func (u *updating) waitFurther(ctx context.Context) error {
	if u.opts.Wait <= 0 {
		return nil
	}
	err := u.Cluster.AwaitRunning(ctx, cluster.Running{
		Name: u.Name, ID: u.ID(), JobID: *u.job.ID, Containers: u.need(), Limit: u.opts.Wait, StableFor: u.opts.StableFor,
	})
	switch {
	case err == nil:
		u.Cluster.NoteStable(ctx, u.Name, u.ID())
		return nil
	case ctx.Err() != nil:
		return outcome.Errorf(outcome.WaitExpired, "update topology %q: stopped waiting; the update is done", u.Name)
	case errors.Is(err, context.Canceled):
		return err
	}
	return outcome.Errorf(outcome.WaitExpired, "update topology %q: the update is done, but the topology does not run as it should: %w", u.Name, err)
}

// ran says that the topology is to run.
func (d *decision) ran() bool { return d.was == heronpb.TopologyState_RUNNING }
