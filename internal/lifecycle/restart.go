package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/subject"
)

// AllContainers in place of a container stands for every one of a topology.
const AllContainers = -1

// LargestBatch is how many containers may be restarted at the same time: what
// they were before is noted in one node of the state store.
const LargestBatch = 1000

// RestartOptions say what Restart restarts, and how.
type RestartOptions struct {
	// Container is the index of the only container, or AllContainers. Component,
	// unless "", limits all to those that hold an instance of it.
	Container int
	Component string
	// Batch is how many containers are restarted at the same time, container 0
	// apart, which is first and alone; BatchTimeout the longest time until those
	// run again.
	Batch        int
	BatchTimeout time.Duration
	// Wait, unless 0, waits after each batch until the TManager works by a
	// physical plan of the restarted containers, for so long at most; StableFor is
	// how long no container may have been restarted at the end.
	Wait, StableFor time.Duration

	// grace is how long a request whose answer was lost may take until it shows;
	// 0 is the default.
	grace time.Duration
}

// How a container was restarted.
const (
	// RestartedInPlace: its program was ended and started again where it was.
	RestartedInPlace = "in_place"
	// RestartedReplaced: its allocation was ended, and Nomad placed another one.
	RestartedReplaced = "replaced"
)

// Restarted is what a successful Restart did.
type Restarted struct {
	Topology string `json:"topology"`
	ID       string `json:"id"`
	// Containers are those restarted, by index.
	Containers []RestartedContainer `json:"containers"`
	// Continued: a restart that had died was continued; what that one had restarted
	// before is not listed.
	Continued bool `json:"continued"`
	// Running: the topology was seen to run afterwards.
	Running bool `json:"running"`
}

// RestartedContainer is one container that was restarted.
type RestartedContainer struct {
	Index int `json:"index"`
	// Allocation is the one that it runs in now, Node the name of its node.
	Allocation string `json:"allocation"`
	Node       string `json:"node"`
	// How is one of the ways above.
	How string `json:"how"`
}

// The steps that a restart's intent names.
const (
	stepRestart = "restart"
	stepIndexes = "indexes"
)

// Restart restarts containers of a topology: that of the TManager first and
// alone, then the others in batches. Each is restarted in place where its program
// runs; otherwise its allocation is replaced, one at a time, when the old one has
// ended. A paused topology stays paused.
//
// A restart that ends before the last container has changed what it names, and
// an equal one continues after that. It never restarts a container twice: what
// the containers were before is noted first, and a request whose answer was lost
// is recognised by what it did.
func Restart(ctx context.Context, cl cluster.Cluster, name string, opts RestartOptions) (*Restarted, error) {
	there, err := subject.Look(ctx, cl, statemgr.OperationRestart, name, cluster.Scope{Job: true, Originals: true})
	if err != nil {
		return nil, err
	}
	r := &restarting{Subject: there, opts: opts, alone: make(chan struct{}, 1), done: map[int]RestartedContainer{}}
	if r.opts.grace == 0 {
		r.opts.grace = lostAnswer
	}
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	intent := r.Intent(stepRestart, stepIndexes)
	intent.Request, intent.Restart = r.request(), r.noted
	if r.claim, err = r.Take(ctx, intent); err != nil {
		return nil, err
	}
	run := operation.Run{Steps: r.steps(), Claim: r.claim, Progress: cl.Progress, Remedy: r.Repeat(), UndoLimit: cl.UndoLimit()}
	_, err = run.Do(ctx)
	if err := r.claim.Finish(ctx, r.keepEarlier(err)); err != nil {
		return nil, err
	}
	if opts.Wait > 0 {
		if err := r.awaitLast(ctx); err != nil {
			return nil, err
		}
	}
	return r.result(), nil
}

// restarting is one run of Restart.
type restarting struct {
	*subject.Subject
	opts RestartOptions
	// jobs run the topology; list are the containers to restart, in order.
	jobs []restartJob
	list []int
	// dead is what the restart that died means; noted is how far it was.
	dead  subject.Dead
	noted statemgr.IntentRestart
	// earlier are those that the dead restart has restarted, or may have.
	earlier []int
	claim   *operation.Claim
	// alone is held while an allocation is replaced.
	alone chan struct{}
	// last is what the topology had before the last batch that this run
	// restarted, nil for none; manager says that the batch was container 0.
	last    *cluster.Mark
	manager bool

	mu   sync.Mutex
	done map[int]RestartedContainer
}

// restartJob is a job with its containers. index, unless negative, is that of
// the only one, in a job of the original client.
type restartJob struct {
	id, task string
	index    int
}

// result lists what was done.
func (r *restarting) result() *Restarted {
	all := &Restarted{Topology: r.Name, ID: r.ID(), Containers: []RestartedContainer{}, Continued: r.dead == subject.DeadEqual, Running: r.opts.Wait > 0}
	for _, index := range r.list {
		if c, ok := r.done[index]; ok {
			all.Containers = append(all.Containers, c)
		}
	}
	return all
}

// keepEarlier makes the error of a restart that continued another one, and ended
// before it had restarted anything, say what that one had done: it must still be
// found by the next.
func (r *restarting) keepEarlier(err error) error {
	if err == nil || len(r.earlier) == 0 || errors.As(err, new(*operation.Failure)) {
		return err
	}
	remedy := r.Repeat()
	return &operation.Failure{
		Action: operation.Restart, Of: r.container(r.list), Err: err, Remedy: &remedy,
		Done: []outcome.Resource{r.container(r.earlier)},
	}
}

// batches divides the containers: 0 is alone.
func (r *restarting) batches() [][]int {
	rest, list := r.list, [][]int{}
	if len(rest) > 0 && rest[0] == 0 {
		list, rest = append(list, rest[:1]), rest[1:]
	}
	return slices.AppendSeq(list, slices.Chunk(rest, r.opts.Batch))
}

// steps are what Restart does, in order.
func (r *restarting) steps() []operation.Step {
	var list []operation.Step
	batches := r.batches()
	for i, indexes := range batches {
		last := i == len(batches)-1
		list = append(list, operation.Step{
			Mark: stepRestart, Action: operation.Restart, Of: r.container(indexes), Stays: true,
			Do: func(ctx context.Context) error { return r.batch(ctx, indexes, last) },
		})
	}
	if r.There.Job != nil {
		list = append(list, operation.Step{
			Mark: stepIndexes, Action: "check", Of: outcome.Resource{Kind: outcome.Containers, ID: *r.There.Job.ID},
			Do: r.settle,
		})
	}
	return list
}

// container names containers of the topology.
func (r *restarting) container(indexes []int) outcome.Resource {
	return outcome.Resource{Kind: outcome.Container, ID: cluster.Ranges(indexes), Where: r.Name}
}

// planned is how many containers the topology has by its packing plan, that of
// the TManager included. The job's count may be that of a repair of indexes that
// was cut off.
func (r *restarting) planned() int { return len(r.There.PackingPlan.Value.GetContainerPlans()) + 1 }

// settle checks that the restarted containers have kept their indexes.
func (r *restarting) settle(ctx context.Context) error {
	if err := r.note(ctx, statemgr.IntentRestart{Next: slices.Max(append(r.list, r.noted.Next-1)) + 1}); err != nil {
		return err
	}
	return r.Cluster.SettleIndexes(ctx, cluster.Settle{
		Topology: r.Name, ID: r.ID(), JobID: *r.There.Job.ID, Containers: r.planned(), Limit: r.opts.BatchTimeout,
		Guard: r.guard,
	})
}

// guard refuses where another operation has taken over.
func (r *restarting) guard(ctx context.Context) error {
	if r.claim.Lost(ctx) {
		return &operation.LostError{Topology: r.Name}
	}
	return nil
}

// note stores how far the restart is, if the claim still holds.
func (r *restarting) note(ctx context.Context, n statemgr.IntentRestart) error {
	intent := r.claim.Intent()
	intent.Restart = n
	return r.claim.Write(ctx, intent)
}

// awaitLast waits until the topology runs after the last batch.
func (r *restarting) awaitLast(ctx context.Context) error {
	err := r.await(ctx, r.opts.StableFor)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return r.Errorf(outcome.WaitExpired, "stopped waiting; its containers were restarted, but it is not known to run")
	}
	return r.Errorf(outcome.WaitExpired, "its containers were restarted, but it does not run: %w", err)
}

// await waits until the topology runs, with the TManager and the stream managers
// that the last batch started.
func (r *restarting) await(ctx context.Context, stableFor time.Duration) error {
	running := cluster.Running{Name: r.Name, ID: r.ID(), Limit: r.opts.Wait, StableFor: stableFor, Containers: 1}
	switch {
	case r.last == nil:
	case r.manager:
		running.TManagerAfter = r.last
	default:
		running.RewrittenAfter = r.last
	}
	if r.There.Job != nil {
		running.JobID, running.Containers = *r.There.Job.ID, r.planned()
		return r.Cluster.AwaitRunning(ctx, running)
	}
	var ids []string
	for _, job := range r.jobs {
		ids = append(ids, job.id)
	}
	if err := r.Cluster.AwaitOriginals(ctx, running, ids); err != nil {
		return fmt.Errorf("its jobs are of the original client: %w", err)
	}
	return nil
}
