package zookeeper

import (
	"bytes"
	"errors"
	"sort"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
)

// Servers have limits below and above the default.
func TestServersLimit(t *testing.T) {
	for _, limit := range []int{64 << 10, 4 << 20} {
		f := serverFixture(t, testenv.ZooKeeperWithLimit(t, limit).Addr, conf.ZooKeeperAccess{})
		s := f.openZK(t, Options{MaxRequest: limit})
		tree, ctx := statemgr.Tree{Store: s, Layout: f.Layout()}, t.Context()
		must(t, tree.EnsureDirs(ctx, tree.Dirs()...))
		claim := statemgr.Create(tree.Operation("t"), []byte("mine"))
		must(t, tree.Apply(ctx, claim))
		create := func(size int) []statemgr.Op {
			return []statemgr.Op{statemgr.Check(claim.Path), statemgr.Create(tree.Topology("t"), bytes.Repeat([]byte{1}, size))}
		}
		fits := sort.Search(limit, func(n int) bool { return tree.CheckSize(create(n+1)...) != nil })
		if fits < limit/2 {
			t.Fatalf("of %d bytes only %d are left", limit, fits)
		}
		err := tree.CheckSize(create(fits + 1)...)
		if !errors.Is(err, statemgr.ErrTooLarge) || outcome.KindOf(err) != outcome.Usage {
			t.Errorf("a byte more: %v", err)
		}
		for _, says := range []string{"heron.statemgr.zookeeper.request.limit", "jute.maxbuffer", tree.Topology("t")} {
			if err != nil && !strings.Contains(err.Error(), says) {
				t.Errorf("%v does not say %s", err, says)
			}
		}
		must(t, tree.Apply(ctx, create(fits)...))
		if n, err := tree.Read(ctx, tree.Topology("t")); err != nil || len(n.Data) != fits {
			t.Errorf("read of %d bytes: %d, %v", fits, len(n.Data), err)
		}
		must(t, tree.DeleteTopology(ctx, "t", true))

		// Several changes that fit one by one are not too large.
		half := bytes.Repeat([]byte{1}, fits*2/3)
		many := []statemgr.Op{
			statemgr.Check(claim.Path), statemgr.Create(tree.PackingPlan("t"), half), statemgr.Create(tree.Topology("t"), half),
		}
		wantErr(t, tree.Fits(many...), statemgr.ErrTooLarge, "")
		must(t, tree.CheckSize(many...))
		must(t, tree.ApplyAll(ctx, many...))
		must(t, tree.DeleteTopology(ctx, "t", true))
	}
}

// A server whose limit is not configured closes the connection.
func TestServersLimitThatIsUnknown(t *testing.T) {
	f := serverFixture(t, testenv.ZooKeeperWithLimit(t, 64<<10).Addr, conf.ZooKeeperAccess{})
	tree := f.Tree(t)
	err := tree.Apply(t.Context(), statemgr.Create(tree.Topology("t"), make([]byte, 100<<10)))
	wantErr(t, err, statemgr.ErrUnreachable, "")
	for _, says := range []string{"jute.maxbuffer below", limitKey} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	wantGone(t, tree, tree.Topology("t"))
	must(t, tree.Apply(t.Context(), statemgr.Create(tree.Topology("t"), []byte("small"))))
}
