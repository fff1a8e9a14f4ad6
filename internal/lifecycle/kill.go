package lifecycle

import (
	"context"
	"errors"
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

// KillOptions change what Kill removes and what it accepts.
type KillOptions struct {
	// IgnoreMissing makes a topology that does not exist a success.
	IgnoreMissing bool
	// PurgeCheckpoints removes the node of stateful checkpoints too; without it
	// an effectively-once topology of this name continues where it was.
	PurgeCheckpoints bool
	// Drain, unless zero, is how long the topology has to work off what it has:
	// it is paused before, and killed then. cl.TManager must be set.
	Drain time.Duration
	// ForTopology, unless nil, gives the settings as they are for a topology,
	// for a place of packages that depends on it.
	ForTopology func(name, id string) (*conf.Settings, error)
}

// Killed is what a successful Kill found and removed.
type Killed struct {
	Topology string `json:"topology"`
	// ID is the topology id of what was found, as far as it could be told.
	ID      string             `json:"id"`
	Found   bool               `json:"found"`
	Removed []outcome.Resource `json:"removed"`
	// Kept is what stays: packages whose store does not support deletion, and
	// what the original client left on the nodes.
	Kept []outcome.Leftover `json:"kept"`
}

// The steps that a kill's intent names.
const (
	stepDrain  = "drain"
	stepStop   = "stop"
	stepRemove = "remove"
)

// Kill ends a topology and removes all of it: containers, state, package, job.
// It works when only a part is there, and may be repeated. The job goes last:
// by it a repeated kill finds the rest. What an operation left that died goes
// too; one that is under way is a *operation.BusyError.
func Kill(ctx context.Context, cl cluster.Cluster, name string, opts KillOptions) (*Killed, error) {
	there, err := subject.Look(ctx, cl, statemgr.OperationKill, name, cluster.Scope{
		Job: true, Originals: true, Nodes: true, Checkpoints: opts.PurgeCheckpoints, Versions: true,
	})
	if err != nil {
		return nil, err
	}
	k := &killing{Subject: there, opts: opts}
	if err := k.check(ctx); err != nil {
		return nil, err
	}
	if !k.found() {
		operation.Sweep(ctx, cl.State, cl.Progress, name)
		if opts.IgnoreMissing {
			return &Killed{Topology: name, Removed: []outcome.Resource{}, Kept: []outcome.Leftover{}}, nil
		}
		return nil, outcome.Errorf(outcome.NotFound, "no topology %q in cluster %s: no state below %s, no job %s at %s",
			name, cl.Settings.Cluster, cl.State.Root, jobspec.JobID(cl.Settings.Cluster, name), cl.Settings.Nomad.Address)
	}
	if err := k.checkDrain(ctx); err != nil {
		return nil, err
	}
	if k.claim, err = k.Take(ctx, k.intent()); err != nil {
		return nil, err
	}
	if err := k.drain(ctx); err != nil {
		return nil, k.claim.Finish(ctx, err)
	}
	run := operation.Run{
		Steps: k.steps(), Claim: k.claim, Progress: cl.Progress,
		Remedy: cl.KillRemedy(name), UndoLimit: cl.UndoLimit(),
	}
	done, err := run.Do(ctx)
	if err := k.claim.Finish(ctx, err); err != nil {
		return nil, err
	}
	return &Killed{Topology: name, ID: k.ID(), Found: true, Removed: done.Removed, Kept: append(done.Kept, leftOnNodes(k.There.Originals)...)}, nil
}

// killing is one run of Kill.
type killing struct {
	*subject.Subject
	opts KillOptions
	// packages are those that the topology's parts name; earlier are those that
	// only its history does.
	packages, earlier []outcome.Resource
	claim             *operation.Claim
	// drains is set where the topology is drained first.
	drains *switching
}

func (k *killing) found() bool {
	return len(k.There.Nodes) > 0 || len(k.There.Jobs()) > 0 || k.There.Pending != nil
}

// intent is what this kill is about to do. It names a package that the
// operation which died may be the only one to know.
func (k *killing) intent() statemgr.Intent {
	i := k.Intent(stepDrain, stepStop, stepRemove)
	if k.drains == nil {
		i.Step = stepStop
	}
	switch dead := k.There.Pending; {
	case dead != nil && dead.Intent.Package.URI != "":
		i.Package = dead.Intent.Package
	case len(k.packages) > 0:
		i.Package.Uploader, i.Package.URI = k.packages[0].Where, k.packages[0].ID
	}
	return i
}

// steps are what Kill does, in order.
func (k *killing) steps() []operation.Step {
	var list []operation.Step
	jobs := k.There.Jobs()
	for _, job := range jobs {
		list = append(list, operation.Step{
			Mark: stepStop, Action: operation.Stop, Of: k.Cluster.JobResource(*job.ID),
			Do: func(ctx context.Context) error {
				if err := k.Cluster.Jobs.Stop(ctx, job); !errors.Is(err, nomad.ErrNotFound) {
					return err
				}
				return nil
			},
		})
	}
	for _, job := range jobs {
		list = append(list, operation.Step{
			Action: operation.Await, Of: outcome.Resource{Kind: outcome.Containers, ID: *job.ID}, Removes: true,
			Do: func(ctx context.Context) error { return k.Cluster.AwaitEnd(ctx, *job.ID) },
		})
	}
	// Only the state names these, so they go before it.
	for _, pkg := range k.earlier {
		list = append(list, operation.Step{
			Mark: stepRemove, Action: operation.Remove, Of: pkg, Removes: true,
			Do: func(ctx context.Context) error { return k.Cluster.RemovePackage(ctx, pkg) },
		})
	}
	if len(k.There.Nodes) > 0 {
		list = append(list, operation.Step{
			Mark: stepRemove, Action: operation.Remove, Of: k.Cluster.StateResource(k.Name), Removes: true,
			Do: k.deleteState,
		})
	}
	for _, pkg := range k.packages {
		list = append(list, operation.Step{
			Action: operation.Remove, Of: pkg, Removes: true,
			Do: func(ctx context.Context) error { return k.Cluster.RemovePackage(ctx, pkg) },
		})
	}
	for _, job := range jobs {
		list = append(list, operation.Step{
			Action: operation.Remove, Of: k.Cluster.JobResource(*job.ID), Removes: true,
			Do: func(ctx context.Context) error { return k.purge(ctx, job) },
		})
	}
	return list
}

func (k *killing) purge(ctx context.Context, job *api.Job) error {
	return k.Cluster.Jobs.PurgeOwned(ctx, *job.ID, job.Meta[jobspec.MetaTopologyID])
}

// deleteState removes the state if it is still that of the topology that was
// looked at: while its containers ended, a client that knows no claims may have
// killed it and submitted another.
func (k *killing) deleteState(ctx context.Context) error {
	now, err := k.Cluster.Look(ctx, k.Name, cluster.Scope{})
	if err != nil {
		return err
	}
	if was, is := k.There.ID(), now.ID(); was != "" && is != "" && was != is {
		return outcome.Errorf(outcome.Exists, "topology %q was submitted anew in the meantime, as %s; the new one was not touched", k.Name, is)
	}
	return k.claim.Seen(k.Cluster.State.DeleteTopology(ctx, k.Name, k.opts.PurgeCheckpoints, k.claim.Guards()...))
}
