package statemgrtest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/statemgr"
)

func submission(topology string) statemgr.Submission {
	s := statemgr.Submission{
		Topology: topology, Definition: []byte("definition"), PackingPlan: []byte("plan"),
		ExecutionState: []byte("state"), SchedulerLocation: []byte("location"),
	}
	s.Deployment.TopologyID = topology + "-id"
	return s
}

func testSubmitAndDelete(t *testing.T, f Fixture) {
	s, ctx := f.Tree(t), t.Context()
	Must(t, s.DeleteTopology(ctx, "t", true))
	for _, name := range []string{"t", "t2", "t__updateTopology"} {
		ops, err := submission(name).Ops(s.Layout)
		Must(t, err)
		if last := ops[len(ops)-1].Path; last != s.Topology(name) {
			t.Errorf("the last operation is on %s", last)
		}
		done, err := s.Done(ctx, ops...)
		if err != nil || done {
			t.Errorf("before: done is %v, %v", done, err)
		}
		Must(t, s.Apply(ctx, ops...))
		if done, err = s.Done(ctx, ops...); err != nil || !done {
			t.Errorf("after: done is %v, %v", done, err)
		}
		Must(t, s.Apply(ctx, statemgr.Create(s.TManager(name), []byte("tm")), statemgr.Create(s.MetricsCache(name), []byte("mc")),
			statemgr.Create(s.PhysicalPlan(name), []byte("pp")), statemgr.Create(s.Checkpoints(name), []byte("ck")),
			statemgr.Create(s.Locks(name), nil),
			statemgr.Create(s.Locks(name)+"/leases", nil), statemgr.Create(s.Locks(name)+"/leases/a", []byte("x"))))
	}
	other, err := s.Deletion(ctx, "t2", true)
	Must(t, err)
	for range 2 {
		Must(t, s.DeleteTopology(ctx, "t", false))
		left, err := s.Deletion(ctx, "t", true)
		Must(t, err)
		if len(left) != 1 || left[0].Path != s.Checkpoints("t") {
			t.Errorf("left are %v, want the checkpoints alone", left)
		}
	}
	Must(t, s.DeleteTopology(ctx, "t", true))
	WantGone(t, s, s.Checkpoints("t"))
	if now, err := s.Deletion(ctx, "t2", true); err != nil || len(now) != len(other) || len(now) != 12 {
		t.Errorf("another topology has %d nodes, had %d, %v", len(now), len(other), err)
	}
	if last := other[len(other)-1].Path; last != s.Topology("t2") {
		t.Errorf("the definition is not the last to go: %s", last)
	}
	var invalid *statemgr.InvalidError
	if err := s.DeleteTopology(ctx, "..", true); !errors.As(err, &invalid) {
		t.Errorf("deletion of ..: %v", err)
	}
}

func testUpdateLock(t *testing.T, f Fixture) {
	s, ctx := f.Tree(t), t.Context()
	lock := s.Locks("t")
	find := func(held bool) *statemgr.UpdateLock {
		t.Helper()
		found, err := s.FindUpdateLock(ctx, "t")
		if err != nil || (found != nil) != held {
			t.Fatalf("%+v, %v, want held: %v", found, err, held)
		}
		return found
	}
	find(false)
	Must(t, s.EnsureDirs(ctx, lock, lock+"/locks", lock+"/leases"))
	find(false)
	lease := lock + "/leases/_c_0-lease-0000000000"
	Must(t, s.Apply(ctx, statemgr.Create(lease, []byte("10.0.0.1"))))
	if found := find(true); !found.Session || found.Holder != "10.0.0.1" || found.Path != lock {
		t.Errorf("%+v", found)
	}
	for _, path := range find(true).Paths {
		Must(t, s.Apply(ctx, statemgr.Delete(path)))
	}
	find(false)
	Must(t, s.Apply(ctx, statemgr.Create(lock, []byte("pool-1-thread-1"))))
	if found := find(true); found.Session || found.Dead || found.Holder != "pool-1-thread-1" {
		t.Errorf("%+v", found)
	}
	Must(t, s.Apply(ctx, statemgr.Delete(lock)))

	// One of ours that has died does not count beside another's.
	own, err := json.Marshal(statemgr.NewOwner("update", "ann", time.Now()))
	Must(t, err)
	Must(t, s.Apply(ctx, statemgr.Create(lock, own)))
	if found := find(true); !found.Dead || !strings.Contains(found.String(), "update of user ann") {
		t.Errorf("%+v", found)
	}
	Must(t, s.Apply(ctx, statemgr.Delete(lock)))
	Must(t, s.EnsureDirs(ctx, lock+"/leases"))
	Must(t, s.Apply(ctx, statemgr.Create(lock+"/leases/own", own)))
	if found := find(true); !found.Dead || found.Session {
		t.Errorf("%+v", found)
	}
	Must(t, s.Apply(ctx, statemgr.Create(lock+"/leases/other", []byte("10.0.0.1"))))
	if found := find(true); found.Dead || !found.Session || found.Holder != "10.0.0.1" {
		t.Errorf("%+v", found)
	}
}

// Trees tests what a Tree makes of its store. make returns an empty tree for
// each test.
func Trees(t *testing.T, make func(testing.TB) Fixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Fixture)
	}{
		{"a topology is submitted and deleted", testSubmitAndDelete},
		{"a topology is deleted while its nodes change", testDeleteWhileNodesMove},
		{"the original client's lock for updates is found", testUpdateLock},
		{"versions of a topology are kept", testHistory},
		{"a large change is done in order", testApplyAllInOrder},
		{"a small change is one transaction", testApplyAllFits},
		{"a large change fails at each operation", testApplyAllFails},
		{"a large change is interrupted", testApplyAllInterrupted},
		{"an answer is lost in a large change", testApplyAllLostAnswer},
		{"the claim is lost in a large change", testApplyAllLockLost},
		{"a large change cannot be undone", testApplyAllLeftover},
		{"a killed process holds nothing", testHoldKilled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, make(t)) })
	}
}

// meddler changes the tree before a transaction, as Heron's processes may.
type meddler struct {
	statemgr.Store
	before func(ops []statemgr.Op) error
}

func (m *meddler) Apply(ctx context.Context, ops ...statemgr.Op) error {
	if err := m.before(ops); err != nil {
		return err
	}
	return m.Store.Apply(ctx, ops...)
}

func testDeleteWhileNodesMove(t *testing.T, f Fixture) {
	s, ctx := f.Tree(t), t.Context()
	ops, err := submission("t").Ops(s.Layout)
	Must(t, err)
	Must(t, s.Apply(ctx, append(ops, statemgr.Create(s.TManager("t"), []byte("x")), statemgr.Create(s.Locks("t"), nil))...))
	calls := 0
	meddling := &meddler{Store: s.Store, before: func([]statemgr.Op) error {
		calls++
		switch calls {
		case 1:
			return s.Apply(ctx, statemgr.Delete(s.TManager("t")))
		case 2:
			return s.Apply(ctx, statemgr.Create(s.Locks("t")+"/lease", []byte("x")))
		}
		return nil
	}}
	m := statemgr.Tree{Store: meddling, Layout: s.Layout}
	Must(t, m.DeleteTopology(ctx, "t", false))
	if calls != 3 {
		t.Errorf("%d transactions, want 3", calls)
	}
	if left, err := s.Deletion(ctx, "t", true); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	calls = -1000
	meddling.before = func([]statemgr.Op) error { calls++; return statemgr.ErrNotFound }
	Must(t, s.Apply(ctx, ops...))
	WantErr(t, m.DeleteTopology(ctx, "t", false), statemgr.ErrNotFound, "")
	if calls+1000 < 2 || calls+1000 > 100 {
		t.Errorf("tried %d times", calls+1000)
	}
}
