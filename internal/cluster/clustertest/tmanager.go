package clustertest

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
	"github.com/heron-nomad/heron/internal/topology"
)

// TManager is that of the topology "words" on a Bench. It keeps its physical
// plan, which has the containers of the stored packing plan, in the state store,
// as the real one does. OnPlan and the hooks around
// changes, if set, are called before an answer and may fail it.
type TManager struct {
	b  *Bench
	id string
	// State is the TManager's own.
	State          heronpb.TopologyState
	OnPlan         func() error
	Before, After  func() error
	Asked, Changes int
	// Definition is the topology as the TManager read it when it began, with its
	// own changes: its runtime configuration.
	Definition *topology.Definition
	// Gone: the process has ended, and its location is still there. Down: it
	// does not start anew when the packing plan changes.
	Gone, Down bool
}

// TManager starts the TManager of a topology id: it stores its location and a
// physical plan, and becomes the one that the bench's cluster asks.
func (b *Bench) TManager(id string, state heronpb.TopologyState) *TManager {
	b.T.Helper()
	m := &TManager{b: b, id: id, State: state, Definition: Words(id)}
	b.Store.OnPacking = m.restart
	b.Must(b.Store.EnsureDirs(b.T.Context(), b.Cluster.State.Dirs()...))
	m.Locate(id)
	m.Store(id, state)
	b.Cluster.TManager = m
	return m
}

// put makes or overwrites a node.
func (b *Bench) put(ctx context.Context, path string, message proto.Message) {
	b.T.Helper()
	data, err := proto.Marshal(message)
	b.Must(err)
	// An interrupted command does not keep a TManager from writing.
	ctx = context.WithoutCancel(ctx)
	err = b.Store.Store.Apply(ctx, statemgr.Create(path, data))
	if errors.Is(err, statemgr.ErrExists) {
		err = b.Store.Store.Apply(ctx, statemgr.Set(path, data))
	}
	b.Must(err)
}

// Locate stores where the TManager of a topology id is.
func (m *TManager) Locate(id string) {
	m.b.T.Helper()
	m.locate(m.b.T.Context(), id)
}

func (m *TManager) locate(ctx context.Context, id string) {
	m.b.T.Helper()
	m.b.put(ctx, m.b.Cluster.State.TManager("words"), &heronpb.TManagerLocation{
		TopologyName: proto.String("words"), TopologyId: &id, Host: proto.String("node"),
		ControllerPort: proto.Int32(6001), ServerPort: proto.Int32(6000),
	})
}

// Store stores a physical plan.
func (m *TManager) Store(id string, state heronpb.TopologyState) {
	m.b.T.Helper()
	m.store(m.b.T.Context(), id, state)
}

func (m *TManager) store(ctx context.Context, id string, state heronpb.TopologyState) {
	m.b.T.Helper()
	m.b.put(ctx, m.b.Cluster.State.PhysicalPlan("words"), m.plan(ctx, id, state))
}

func (m *TManager) plan(ctx context.Context, id string, state heronpb.TopologyState) *heronpb.PhysicalPlan {
	t := m.Definition.Proto()
	t.Id, t.State = &id, &state
	plan := &heronpb.PhysicalPlan{Topology: t}
	for _, c := range m.planned(ctx) {
		index := c.GetId()
		for _, in := range c.GetInstancePlans() {
			plan.Instances = append(plan.Instances, &heronpb.Instance{
				InstanceId: proto.String(fmt.Sprintf("container_%d_%s_%d", index, in.GetComponentName(), in.GetTaskId())),
				StmgrId:    proto.String(fmt.Sprintf("stmgr-%d", index)),
				Info: &heronpb.InstanceInfo{
					TaskId: in.TaskId, ComponentIndex: in.ComponentIndex, ComponentName: in.ComponentName,
				},
			})
		}
		plan.Stmgrs = append(plan.Stmgrs, &heronpb.StMgr{
			Id: proto.String(fmt.Sprintf("stmgr-%d", index)), HostName: proto.String("node"),
			DataPort: proto.Int32(7000 + index), LocalEndpoint: proto.String("/unused"),
		})
	}
	return plan
}

// planned are the containers of the stored packing plan, none without one.
func (m *TManager) planned(ctx context.Context) []*heronpb.ContainerPlan {
	node, err := m.b.Store.Read(context.WithoutCancel(ctx), m.b.Cluster.State.PackingPlan("words"))
	if errors.Is(err, statemgr.ErrNotFound) {
		return nil
	}
	m.b.Must(err)
	packing := &heronpb.PackingPlan{}
	m.b.Must(proto.Unmarshal(node.Data, packing))
	return packing.GetContainerPlans()
}

// restart is what the process does when the packing plan changes: it removes the
// physical plan and ends, and another reads everything anew.
func (m *TManager) restart(ctx context.Context) {
	m.b.T.Helper()
	ctx = context.WithoutCancel(ctx)
	err := m.b.Store.Store.Apply(ctx, statemgr.Delete(m.b.Cluster.State.PhysicalPlan("words")))
	if !errors.Is(err, statemgr.ErrNotFound) {
		m.b.Must(err)
	}
	if m.Down {
		m.Gone = true
		return
	}
	node, err := m.b.Store.Read(ctx, m.b.Cluster.State.Topology("words"))
	m.b.Must(err)
	m.Definition, err = topology.Decode(node.Data)
	m.b.Must(err)
	m.State, m.Gone = m.Definition.State(), false
	m.locate(ctx, m.id)
	m.store(ctx, m.id, m.State)
}

// PhysicalPlan implements cluster.TManager.
func (m *TManager) PhysicalPlan(ctx context.Context, _ *heronpb.TManagerLocation) (*heronpb.PhysicalPlan, error) {
	m.Asked++
	if m.Gone {
		return nil, fmt.Errorf("%w at node:6001: connection refused", tmanager.ErrUnreachable)
	}
	if m.OnPlan != nil {
		if err := m.OnPlan(); err != nil {
			return nil, err
		}
	}
	return m.plan(ctx, m.id, m.State), nil
}

// Activate implements cluster.TManager.
func (m *TManager) Activate(ctx context.Context, _ *heronpb.TManagerLocation) error {
	return m.change(ctx, "activate", heronpb.TopologyState_PAUSED, heronpb.TopologyState_RUNNING)
}

// Deactivate implements cluster.TManager.
func (m *TManager) Deactivate(ctx context.Context, _ *heronpb.TManagerLocation) error {
	return m.change(ctx, "deactivate", heronpb.TopologyState_RUNNING, heronpb.TopologyState_PAUSED)
}

// Configure implements cluster.TManager.
func (m *TManager) Configure(ctx context.Context, _ *heronpb.TManagerLocation, items []string) error {
	if m.Before != nil {
		if err := m.Before(); err != nil {
			return err
		}
	}
	var values []topology.RuntimeValue
	for _, item := range items {
		v, err := topology.ParseRuntimeValue(item)
		m.b.Must(err)
		values = append(values, v)
	}
	next, err := m.Definition.WithRuntime(values)
	if err != nil {
		return &tmanager.RefusedError{Action: "update the runtime configuration", Where: "node:6001", Status: 400, Reason: "Failed to validate runtime configs"}
	}
	m.Definition = next
	m.Changes++
	m.store(ctx, m.id, m.State)
	if m.After != nil {
		return m.After()
	}
	return nil
}

func (m *TManager) change(ctx context.Context, action string, from, to heronpb.TopologyState) error {
	if m.Before != nil {
		if err := m.Before(); err != nil {
			return err
		}
	}
	if m.State != from {
		return &tmanager.RefusedError{Action: action, Where: "node:6001", Status: 400}
	}
	m.State = to
	m.Changes++
	m.store(ctx, m.id, to)
	if m.After != nil {
		return m.After()
	}
	return nil
}
