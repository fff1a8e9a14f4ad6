package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// update updates the test's topology.
func (c *cluster) update(flags ...string) result {
	c.t.Helper()
	return c.startUpdate(flags...).wait(c.t)
}

func (c *cluster) startUpdate(flags ...string) *running {
	c.t.Helper()
	return c.start(append(append([]string{"update"}, flags...), "nomad", c.topology)...)
}

// planned is the topology as the TManager has it in the state: its state, how many
// instances of each component there are in how many stream managers, and its
// runtime configuration.
func (c *cluster) planned() string {
	c.t.Helper()
	plan := c.physicalPlan()
	n := map[string]int{}
	for _, in := range plan.GetInstances() {
		n[in.GetInfo().GetComponentName()]++
	}
	text := fmt.Sprintf("%s %v in %d", plan.GetTopology().GetState(), n, len(plan.GetStmgrs()))
	for _, kv := range plan.GetTopology().GetTopologyConfig().GetKvs() {
		if strings.HasSuffix(kv.GetKey(), ":runtime") {
			text += " " + kv.GetKey() + "=" + kv.GetValue()
		}
	}
	return text
}

func (c *cluster) wantShape(want string, containers int) {
	c.t.Helper()
	if got := c.planned(); got != want {
		c.t.Errorf("the topology is %s, want %s", got, want)
	}
	if live := c.liveContainers(); len(live) != containers {
		c.t.Errorf("containers %v, want %d", live, containers)
	}
	c.want(c.status(), 0)
	c.onePackage()
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.update("--container-number", "3"), 4, "no topology")
	c.want(c.submit("--wait"), 0)
	c.wantShape("RUNNING map[count:3 word:3] in 2", 3)
	before, _ := c.statusDoc()

	c.want(c.update("--component-parallelism", "count:5", "--dry-run"), 0, "Total number of containers: 3", "Container 3 NEW")
	c.want(c.update("--component-parallelism", "cuont:4"), 2, "Invalid component name in update request: cuont")
	c.want(c.update("--component-parallelism", "count"), 2, "not of the form component:number")
	c.want(c.update("--container-number", "9"), 2)
	c.want(c.update(), 2, "nothing to update")
	c.wantShape("RUNNING map[count:3 word:3] in 2", 3)

	// Up: the containers that run are left alone.
	c.want(c.update("--component-parallelism", "count:5", "--wait"), 0, "updated: it is RUNNING, with 5 of count, 3 of word in 3 containers")
	c.wantShape("RUNNING map[count:5 word:3] in 3", 4)
	after, _ := c.statusDoc()
	for i, one := range before.Containers {
		if after.Containers[i].Allocation != one.Allocation || after.Containers[i].Restarts != one.Restarts {
			t.Errorf("container %d was not left alone: %+v, then %+v", i, one, after.Containers[i])
		}
	}
	c.want(c.update("--component-parallelism", "count:5"), 0, "is so already; nothing was changed")

	// Runtime configuration, and down while paused.
	c.want(c.update("--runtime-config", "rate:5", "--runtime-config", "word:level:a b"), 0, "runtime configuration rate:5")
	c.wantShape("RUNNING map[count:5 word:3] in 3 rate:runtime=5", 4)
	c.want(c.switchState("deactivate"), 0)
	r := c.update("--component-parallelism", "count:3", "--output", "json")
	c.want(r, 0)
	var doc struct {
		State                        string
		Containers, ContainersBefore int
		Parallelism                  map[string]int
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || doc.State != "PAUSED" || doc.Containers != 2 || doc.Parallelism["count"] != 3 {
		t.Errorf("%v: %s", err, r)
	}
	c.wantShape("PAUSED map[count:3 word:3] in 2 rate:runtime=5", 3)
	c.want(c.switchState("activate"), 0)

	c.want(c.kill(), 0)
	c.nothingLeft()
}

// An update that is killed is finished by the same command.
func TestUpdateAfterAKilledUpdate(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit("--wait"), 0)
	run := c.startUpdate("--component-parallelism", "count:5")
	eventually(t, "the new plan is waited for", func() bool { return strings.Contains(run.errOut.String(), "wait for the physical plan") })
	_ = run.cmd.Process.Signal(os.Kill)
	run.wait(t)
	c.want(c.switchState("deactivate"), 3, "repeat that command first")
	c.want(c.update("--component-parallelism", "count:5"), 0)
	c.wantShape("RUNNING map[count:5 word:3] in 3", 4)
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// Where containers need more than before, each is replaced. The state is in a
// folder.
func TestUpdateReplacesContainersThatNeedMore(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	folder := c.inFolder()
	c.properties["heron.nomad.update.min.healthy.time"] = "1s"
	c.want(c.heron("submit", "--wait", "nomad", bin.sample, "-", "--name", c.topology, "--stmgrs", "2", "--grows"), 0)
	c.want(c.update("--container-number", "1", "--dry-run"), 0, "Total number of containers: 1")
	memory := func() int { return *c.job().TaskGroups[0].Tasks[0].Resources.MemoryMB }
	before := memory()
	c.want(c.update("--container-number", "1", "--runtime-config", "rate:7"), 0, "3 of count, 3 of word in 1 container")
	if now := memory(); now <= before {
		t.Errorf("containers have %d MB, had %d", now, before)
	}
	plan := &heronpb.PhysicalPlan{}
	if err := proto.Unmarshal(readFile(t, filepath.Join(folder, "pplans", c.topology)), plan); err != nil || len(plan.GetStmgrs()) != 1 || len(plan.GetInstances()) != 6 {
		t.Errorf("%v, %v", plan, err)
	}
	if live := c.liveContainers(); len(live) != 2 {
		t.Errorf("containers %v", live)
	}
	for _, dir := range []string{"operations", "locks"} {
		if left, err := os.ReadDir(filepath.Join(folder, dir)); err != nil || len(left) > 0 {
			t.Errorf("%s: %v, %v", dir, left, err)
		}
	}
	c.want(c.status(), 0, "is healthy")
	c.want(c.kill(), 0)
	c.nothingLeft()
}
