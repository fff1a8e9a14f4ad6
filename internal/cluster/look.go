package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// Scope says what of a topology to look at besides its state.
type Scope struct {
	// Job: the job of its name; Originals: those of the original client too.
	Job, Originals bool
	// Nodes: every node of the state store; Checkpoints: the node of stateful
	// checkpoints among them.
	Nodes, Checkpoints bool
	// Versions: the records of its versions.
	Versions bool
	// Check, unless nil, gets the state before Nomad is asked; its error ends the
	// look. A job may be in a place that this command does not look at.
	Check func(*Topology) error
}

// Look reads what there is of a topology. It changes nothing. What is absent
// or cannot be understood is no error, but part of the answer.
//
// The intent is read first: it goes last, so one that is gone by then has left
// everything else in place to be read.
func (c Cluster) Look(ctx context.Context, name string, scope Scope) (*Topology, error) {
	if err := statemgr.CheckName(name); err != nil {
		return nil, err
	}
	t := &Topology{Name: name}
	var err error
	if t.Pending, err = operation.Find(ctx, c.State, name); err != nil {
		return nil, err
	}
	group, inner := errgroup.WithContext(ctx)
	if scope.Check != nil {
		if err = c.readState(ctx, t); err == nil {
			err = scope.Check(t)
		}
		if err != nil {
			return nil, err
		}
	} else {
		group.Go(func() error { return c.readState(inner, t) })
	}
	if scope.Nodes {
		group.Go(func() (err error) {
			if t.Nodes, err = c.State.Deletion(inner, name, scope.Checkpoints); err != nil {
				err = fmt.Errorf("look for topology %q: %w", name, err)
			}
			return err
		})
	}
	if scope.Versions {
		group.Go(func() error {
			t.Versions, t.VersionsErr = c.State.Versions(inner, name)
			if errors.Is(t.VersionsErr, statemgr.ErrUnreachable) || inner.Err() != nil {
				return t.VersionsErr
			}
			return nil
		})
	}
	if scope.Job {
		group.Go(func() (err error) {
			t.Job, err = c.readJob(inner, jobspec.JobID(c.Settings.Cluster, name))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if scope.Originals && t.ExecutionState.Known() {
		if t.Originals, err = c.originals(ctx, name, t.ExecutionState.Value.GetTopologyId()); err != nil {
			return nil, fmt.Errorf("look for the jobs of topology %q: %w", name, err)
		}
	}
	return t, nil
}

// readState reads the nodes that a submission makes.
func (c Cluster) readState(ctx context.Context, t *Topology) error {
	l, name := c.State.Layout, t.Name
	t.Definition.Path, t.PackingPlan.Path, t.ExecutionState.Path = l.Topology(name), l.PackingPlan(name), l.ExecutionState(name)
	t.Scheduler.Path, t.Record.Path = l.Scheduler(name), l.Deployment(name)
	nodes, err := c.State.ReadAll(ctx, t.Definition.Path, t.PackingPlan.Path, t.ExecutionState.Path, t.Scheduler.Path, t.Record.Path)
	if err != nil {
		return fmt.Errorf("look for topology %q: %w", name, err)
	}
	decode(&t.Definition, nodes, topology.Decode)
	decode(&t.PackingPlan, nodes, message[heronpb.PackingPlan])
	decode(&t.ExecutionState, nodes, message[heronpb.ExecutionState])
	decode(&t.Scheduler, nodes, message[heronpb.SchedulerLocation])
	decode(&t.Record, nodes, statemgr.DecodeDeployment)
	return nil
}

// decode fills a part with what was read of its node.
func decode[T any](p *Part[T], nodes map[string]statemgr.Node, read func([]byte) (T, error)) {
	node, there := nodes[p.Path]
	if !there {
		return
	}
	p.There, p.Data, p.stamp = true, node.Data, stampOf(node)
	if p.Value, p.Err = read(node.Data); p.Err != nil {
		p.Err = fmt.Errorf("%s: %w", p.Path, p.Err)
	}
}

// message reads a protobuf message.
func message[T any, P interface {
	*T
	proto.Message
}](data []byte) (*T, error) {
	m := new(T)
	return m, proto.Unmarshal(data, P(m))
}

// readJob reads a job, nil where there is none.
func (c Cluster) readJob(ctx context.Context, id string) (*api.Job, error) {
	job, err := c.Jobs.Job(ctx, id)
	if errors.Is(err, nomad.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for job %s: %w", id, err)
	}
	return job, nil
}

// originals reads the jobs that the original client made of a topology id.
func (c Cluster) originals(ctx context.Context, name, topologyID string) ([]*api.Job, error) {
	stubs, err := c.Jobs.TopologyJobs(ctx, name)
	if err != nil {
		return nil, err
	}
	var list []*api.Job
	for _, stub := range stubs {
		if stub.Meta[jobspec.MetaTopologyID] != topologyID || stub.ID == jobspec.JobID(c.Settings.Cluster, name) || stub.Meta[jobspec.MetaClient] != "" {
			continue
		}
		job, err := c.readJob(ctx, stub.ID)
		if err != nil {
			return nil, err
		}
		if job != nil {
			list = append(list, job)
		}
	}
	return list, nil
}
