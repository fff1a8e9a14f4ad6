package standin

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// memberOf is the stream manager of container shard in plan.
func memberOf(plan *heronpb.PackingPlan, shard int32) *member {
	m := &member{
		stmgr: &heronpb.StMgr{
			Id: proto.String(stmgrID(int(shard))), HostName: proto.String("h"),
			DataPort: proto.Int32(1), LocalEndpoint: proto.String("/unused"),
		},
		send: func(message) error { return nil },
	}
	for _, c := range plan.GetContainerPlans() {
		for _, i := range c.GetInstancePlans() {
			if c.GetId() == shard {
				m.instances = append(m.instances, &heronpb.Instance{
					InstanceId: proto.String("i" + itoa(int(i.GetTaskId()))), StmgrId: m.stmgr.Id,
					Info: &heronpb.InstanceInfo{TaskId: i.TaskId, ComponentIndex: i.ComponentIndex, ComponentName: i.ComponentName},
				})
			}
		}
	}
	return m
}

func TestRegistration(t *testing.T) {
	newState := func(t *testing.T, dir string) state {
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		return newFileState(root)
	}
	plan := planOf("wc-1", 2)
	start := func(t *testing.T, s state, existing *heronpb.PhysicalPlan) *assembly {
		return newAssembly(s, plan, wordCount("wc-1"), existing, discard(t))
	}
	t.Run("a stream manager twice", func(t *testing.T) {
		a := start(t, newState(t, "pplans"), nil)
		if refused, err := a.register(memberOf(plan, 1)); refused != "" || err != nil {
			t.Fatal(refused, err)
		}
		if refused, _ := a.register(memberOf(plan, 1)); refused != "Duplicate StreamManager" {
			t.Errorf("refused with %q", refused)
		}
	})
	t.Run("one that the plan does not have", func(t *testing.T) {
		a := start(t, newState(t, "pplans"), nil)
		if refused, _ := a.register(memberOf(planOf("wc-1", 3), 3)); refused != "Invalid StreamManager" {
			t.Errorf("refused with %q", refused)
		}
	})
	t.Run("an instance too few", func(t *testing.T) {
		a := start(t, newState(t, "pplans"), nil)
		short := memberOf(plan, 2)
		short.instances = short.instances[1:]
		_, first := a.register(memberOf(plan, 1))
		_, err := a.register(short)
		if first != nil || !errors.As(err, &fatal{}) {
			t.Errorf("errors %v, %v; want a fatal one", first, err)
		}
	})
	t.Run("no directory for the plan", func(t *testing.T) {
		a := start(t, newState(t, "other"), nil)
		_, first := a.register(memberOf(plan, 1))
		_, err := a.register(memberOf(plan, 2))
		if first != nil || !errors.As(err, &fatal{}) || !errors.Is(err, errNoParent) {
			t.Errorf("errors %v, %v; want a fatal one of the parent", first, err)
		}
	})
	t.Run("a plan of an earlier life keeps its topology", func(t *testing.T) {
		s := newState(t, "pplans")
		a := start(t, s, nil)
		for _, shard := range []int32{2, 1} {
			if _, err := a.register(memberOf(plan, shard)); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.setState(heronpb.TopologyState_RUNNING, heronpb.TopologyState_PAUSED); err != nil {
			t.Fatal(err)
		}
		b := start(t, s, a.plan)
		moved := memberOf(plan, 2)
		moved.stmgr.DataPort = proto.Int32(7)
		for _, m := range []*member{memberOf(plan, 1), moved} {
			if _, err := b.register(m); err != nil {
				t.Fatal(err)
			}
		}
		if b.plan.GetTopology().GetState() != heronpb.TopologyState_PAUSED || b.plan.GetStmgrs()[1].GetDataPort() != 7 {
			t.Errorf("plan %v", b.plan)
		}
	})
}
