package zookeeper

import (
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// TestApplyAllAboveTheLimit uses the server's real limit: together the nodes
// are above it, each alone is not.
func TestApplyAllAboveTheLimit(t *testing.T) {
	tree := zkFixture(t).Tree(t)
	half := []byte(strings.Repeat("x", 600<<10))
	ops := []statemgr.Op{statemgr.Create(tree.PackingPlan("t"), half), statemgr.Create(tree.Topology("t"), half)}
	wantErr(t, tree.Apply(t.Context(), ops...), statemgr.ErrTooLarge, "")
	must(t, tree.CheckSize(ops...))
	must(t, tree.ApplyAll(t.Context(), ops...))
	must(t, tree.DeleteTopology(t.Context(), "t", false))
	ops[1].Data = []byte(strings.Repeat("x", 1200<<10))
	err := tree.CheckSize(ops...)
	wantErr(t, err, statemgr.ErrTooLarge, "")
	if !strings.Contains(err.Error(), tree.Topology("t")) {
		t.Errorf("%v does not name %s", err, tree.Topology("t"))
	}
	wantErr(t, tree.ApplyAll(t.Context(), ops...), statemgr.ErrTooLarge, "")
	wantGone(t, tree, tree.PackingPlan("t"), tree.Topology("t"))
}
