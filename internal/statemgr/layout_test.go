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
		{l.History("t"), "/heron/history/t", ""},
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

func TestLayoutOfAHistory(t *testing.T) {
	l := Layout{Root: "/heron"}
	for _, c := range []struct{ got, want, message string }{
		{l.Version("t", 12), "/heron/history/t/12", "Version"},
		{l.VersionDefinition("t", 1), "/heron/history/t/1.definition", "heron.proto.api.Topology, compressed"},
		{l.VersionPackingPlan("t", 1), "/heron/history/t/1.packingplan", "heron.proto.system.PackingPlan, compressed"},
		{l.VersionJob("t", 1), "/heron/history/t/1.job", "Nomad's job, compressed"},
		{"/heron/history/t/x", "/heron/history/t/x", ""},
		{"/heron/history/t/1.other", "/heron/history/t/1.other", ""},
	} {
		if c.got != c.want || l.Describe(c.want) != c.message {
			t.Errorf("%s, described as %q; want %s, %q", c.got, l.Describe(c.want), c.want, c.message)
		}
	}
	if got := l.Version("../x", 1); got != "" {
		t.Errorf("a bad name is at %s", got)
	}
}

func TestSurplus(t *testing.T) {
	for _, c := range []struct {
		stable  []int // of versions 1 to 6, of which 6 runs
		earlier int
		gone    []int
	}{
		{nil, 5, nil},
		{nil, 9, nil},
		{nil, 2, []int{1, 2, 3}},
		{nil, 0, []int{1, 2, 3, 4, 5}},
		{[]int{1}, 0, []int{1, 2, 3, 4, 5}},
		{[]int{5, 2}, 2, []int{1, 2, 3}},
		{[]int{1, 2}, 2, []int{1, 3, 4}}, // 2 stays: it is the last good one
		{[]int{2}, 1, []int{1, 3, 4, 5}},
		{[]int{6}, 2, []int{1, 2, 3}}, // what runs is none to go back to
	} {
		var list []Version
		for n := 1; n <= 6; n++ {
			list = append(list, Version{Number: n, Stable: slices.Contains(c.stable, n)})
		}
		var gone []int
		for _, v := range Surplus(list, c.earlier) {
			gone = append(gone, v.Number)
		}
		if !slices.Equal(gone, c.gone) {
			t.Errorf("stable %v, %d earlier: %v go, want %v", c.stable, c.earlier, gone, c.gone)
		}
	}
	if got := Surplus(nil, 3); len(got) > 0 {
		t.Errorf("of nothing: %v", got)
	}
}
