package versions

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// node is what a node of the state is to hold; no data for one that is not to
// be there, unless it is a directory.
type node struct {
	path string
	data []byte
	dir  bool
}

// writeTries bounds how often a write is begun again because a node of Heron's
// own processes went in the meantime: their sessions are ending.
const writeTries = 20

// write makes nodes what they are to be, in one transaction where it fits, and
// says whether anything differed.
func (c *change) write(ctx context.Context, nodes []node) (bool, error) {
	for try := 1; ; try++ {
		ops, err := c.missing(ctx, nodes)
		if err != nil || len(ops) == 0 {
			return false, err
		}
		err = c.cl.State.ApplyAll(ctx, append(c.claim.Guards(), ops...)...)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, statemgr.ErrUnreachable):
			// The reply may have been lost on the way.
			if done, readErr := c.cl.State.Done(ctx, ops...); readErr == nil && done {
				return true, nil
			}
			return false, err
		}
		var refused *statemgr.TxError
		gone := errors.As(err, &refused) && refused.Op.Kind == statemgr.OpDelete && errors.Is(err, statemgr.ErrNotFound)
		if err = c.claim.Seen(err); !gone || try == writeTries {
			return false, err
		}
	}
}

// missing are the operations that make nodes what they are to be.
func (c *change) missing(ctx context.Context, nodes []node) ([]statemgr.Op, error) {
	paths := make([]string, len(nodes))
	for i, n := range nodes {
		paths[i] = n.path
	}
	there, err := c.cl.State.ReadAll(ctx, paths...)
	if err != nil {
		return nil, err
	}
	var ops []statemgr.Op
	seen := map[string]bool{}
	for _, n := range nodes {
		now, found := there[n.path]
		switch again := seen[n.path]; {
		case again:
		case n.dir && !found:
			ops = append(ops, statemgr.Create(n.path, nil))
		case n.dir, found && len(n.data) > 0 && bytes.Equal(now.Data, n.data), !found && len(n.data) == 0:
		case len(n.data) == 0:
			ops = append(ops, statemgr.Delete(n.path))
		case found:
			ops = append(ops, statemgr.Set(n.path, n.data).At(now.Version))
		default:
			ops = append(ops, statemgr.Create(n.path, n.data))
		}
		seen[n.path] = true
	}
	return ops, nil
}

// stateOf are the nodes of a version that is in place, the definition last.
// Nodes that processes of the version before have left go: their sessions may
// last for a while, and a TManager that finds another's location ends.
func (c *change) stateOf(v statemgr.Version, paused bool) ([]node, error) {
	l := c.cl.State.Layout
	record, err := v.Deployment.Encode()
	if err != nil {
		return nil, err
	}
	definition, err := inState(v.Definition, paused)
	if err != nil {
		return nil, err
	}
	return []node{
		{path: l.PackingPlan(c.name), data: v.PackingPlan},
		{path: l.ExecutionState(c.name), data: v.ExecutionState},
		{path: l.Scheduler(c.name), data: v.SchedulerLocation},
		{path: l.Deployment(c.name), data: record},
		{path: l.TManager(c.name)},
		{path: l.MetricsCache(c.name)},
		{path: l.PhysicalPlan(c.name)},
		{path: l.Topology(c.name), data: definition},
	}, nil
}

// inState is a serialized definition with the state that the topology is to
// have.
func inState(definition []byte, paused bool) ([]byte, error) {
	def, err := topology.Decode(definition)
	if err != nil {
		return nil, err
	}
	want := heronpb.TopologyState_RUNNING
	if paused {
		want = heronpb.TopologyState_PAUSED
	}
	if def.State() == want {
		return definition, nil
	}
	return def.WithState(want).Bytes()
}

// versionNodes are the nodes of a version in the history: with its content, or
// to be gone.
func (c *change) versionNodes(v statemgr.Version, there bool) ([]node, error) {
	l := c.cl.State.Layout
	if !there {
		// The record goes last: as long as it is there, so is what it says.
		return []node{
			{path: l.VersionDefinition(c.name, v.Number)}, {path: l.VersionPackingPlan(c.name, v.Number)},
			{path: l.VersionJob(c.name, v.Number)}, {path: l.Version(c.name, v.Number)},
		}, nil
	}
	ops, err := v.Ops(l, c.name)
	if err != nil {
		return nil, err
	}
	nodes := []node{{path: l.History(c.name), dir: true}}
	for _, op := range ops {
		nodes = append(nodes, node{path: op.Path, data: op.Data})
	}
	return nodes, nil
}

// writeState puts the target's state in place of the base's, and both into the
// history. They come first: where all does not fit into one transaction, the way
// back is there before it is needed.
func (c *change) writeState(ctx context.Context) error {
	job, err := c.readJob(ctx)
	if err != nil {
		return err
	}
	if c.isTarget(job) && !jobspec.Stopped(job) && c.checkBack(ctx) != nil {
		return nil // a change that died had done it, and more: the target's own nodes stay
	}
	var nodes []node
	for _, v := range []struct {
		statemgr.Version
		skip bool
	}{{c.base, c.recorded}, {c.target, false}} {
		if v.skip {
			continue
		}
		more, err := c.versionNodes(v.Version, true)
		if err != nil {
			return err
		}
		nodes = append(nodes, more...)
	}
	more, err := c.stateOf(c.target, c.paused())
	if err != nil {
		return err
	}
	nodes = append(nodes, more...)
	if c.fresh {
		nodes = append(nodes, node{path: c.cl.State.Checkpoints(c.name)})
	}
	_, err = c.write(ctx, nodes)
	return err
}

// paused says whether the target is to be paused: it is what its definition
// says, which was decided when the change began.
func (c *change) paused() bool {
	def, err := topology.Decode(c.target.Definition)
	return err == nil && def.State() == heronpb.TopologyState_PAUSED
}

// checkBack returns why the state is not the base's.
func (c *change) checkBack(ctx context.Context) error {
	path := c.cl.State.Version(c.name, c.target.Number)
	_, err := c.cl.State.Read(ctx, path)
	switch {
	case err == nil:
		return fmt.Errorf("the state is still that of version %d", c.target.Number)
	case errors.Is(err, statemgr.ErrNotFound):
		return nil
	}
	return err
}
