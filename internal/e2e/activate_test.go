package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// switchState runs activate or deactivate on the test's topology.
func (c *cluster) switchState(command string, flags ...string) result {
	c.t.Helper()
	return c.heron(append(append([]string{command}, flags...), "nomad", c.topology)...)
}

// wantSwitched checks the JSON result of an activation, and returns the id.
func (c *cluster) wantSwitched(r result, state string, changed bool) string {
	c.t.Helper()
	c.want(r, 0)
	var doc map[string]any
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
		c.t.Fatalf("%v: %s", err, r)
	}
	id := fmt.Sprint(doc["id"])
	want := map[string]any{"topology": c.topology, "id": id, "state": state, "changed": changed}
	if !strings.HasPrefix(id, c.topology) || fmt.Sprint(doc) != fmt.Sprint(want) {
		c.t.Errorf("got %v, want %v", doc, want)
	}
	return id
}

// planState is the topology's state in its stored physical plan.
func planState(t *testing.T, data []byte) string {
	t.Helper()
	plan := &heronpb.PhysicalPlan{}
	if err := proto.Unmarshal(data, plan); err != nil {
		t.Fatal(err)
	}
	return plan.GetTopology().GetState().String()
}

func TestActivateAndDeactivate(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.switchState("activate"), 4, "no topology")
	c.want(c.submit("--wait", "--deploy-deactivated"), 0)
	plan := func() string { return planState(t, c.node(c.root+"/pplans/"+c.topology)) }

	live := c.liveContainers()
	c.want(c.switchState("activate"), 0, "topology "+c.topology+" activated: it is RUNNING")
	if got := plan(); got != "RUNNING" {
		t.Errorf("the stored plan is %s", got)
	}
	id := c.wantSwitched(c.switchState("activate", "--output", "json"), "RUNNING", false)
	if again := c.wantSwitched(c.switchState("deactivate", "--output", "json"), "PAUSED", true); again != id {
		t.Errorf("id %s, then %s", id, again)
	}
	if got := plan(); got != "PAUSED" {
		t.Errorf("the stored plan is %s", got)
	}
	c.want(c.switchState("deactivate"), 0, "is PAUSED already")
	if now := c.liveContainers(); strings.Join(now, " ") != strings.Join(live, " ") {
		t.Errorf("containers before: %v, after: %v", live, now)
	}

	c.want(c.heron("activate", "nomad/others", c.topology), 2, "runs at nomad/ann/default")
	c.want(c.heron("activate", "--wait-timeout", "0s", "nomad", c.topology), 2, "--wait-timeout")
	c.want(c.heron("activate", "nomad"), 2, "takes cluster/[role]/[env] and the topology's name")
	c.want(c.heron("activate", "--dry-run", "nomad", c.topology), 2, "unknown flag --dry-run")
	if got := plan(); got != "PAUSED" {
		t.Errorf("a refused activation made the plan %s", got)
	}

	// Nomad is not asked.
	c.properties["heron.nomad.scheduler.uri"] = "http://127.0.0.1:1"
	c.wantSwitched(c.switchState("activate", "--output", "json"), "RUNNING", true)
	c.properties["heron.nomad.scheduler.uri"] = c.nomad
	c.onePackage()
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// Where no container runs, there is no TManager to ask.
func TestActivateWithoutItsTManager(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit("--wait"), 0)
	job, _, err := c.api().Jobs().Info(c.jobID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// Stopped, no container is there, and the location goes with its session.
	stop := true
	job.Stop = &stop
	if _, _, err := c.api().Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no container runs", func() bool { return len(c.liveContainers()) == 0 })
	r := c.switchState("deactivate", "--output", "json")
	c.want(r, 6, "TManager", "nothing was changed")
	if got := planState(t, c.node(c.root+"/pplans/"+c.topology)); got != "RUNNING" {
		t.Errorf("the stored plan is %s", got)
	}
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// An activation that is killed leaves its intent; it holds nobody up.
func TestCommandsAfterAKilledActivate(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit("--wait"), 0)
	dead := func() {
		t.Helper()
		// As one that was killed left it: its owner's node is gone.
		note := map[string]any{
			"version": 1, "operation": "activate", "step": "request", "topology_id": "", "request": "",
			"cluster": "nomad", "role": "ann", "environ": "default", "nomad": map[string]string{"address": "", "job_id": ""},
			"owner": map[string]any{"token": "0123456789abcdef", "doing": "activate", "user": "bob", "host": "elsewhere"},
		}
		data, err := json.Marshal(note)
		if err != nil {
			t.Fatal(err)
		}
		c.create("/operations/"+c.topology, data)
	}
	dead()
	c.want(c.submit(), 5, "already exists")
	if live := c.liveContainers(); len(live) != 3 {
		t.Errorf("containers: %v", live)
	}
	c.want(c.switchState("activate"), 0, "is RUNNING already")
	c.onePackage()
	dead()
	c.want(c.switchState("deactivate"), 0, "deactivated")
	c.onePackage()
	dead()
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func TestActivateWithStateInLocalFiles(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	folder := c.inFolder()
	c.want(c.submit("--wait"), 0)
	plan := func() string { return planState(t, readFile(t, filepath.Join(folder, "pplans", c.topology))) }
	c.wantSwitched(c.switchState("deactivate", "--output", "json"), "PAUSED", true)
	c.wantSwitched(c.switchState("deactivate", "--output", "json"), "PAUSED", false)
	if got := plan(); got != "PAUSED" {
		t.Errorf("the stored plan is %s", got)
	}
	c.wantSwitched(c.switchState("activate", "--output", "json"), "RUNNING", true)
	if got := plan(); got != "RUNNING" {
		t.Errorf("the stored plan is %s", got)
	}
	if notes, err := os.ReadDir(filepath.Join(folder, "operations")); err != nil || len(notes) > 0 {
		t.Errorf("intents %v, %v", notes, err)
	}
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// A topology of the original client has no deployment record.
func TestActivateATopologyWithoutARecord(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit("--wait"), 0)
	record := c.node(c.root + "/deployments/" + c.topology)
	c.remove("/deployments/" + c.topology)
	c.wantSwitched(c.switchState("deactivate", "--output", "json"), "PAUSED", true)
	c.create("/deployments/"+c.topology, record)
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// create makes a node below the state root.
func (c *cluster) create(path string, data []byte) {
	c.t.Helper()
	c.zk(func(conn *zk.Conn) error {
		_, err := conn.Create(c.root+path, data, 0, zk.WorldACL(zk.PermAll))
		return err
	})
}

// remove removes a node below the state root.
func (c *cluster) remove(path string) {
	c.t.Helper()
	c.zk(func(conn *zk.Conn) error { return conn.Delete(c.root+path, -1) })
}
