package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

// Jobs is what the use cases need of Nomad; *nomad.Client has the contracts.
type Jobs interface {
	Job(ctx context.Context, id string) (*api.Job, error)
	TopologyJobs(ctx context.Context, name string) ([]*api.JobListStub, error)
	RegisterNew(ctx context.Context, job *api.Job) (nomad.Registration, error)
	TakeOver(ctx context.Context, job, stopped *api.Job) (nomad.Registration, error)
	Stop(ctx context.Context, job *api.Job) error
	WaitStopped(ctx context.Context, id string, timeout time.Duration, report func(nomad.StopProgress)) ([]nomad.AllocationRef, error)
	WaitRunning(ctx context.Context, id string, count int, timeout time.Duration, report func(nomad.RunProgress)) error
	WaitRestart(ctx context.Context, id string, quiet time.Duration) ([]nomad.Restart, error)
	ContainerPorts(ctx context.Context, id string, ports ...string) (map[int][]int, error)
	ProgramLog(ctx context.Context, a nomad.AllocationRef, program string) (nomad.ContainerOutput, error)
	LastLines(ctx context.Context, a nomad.AllocationRef, n int) nomad.ContainerOutput
	PurgeOwned(ctx context.Context, id, topologyID string) error
	Rollout(ctx context.Context, id string) (nomad.Rollout, error)
	Forecast(ctx context.Context, job *api.Job) (*nomad.Forecast, error)
	SetCount(ctx context.Context, job *api.Job, count int) (*api.Job, error)
	SetSpec(ctx context.Context, job, spec *api.Job) (*api.Job, error)
	Containers(ctx context.Context, jobID string) ([]nomad.Container, error)
	VersionMeta(ctx context.Context, jobID string) (map[uint64]map[string]string, error)
	Settled(ctx context.Context, jobID string) (bool, error)
	Migrating(ctx context.Context, containers []nomad.Container) ([]nomad.Container, error)
	RescheduleFailed(ctx context.Context, jobID string) error
	ContainersSince(ctx context.Context, jobID string, index uint64) ([]nomad.Container, uint64, error)
	StopAllocation(ctx context.Context, allocID string) error
	RestartInPlace(ctx context.Context, allocID, task string) error
}

// TManager is what the use cases need of a topology's TManager;
// *tmanager.Client has the contract.
type TManager interface {
	PhysicalPlan(ctx context.Context, at *heronpb.TManagerLocation) (*heronpb.PhysicalPlan, error)
	Activate(ctx context.Context, at *heronpb.TManagerLocation) error
	Deactivate(ctx context.Context, at *heronpb.TManagerLocation) error
	Configure(ctx context.Context, at *heronpb.TManagerLocation, items []string) error
}

// Cluster is the servers of a cluster as one value. Its parts are interfaces:
// real servers, fakes, or either behind faults.
type Cluster struct {
	// Settings are those of the command; ForTopology gives a topology's own.
	Settings *conf.Settings
	State    statemgr.Tree
	Jobs     Jobs
	// Uploader is nil where it depends on the topology.
	Uploader uploader.Uploader
	// TManager is nil where TManagers are not asked.
	TManager TManager
	Progress progress.Sink

	// uploaders makes others than Uploader; nil where that one is for all.
	uploaders *uploaders
}

// With is the same cluster as a topology with these settings sees it, with the
// uploader that they name.
func (c Cluster) With(s *conf.Settings) (Cluster, error) {
	c.Settings = s
	if c.uploaders == nil {
		return c, nil // it was given one for all
	}
	up, err := c.uploaders.get(s.Upload)
	c.Uploader = up
	return c, err
}

// KillRemedy is what removes all that there is of a topology.
func (c Cluster) KillRemedy(name string) outcome.Remedy {
	s := c.Settings
	return outcome.Remedy{Action: outcome.Kill, Topology: name, Cluster: s.Cluster, Role: s.Role, Environ: s.Environ}
}

// JobResource names a job of this cluster's Nomad.
func (c Cluster) JobResource(id string) outcome.Resource {
	return outcome.Resource{Kind: outcome.Job, ID: id, Where: c.Settings.Nomad.Address}
}

// StateResource names all of a topology's state.
func (c Cluster) StateResource(name string) outcome.Resource {
	return outcome.Resource{Kind: outcome.State, ID: name, Where: c.State.Root}
}

// AwaitEnd returns when the containers of a stopped job have ended. Those on
// lost nodes are warned about and not waited for.
func (c Cluster) AwaitEnd(ctx context.Context, id string) error {
	what := outcome.Resource{Kind: outcome.Containers, ID: id}
	defer c.Progress.Send(progress.Event{State: progress.Ended, Step: "stop", What: what, Unit: "containers"})
	lost, err := c.Jobs.WaitStopped(ctx, id, c.Settings.Nomad.StopTimeout, func(p nomad.StopProgress) {
		c.Progress.Send(progress.Event{State: progress.Advanced, Step: "stop", What: what, Done: int64(p.Ended), Total: int64(p.Total), Unit: "containers"})
	})
	for _, ref := range lost {
		c.Progress.Warn("stop", outcome.Resource{Kind: outcome.Containers, ID: ref.String()}, "node lost; cannot tell whether it is still running", nil)
	}
	return err
}

// Rollout says which version, evaluation and deployment a job has now. They are
// told to the user and needed for nothing: what cannot be read within the time
// of one request is a warning. It also works when ctx has ended.
func (c Cluster) Rollout(ctx context.Context, id string) nomad.Rollout {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Settings.Nomad.RequestTimeout)
	defer cancel()
	r, err := c.Jobs.Rollout(ctx, id)
	if err != nil {
		c.Progress.Warn("read the evaluation of", c.JobResource(id), "its version, evaluation and deployment are not known", err)
	}
	return r
}

// EndJob stops a job, waits for its containers and removes it.
func (c Cluster) EndJob(ctx context.Context, job *api.Job, topologyID string) error {
	if err := c.Jobs.Stop(ctx, job); err != nil && !errors.Is(err, nomad.ErrNotFound) {
		return err
	}
	if err := c.AwaitEnd(ctx, *job.ID); err != nil {
		return err
	}
	return c.Jobs.PurgeOwned(ctx, *job.ID, topologyID)
}

// UndoLimit is how long one undo may take: containers need time to end.
func (c Cluster) UndoLimit() time.Duration {
	n := c.Settings.Nomad
	return n.StopTimeout + 4*n.RequestTimeout
}

// ForTopology is the cluster with the place of packages that a topology has,
// where that depends on the topology; of gives the settings as they are for it.
func (c Cluster) ForTopology(of func(name, id string) (*conf.Settings, error), name, id string) (Cluster, error) {
	if of == nil || !PerTopology(c.Settings.Upload) {
		return c, nil
	}
	settings, err := of(name, id)
	if err != nil {
		return c, err
	}
	resolved := *c.Settings
	resolved.Upload = settings.Upload
	return c.With(&resolved)
}
