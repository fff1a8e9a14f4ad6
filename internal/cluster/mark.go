package cluster

import (
	"context"
	"fmt"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// Mark is which registration of its TManager and which physical plan a topology
// had at some time. Both may be the same to the byte after a restart, so the
// nodes are told apart by when they were made.
type Mark struct {
	tmanager, plan stamp
}

// stamp tells a node from a later one at the same path; the zero value is none.
type stamp struct {
	created int64
	version int
}

// Mark notes what a topology has now, to wait for what comes after a change. An
// activation writes the physical plan too: note it after that.
func (c Cluster) Mark(ctx context.Context, name, id string) (Mark, error) {
	at, plan := c.State.TManager(name), c.State.PhysicalPlan(name)
	nodes, err := c.State.ReadAll(ctx, at, plan)
	if err != nil {
		return Mark{}, fmt.Errorf("note the TManager and the physical plan of %s: %w", id, err)
	}
	return Mark{stampOf(nodes[at]), stampOf(nodes[plan])}, nil
}

func stampOf(n statemgr.Node) stamp { return stamp{n.Created, n.Version} }

// newer says that a node is another one than the marked one. In a folder a
// process may write a new node over the old one.
func (c Cluster) newer(n statemgr.Node, than stamp) bool {
	now := stampOf(n)
	return now.created != than.created || c.Settings.State.Kind == "localfs" && now != than
}
