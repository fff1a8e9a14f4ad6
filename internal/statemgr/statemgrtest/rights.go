package statemgrtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/statemgr"
)

func testRights(t *testing.T, f Fixture) {
	tree, ctx := f.Opened(t), t.Context()
	create := []statemgr.Op{
		statemgr.Create(tree.PackingPlan("t"), []byte("p")), statemgr.Create(tree.Topology("t"), []byte("x")),
	}
	Must(t, tree.CheckRights(ctx, create...))
	WantGone(t, tree, tree.Root, tree.Topology("t"))
	Must(t, tree.EnsureDirs(ctx, tree.Dirs()...))
	Must(t, tree.Apply(ctx, create...))
	huge := statemgr.Create(tree.Topology("u"), []byte(strings.Repeat("x", 2<<20)))
	for _, ops := range [][]statemgr.Op{
		{}, create, {huge}, {statemgr.Delete(tree.Topology("t"))},
		{statemgr.Set(tree.Topology("t"), []byte("y"))}, {statemgr.Delete(tree.Topology("v"))},
	} {
		Must(t, tree.CheckRights(ctx, ops...))
	}
	WantNode(t, tree, tree.Topology("t"), "x", 0)
	WantGone(t, tree, tree.Topology("u"))

	ended, cancel := context.WithCancelCause(ctx)
	why := errors.New("interrupted")
	cancel(why)
	WantErr(t, tree.CheckRights(ended), why, "")
}

func testReadAll(t *testing.T, f Fixture) {
	tree, ctx := f.Tree(t), t.Context()
	var paths []string
	for i := range 200 { // more than are read at once
		path := tree.Topology(fmt.Sprint("t", i))
		paths = append(paths, path)
		if i%2 == 0 {
			Must(t, tree.Apply(ctx, statemgr.Create(path, fmt.Append(nil, i))))
		}
	}
	Must(t, tree.Apply(ctx, statemgr.Set(paths[0], []byte("set"))))
	nodes, err := tree.ReadAll(ctx, append(paths, tree.Root+"/nowhere/t", tree.Topologies(), paths[0])...)
	Must(t, err)
	if len(nodes) != 101 {
		t.Errorf("%d nodes were read, want 101", len(nodes))
	}
	for i, path := range paths[1:] {
		node, there := nodes[path]
		if there != (i%2 == 1) || there && string(node.Data) != fmt.Sprint(i+1) {
			t.Errorf("%s: %v, %q", path, there, node.Data)
		}
	}
	if n := nodes[paths[0]]; string(n.Data) != "set" || n.Version != 1 || n.Created == 0 {
		t.Errorf("%s is %+v", paths[0], n)
	}
	if nodes, err = tree.ReadAll(ctx); err != nil || len(nodes) > 0 {
		t.Errorf("without paths: %v, %v", nodes, err)
	}
	var invalid *statemgr.InvalidError
	if _, err = tree.ReadAll(ctx, paths[0], tree.Topology("../x")); !errors.As(err, &invalid) {
		t.Errorf("a bad path: %v", err)
	}
	ended, cancel := context.WithCancelCause(ctx)
	why := errors.New("interrupted")
	cancel(why)
	_, err = tree.ReadAll(ended, paths...)
	WantErr(t, err, why, "")
}
