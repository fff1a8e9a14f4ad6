package statemgr

import (
	"path"
	"slices"
	"testing"
)

func TestLayout(t *testing.T) {
	l := Layout{Root: "/heron"}
	for _, c := range []struct{ got, want, message string }{
		{l.Topology("t"), "/heron/topologies/t", "heron.proto.api.Topology"},
		{l.PackingPlan("t"), "/heron/packingplans/t", "heron.proto.system.PackingPlan"},
		{l.ExecutionState("t"), "/heron/executionstate/t", "heron.proto.system.ExecutionState"},
		{l.Scheduler("t"), "/heron/schedulers/t", "heron.proto.scheduler.SchedulerLocation"},
		{l.TManager("t"), "/heron/tmanagers/t", "heron.proto.tmanager.TManagerLocation"},
		{l.MetricsCache("t"), "/heron/metricscaches/t", "heron.proto.tmanager.MetricsCacheLocation"},
		{l.PhysicalPlan("t"), "/heron/pplans/t", "heron.proto.system.PhysicalPlan"},
		{l.Checkpoints("t"), "/heron/statefulcheckpoints/t", "heron.proto.ckptmgr.StatefulConsistentCheckpoints"},
		{l.Locks("t"), "/heron/locks/t__updateTopology", ""},
		{l.Deployment("t"), "/heron/deployments/t", "DeploymentRecord"},
		{l.Operation("t"), "/heron/operations/t", "Intent"},
	} {
		if c.got != c.want {
			t.Errorf("path %s, want %s", c.got, c.want)
		}
		if got := l.Describe(c.want); got != c.message {
			t.Errorf("%s is described as %q, want %q", c.want, got, c.message)
		}
		if !slices.Contains(l.Dirs(), path.Dir(c.want)) {
			t.Errorf("the directory of %s is not among Dirs", c.want)
		}
	}
	for _, p := range []string{"/heron", "/heron/topologies", "/other/topologies/t", "/heron/topologies/t/x", "/heron/nothing/t"} {
		if got := l.Describe(p); got != "" {
			t.Errorf("%s is described as %q", p, got)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", "/", "a\x00b", "a\nb", "\xff", "a\u0085b", "a\uf8ffb"} {
		if CheckName(bad) == nil || l.Topology(bad) != "" || l.Locks(bad) != "" {
			t.Errorf("the name %q is accepted", bad)
		}
	}
	for _, good := range []string{"a", "a.b", "...", "syn-25_Odd Names-é", "😀"} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "/", "heron", "/heron/", "/a/../b"} {
		if CheckRoot(bad) == nil {
			t.Errorf("the root %q is accepted", bad)
		}
	}
}

func TestOwnersOfDifferentTopologiesNeverMeet(t *testing.T) {
	l := Layout{Root: "/heron"}
	const token = "0123456789abcdef"
	odd := "t." + token
	if got := ownerOf(odd+"."+token, "t"); got != "" {
		t.Errorf("%q counts as an owner of t: %q", odd+"."+token, got)
	}
	if got := ownerOf(odd+"."+token, odd); got != token {
		t.Errorf("owner of %q: %q", odd, got)
	}
	if l.Owner("t", token) == l.Operation("t") || l.Owner("../x", token) != "" || l.Owner("t", "../../../../../x") != "" {
		t.Error("paths of owners are wrong")
	}
	if got := l.Describe(l.Owner("t", token)); got != "Owner" {
		t.Errorf("described as %q", got)
	}
}
