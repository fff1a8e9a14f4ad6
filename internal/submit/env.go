package submit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
	"github.com/heron-nomad/heron/internal/tunnel"
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
	PurgeOwned(ctx context.Context, id, topologyID string) error
	Forecast(ctx context.Context, job *api.Job) (*nomad.Forecast, error)
}

// Env is where a use case acts. Its parts are interfaces: real servers,
// fakes, or either behind faults.
type Env struct {
	Store statemgr.Store
	Jobs  Jobs
	// Uploader is nil where it depends on the topology.
	Uploader uploader.Uploader
	// TManager is nil where TManagers are not asked.
	TManager TManager
	Report   Report

	// uploaders makes others than Uploader; nil where that one is for all.
	uploaders *uploaders
}

// Connection is an Env on a cluster's real servers.
type Connection struct {
	Env
	client   *nomad.Client
	bastions *tunnel.Bastions
}

// Progress is how far an upload is.
type Progress = uploader.Progress

// Outside is what a connection needs of the world besides the settings.
type Outside struct {
	// Report and Progress may be nil.
	Report   Report
	Progress func(Progress)
	// Home is the user's home folder; Getenv reads an environment variable.
	Home   string
	Getenv func(string) string
}

// Connect opens what the settings name, through their tunnels. Nomad and the
// uploader are first asked by the use case; the state store is connected here.
func Connect(ctx context.Context, s *conf.Settings, out Outside) (_ *Connection, err error) {
	c := &Connection{bastions: tunnel.New(tunnel.Environment{Home: out.Home, Getenv: out.Getenv, Report: out.Report})}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	toState, err := c.bastions.Dial(s.State.Tunnel)
	if err != nil {
		return nil, err
	}
	toNomad, err := c.bastions.Dial(s.Nomad.Tunnel)
	if err != nil {
		return nil, err
	}
	if c.client, err = nomad.NewClient(clientOptions(s.Nomad, toNomad)); err != nil {
		return nil, err
	}
	ups := newUploaders(uploader.Environment{
		Home: out.Home, Getenv: out.Getenv, Report: out.Report, Progress: out.Progress,
		Nodes: func(ctx context.Context) ([]uploader.Node, error) { return uploadNodes(ctx, c.client, s.Nomad) },
	})
	var up uploader.Uploader
	if !perTopology(s.Upload) {
		if up, err = ups.get(s.Upload); err != nil {
			return nil, err
		}
	}
	c.Env = Env{uploaders: ups, Jobs: c.client, Uploader: up, TManager: tmanager.New(tmanager.Options{Dial: toNomad}), Report: out.Report}
	out.Report.say("connect to the state store: %s %s", s.State.Kind, s.State.Address())
	store, err := statemgr.Open(ctx, s.State, toState)
	if err != nil {
		return nil, err
	}
	c.Store = store
	return c, nil
}

// uploadNodes are the nodes that may fetch packages, for an uploader that puts
// them there.
func uploadNodes(ctx context.Context, client *nomad.Client, n conf.Nomad) ([]uploader.Node, error) {
	list, err := client.Nodes(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("find the nodes to put packages on: %w", err)
	}
	nodes := make([]uploader.Node, len(list))
	for i, node := range list {
		nodes[i] = uploader.Node(node)
	}
	return nodes, nil
}

// clientOptions are how to reach the Nomad that the settings name.
func clientOptions(n conf.Nomad, dial tunnel.DialFunc) nomad.ClientOptions {
	o := nomad.OptionsFor(n)
	o.Dial = dial
	return o
}

// Close ends all connections, tunnels last.
func (c *Connection) Close() error {
	var errs []error
	if c.client != nil {
		c.client.Close()
	}
	if c.Store != nil {
		errs = append(errs, c.Store.Close())
	}
	if c.uploaders != nil {
		errs = append(errs, c.uploaders.close())
	}
	return errors.Join(append(errs, c.bastions.Close())...)
}

// topologyJobs reads the jobs of a topology: that of its name in the cluster,
// whoever owns it, and those the original client made of the topology id, one
// per container.
func topologyJobs(ctx context.Context, jobs Jobs, cluster, name, topologyID string) ([]*api.Job, error) {
	var list []*api.Job
	own, err := jobs.Job(ctx, jobspec.JobID(cluster, name))
	switch {
	case err == nil:
		list = append(list, own)
	case !errors.Is(err, nomad.ErrNotFound):
		return nil, err
	}
	if topologyID == "" {
		return list, nil
	}
	stubs, err := jobs.TopologyJobs(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, stub := range stubs {
		if stub.Meta[jobspec.MetaTopologyID] != topologyID || stub.ID == jobspec.JobID(cluster, name) || stub.Meta[jobspec.MetaClient] != "" {
			continue
		}
		job, err := jobs.Job(ctx, stub.ID)
		if errors.Is(err, nomad.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read job %s of container %s: %w", stub.ID, stub.Meta["container.index"], err)
		}
		list = append(list, job)
	}
	return list, nil
}

// readNode reads a node that need not be there; what says in an error what was
// being done.
func (e Env) readNode(ctx context.Context, path, what string) (data []byte, there bool, err error) {
	node, err := e.Store.Read(ctx, path)
	switch {
	case errors.Is(err, statemgr.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("%s: %w", what, err)
	}
	return node.Data, true, nil
}

// waitStopped returns when the containers of a stopped job have ended. Those
// on lost nodes are told, not waited for.
func (e Env) waitStopped(ctx context.Context, id string, timeout time.Duration) error {
	lost, err := e.Jobs.WaitStopped(ctx, id, timeout, func(p nomad.StopProgress) {
		e.Report.say("%d of %d containers of job %s have ended", p.Ended, p.Total, id)
	})
	for _, ref := range lost {
		e.Report.say("its node is lost, so nobody knows whether it still runs: %s", ref)
	}
	return err
}

// endJob stops a job, waits for its containers and removes it.
func (e Env) endJob(ctx context.Context, job *api.Job, topologyID string, timeout time.Duration) error {
	if err := e.Jobs.Stop(ctx, job); err != nil && !errors.Is(err, nomad.ErrNotFound) {
		return err
	}
	if err := e.waitStopped(ctx, *job.ID, timeout); err != nil {
		return err
	}
	return e.Jobs.PurgeOwned(ctx, *job.ID, topologyID)
}
