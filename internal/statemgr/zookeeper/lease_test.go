package zookeeper

import (
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// The lock of the original's client has the nodes of its leases where this
// program puts its own.
func TestALeaseCanBeHeld(t *testing.T) {
	f := zkFixture(t)
	s, other, l := f.Tree(t), f.Open(t), f.Layout()
	lease := l.Lease("t", "0123456789abcdef")
	if !strings.HasPrefix(lease, l.Locks("t")+"/leases/_c_") || l.Lease("t", "short") != "" || l.Lease("a/b", "0123456789abcdef") != "" {
		t.Errorf("a lease is %q", lease)
	}
	must(t, s.EnsureDirs(t.Context(), l.Leases("t")))
	release, err := s.Hold(t.Context(), lease, []byte("me"))
	must(t, err)
	node, err := other.Read(t.Context(), lease)
	must(t, err)
	if !node.Ephemeral {
		t.Error("the lease outlives its holder")
	}
	names, err := other.Children(t.Context(), l.Leases("t"))
	must(t, err)
	if len(names) != 1 {
		t.Errorf("leases: %v", names)
	}
	ops, err := statemgr.Tree{Store: other, Layout: l}.Deletion(t.Context(), "t", false)
	must(t, err)
	if len(ops) != 3 {
		t.Errorf("a kill would remove %v", ops)
	}
	must(t, release(t.Context()))
	wantGone(t, other, lease)
}
