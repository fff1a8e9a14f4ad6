package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// inFolder keeps the state in a folder, whose path it returns.
func (c *cluster) inFolder() string {
	c.t.Helper()
	folder := filepath.Join(c.t.TempDir(), "state")
	c.properties["heron.class.state.manager"] = "localfs"
	c.properties["heron.statemgr.connection.string"] = "LOCALMODE"
	c.properties["heron.statemgr.root.path"] = folder
	return folder
}

// physicalPlan is the one that the TManager has stored, in either store.
func (c *cluster) physicalPlan() *heronpb.PhysicalPlan {
	c.t.Helper()
	var data []byte
	if root := c.properties["heron.statemgr.root.path"]; c.properties["heron.class.state.manager"] == "localfs" {
		data = readFile(c.t, filepath.Join(root, "pplans", c.topology))
	} else {
		data = c.node(c.root + "/pplans/" + c.topology)
	}
	plan := &heronpb.PhysicalPlan{}
	if err := proto.Unmarshal(data, plan); err != nil {
		c.t.Fatal(err)
	}
	return plan
}

// wantToldTo holds what the core was told against what was asked for: the
// TManager by the plan that it has made of it, each stream manager by the plan
// that it was sent last. The containers are exactly 0 to n.
func (c *cluster) wantToldTo(want string) {
	c.t.Helper()
	if got := c.planned(); got != want {
		c.t.Errorf("the TManager's plan is %s, want %s", got, want)
	}
	plan := c.physicalPlan()
	n := len(plan.GetStmgrs())
	told := fmt.Sprintf("Got a physical plan of %d stream managers, %s", n, plan.GetTopology().GetState())
	for index := 1; index <= n; index++ {
		last := ""
		if !within(c.t, func() bool {
			log := c.containerFile(index, fmt.Sprintf("log-files/heron-stmgr-stmgr-%d.INFO", index))
			_, last, _ = cutLast(string(log), "Got a physical plan")
			return strings.HasPrefix("Got a physical plan"+last, told+"\n")
		}) {
			c.t.Errorf("stream manager %d got %q, want %q", index, last, told)
		}
	}
	c.wantIndexes(n + 1)
	// A TManager that moved in between puts its plan together again.
	var now result
	within(c.t, func() bool {
		now = c.status()
		return now.code == 0
	})
	c.want(now, 0)
}

// cutLast is strings.Cut at the last place.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// wantIndexes waits until the running containers are exactly 0 to n-1, each once.
func (c *cluster) wantIndexes(n int) {
	c.t.Helper()
	var want, got []string
	for index := range n {
		want = append(want, fmt.Sprintf("%s.container[%d] running", c.jobID(), index))
	}
	if !within(c.t, func() bool {
		got = c.liveContainers()
		return strings.Join(got, "\n") == strings.Join(want, "\n")
	}) {
		c.t.Errorf("containers %q, want %q", got, want)
	}
}

// lives takes a topology that runs with three words and three counts in two
// containers through everything that can be done to one before it is killed.
// The core confirms at each step what it was told.
func (c *cluster) lives() {
	c.t.Helper()
	restart := func(container, says, restarts string) func() {
		return func() {
			_, before := c.restarts()
			c.want(c.restart(container, "--wait"), 0, says)
			if now, after := c.restarts(); now != restarts || after != before {
				c.t.Errorf("restarts %s of %s, want %s of %s", now, after, restarts, before)
			}
		}
	}
	run := func(says string, args ...string) func() {
		return func() {
			c.want(c.heron(append(args, "nomad", c.topology)...), 0, says)
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		told string
	}{
		{"submitted", func() {}, "RUNNING map[count:3 word:3] in 2"},
		{"scaled up", run("5 of count", "update", "--component-parallelism", "count:5", "--wait"), "RUNNING map[count:5 word:3] in 3"},
		{"scaled down", run("3 of count", "update", "--component-parallelism", "count:3"), "RUNNING map[count:3 word:3] in 2"},
		{"configured", run("rate:5", "update", "--runtime-config", "rate:5"), "RUNNING map[count:3 word:3] in 2 rate:runtime=5"},
		{"one restarted", restart("1", "1 container restarted, and it runs", "0 1 0"), "RUNNING map[count:3 word:3] in 2 rate:runtime=5"},
		{"all restarted", restart("", "3 containers restarted, and it runs", "1 2 1"), "RUNNING map[count:3 word:3] in 2 rate:runtime=5"},
		{"paused", run("deactivated", "deactivate"), "PAUSED map[count:3 word:3] in 2 rate:runtime=5"},
		{"scaled while paused", run("it is PAUSED", "update", "--component-parallelism", "word:5"), "PAUSED map[count:3 word:5] in 3 rate:runtime=5"},
		{"resumed", run("activated", "activate"), "RUNNING map[count:3 word:5] in 3 rate:runtime=5"},
		{"replaced", func() { c.want(c.replace(1), 0, "replaced") }, "RUNNING map[count:3 word:3] in 1"},
		{"rolled back", run("rolled back", "rollback"), "RUNNING map[count:3 word:5] in 3 rate:runtime=5"},
	} {
		step.do()
		if c.wantToldTo(step.told); c.t.Failed() {
			c.t.Fatalf("after it was %s", step.name)
		}
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	for store, set := range map[string]func(*cluster){
		"zookeeper": func(*cluster) {},
		"folder":    func(c *cluster) { c.inFolder() },
	} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			set(c)
			c.want(c.submit("--wait"), 0)
			c.lives()
			c.want(c.kill(), 0)
			c.nothingLeft()
		})
	}
}
