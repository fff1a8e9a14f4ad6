package statemgr

import (
	"bytes"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
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
			t.Errorf("the name %q is taken", bad)
		}
	}
	for _, good := range []string{"a", "a.b", "...", "syn-25_Odd Names-é", "😀"} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "/", "heron", "/heron/", "/a/../b"} {
		if CheckRoot(bad) == nil {
			t.Errorf("the root %q is taken", bad)
		}
	}
}

func TestOpen(t *testing.T) {
	f := zkFixture(t)
	for _, c := range []conf.State{
		{Kind: "localfs", Connection: LocalMode, Root: t.TempDir()},
		{Kind: "zookeeper", Servers: []string{testenv.ZooKeeper(t)}, Root: f.root},
	} {
		s, err := Open(t.Context(), c, nil)
		must(t, err)
		must(t, s.EnsureDirs(t.Context(), Layout{Root: c.Root}.Dirs()...))
		wantNode(t, s, c.Root+"/pplans", "", 0)
		must(t, s.Close())
	}
	for _, c := range []conf.State{{Kind: "etcd", Root: "/x"}, {Kind: "localfs"}, {Kind: "zookeeper", Root: "/x"}} {
		var invalid *InvalidError
		if _, err := Open(t.Context(), c, nil); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func submission(topology string) Submission {
	s := Submission{
		Topology: topology, Definition: []byte("definition"), PackingPlan: []byte("plan"),
		ExecutionState: []byte("state"), SchedulerLocation: []byte("location"),
	}
	s.Deployment.TopologyID = topology + "-id"
	return s
}

func eachStore(t *testing.T, test func(t *testing.T, f fixture)) {
	t.Run("zookeeper", func(t *testing.T) { test(t, zkFixture(t)) })
	t.Run("localfs", func(t *testing.T) { test(t, localFixture(t)) })
}

func TestSubmitAndDelete(t *testing.T) {
	eachStore(t, func(t *testing.T, f fixture) {
		s, l, ctx := f.dirs(t), f.layout(), t.Context()
		must(t, DeleteTopology(ctx, s, l, "t", true))
		for _, name := range []string{"t", "t2", "t__updateTopology"} {
			ops, err := submission(name).Ops(l)
			must(t, err)
			if last := ops[len(ops)-1].Path; last != l.Topology(name) {
				t.Errorf("the last operation is on %s", last)
			}
			done, err := Done(ctx, s, ops...)
			if err != nil || done {
				t.Errorf("before: done is %v, %v", done, err)
			}
			must(t, s.Apply(ctx, ops...))
			if done, err = Done(ctx, s, ops...); err != nil || !done {
				t.Errorf("after: done is %v, %v", done, err)
			}
			must(t, s.Apply(ctx, Create(l.TManager(name), []byte("tm")), Create(l.MetricsCache(name), []byte("mc")),
				Create(l.PhysicalPlan(name), []byte("pp")), Create(l.Checkpoints(name), []byte("ck")),
				Create(l.Locks(name), nil),
				Create(l.Locks(name)+"/leases", nil), Create(l.Locks(name)+"/leases/a", []byte("x"))))
		}
		other, err := Deletion(ctx, s, l, "t2", true)
		must(t, err)
		for range 2 {
			must(t, DeleteTopology(ctx, s, l, "t", false))
			left, err := Deletion(ctx, s, l, "t", true)
			must(t, err)
			if len(left) != 1 || left[0].Path != l.Checkpoints("t") {
				t.Errorf("left are %v, want the checkpoints alone", left)
			}
		}
		must(t, DeleteTopology(ctx, s, l, "t", true))
		wantGone(t, s, l.Checkpoints("t"))
		if now, err := Deletion(ctx, s, l, "t2", true); err != nil || len(now) != len(other) || len(now) != 12 {
			t.Errorf("another topology has %d nodes, had %d, %v", len(now), len(other), err)
		}
		if last := other[len(other)-1].Path; last != l.Topology("t2") {
			t.Errorf("the definition is not the last to go: %s", last)
		}
		var invalid *InvalidError
		if err := DeleteTopology(ctx, s, l, "..", true); !errors.As(err, &invalid) {
			t.Errorf("deletion of ..: %v", err)
		}
	})
}

func TestSubmissionWithoutMessage(t *testing.T) {
	s := submission("t")
	s.PackingPlan = nil
	var invalid *InvalidError
	if _, err := s.Ops(Layout{Root: "/heron"}); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "packingplans") {
		t.Errorf("a submission without packing plan: %v", err)
	}
}

// meddler changes the tree before a transaction, as Heron's processes may.
type meddler struct {
	Store
	before func(ops []Op) error
}

func (m *meddler) Apply(ctx context.Context, ops ...Op) error {
	if err := m.before(ops); err != nil {
		return err
	}
	return m.Store.Apply(ctx, ops...)
}

func TestDeleteWhileNodesMove(t *testing.T) {
	eachStore(t, func(t *testing.T, f fixture) {
		s, l, ctx := f.dirs(t), f.layout(), t.Context()
		ops, err := submission("t").Ops(l)
		must(t, err)
		must(t, s.Apply(ctx, append(ops, Create(l.TManager("t"), []byte("x")), Create(l.Locks("t"), nil))...))
		calls := 0
		m := &meddler{Store: s, before: func([]Op) error {
			calls++
			switch calls {
			case 1:
				return s.Apply(ctx, Delete(l.TManager("t")))
			case 2:
				return s.Apply(ctx, Create(l.Locks("t")+"/lease", []byte("x")))
			}
			return nil
		}}
		must(t, DeleteTopology(ctx, m, l, "t", false))
		if calls != 3 {
			t.Errorf("%d transactions, want 3", calls)
		}
		if left, err := Deletion(ctx, s, l, "t", true); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		calls = -1000
		m.before = func([]Op) error { calls++; return ErrNotFound }
		must(t, s.Apply(ctx, ops...))
		wantErr(t, DeleteTopology(ctx, m, l, "t", false), ErrNotFound, "")
		if calls != -1000+deleteTries {
			t.Errorf("tried %d times", calls+1000)
		}
	})
}

func TestDeploymentRecord(t *testing.T) {
	var r DeploymentRecord
	r.TopologyID, r.ClientVersion, r.SubmittedBy, r.ConfigDigest = "t-id", "1.0", "alice", "abc"
	r.Nomad.Address, r.Nomad.Region, r.Nomad.Namespace, r.Nomad.JobID, r.Nomad.JobVersion = "http://n:4646", "eu", "prod", "heron.c.t", 7
	r.Package.Uploader, r.Package.URI, r.Package.SHA256, r.Package.Size = "localfs", "file:///p", "ff", 1<<40
	r.SubmittedAt = time.Date(2024, 5, 6, 9, 8, 9, 123, time.FixedZone("", 7200))
	data, err := r.Encode()
	must(t, err)
	want := `{"version":1,"topology_id":"t-id","nomad":{"address":"http://n:4646","region":"eu","namespace":"prod",` +
		`"job_id":"heron.c.t","job_version":7},"package":{"uploader":"localfs","uri":"file:///p","sha256":"ff",` +
		`"size":1099511627776},"client_version":"1.0","submitted_by":"alice","submitted_at":"2024-05-06T07:08:09Z","config_digest":"abc"}`
	if string(data) != want {
		t.Errorf("encoded\n%s\nwant\n%s", data, want)
	}
	back, err := DecodeDeployment(bytes.Replace(data, []byte(`{"version"`), []byte(`{"later":[1],"version"`), 1))
	must(t, err)
	r.Version, r.SubmittedAt = 1, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	if back != r {
		t.Errorf("decoded %+v, want %+v", back, r)
	}
	for _, bad := range []string{"", "{}", "garbage", `{"version":2}`} {
		if _, err := DecodeDeployment([]byte(bad)); err == nil {
			t.Errorf("%q was decoded", bad)
		}
	}
}
