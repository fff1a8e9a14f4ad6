package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// shownStatus is what these tests read of the JSON that status prints.
type shownStatus struct {
	Topology, ID, Health, Reason, State string
	TManager                            struct {
		Host           string
		ControllerPort int `json:"controller_port"`
		Answer         string
	}
	Diagnosis *struct{ TManager string }
	Wanted    int `json:"containers_wanted"`
	Running   int `json:"containers_running"`
	Indexes   struct{ Missing, Doubled, Surplus []int }

	Containers []struct {
		Index              int
		Node, Allocation   string
		State, Failure     string
		LastEvent          string `json:"last_event"`
		Restarts, Replaced int
		Ports              map[string]int
	}
}

func (c *cluster) status(flags ...string) result {
	c.t.Helper()
	return c.heron(append(append([]string{"status"}, flags...), "nomad", c.topology)...)
}

// statusDoc is the status in JSON, and the exit code.
func (c *cluster) statusDoc() (doc shownStatus, code int) {
	c.t.Helper()
	r := c.status("--output", "json")
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
		c.t.Fatalf("%v: %s", err, r)
	}
	return doc, r.code
}

// brokenCore installs a stand-in core that misbehaves.
func (c *cluster) brokenCore(fail string) { c.coreWith("HERON_STANDIN_FAIL=" + fail) }

// coreWith installs a stand-in core with a knob set.
func (c *cluster) coreWith(knob string) {
	c.t.Helper()
	c.core = filepath.Join(c.t.TempDir(), "core.tar.gz")
	cmd := exec.Command("scripts/standin-core", "--set", knob, c.core)
	cmd.Dir = testenv.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	c.want(c.heron("init", "--prefix", c.home, "--core", c.core), 0)
}

func TestStatusOfARunningTopology(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.status(), 4, "no topology")
	c.want(c.submit("--wait"), 0)

	c.want(c.status(), 0, c.topology+" is healthy: all 3 containers run", "answers with a complete physical plan",
		"exactly those of the plan", "Task started by client", "controller:", "data:")
	doc, code := c.statusDoc()
	if code != 0 || doc.Health != "healthy" || doc.State != "RUNNING" || doc.Running != 3 || doc.Wanted != 3 || len(doc.Containers) != 3 || doc.TManager.Answer != "complete" {
		t.Errorf("code %d, %+v", code, doc)
	}
	for i, one := range doc.Containers {
		if one.Index != i || one.State != "running" || one.Node == "" || one.Allocation == "" || one.LastEvent == "" || len(one.Ports) == 0 {
			t.Errorf("%+v", one)
		}
	}
	r := c.heron("topologies", "nomad")
	c.want(r, 0, c.topology, "healthy", "3/3", "nomad/ann/default")
	c.want(c.heron("topologies", "nomad/bob"), 0, "no topologies")
	c.want(c.heron("status", "nomad/bob", c.topology), 2, "runs at nomad/ann/default")

	url := fmt.Sprintf("http://%s:%d/deactivate?topologyid=%s", doc.TManager.Host, doc.TManager.ControllerPort, doc.ID)
	answer, err := http.Get(url) //nolint:gosec // a server of this test
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	eventually(t, "it is paused", func() bool {
		doc, code := c.statusDoc()
		return code == 0 && doc.Health == "paused" && doc.State == "PAUSED"
	})
	c.want(c.heron("topologies", "nomad"), 0, "paused", "PAUSED")

	c.want(c.kill(), 0)
	c.want(c.status(), 4, "no topology")
	c.want(c.heron("topologies", "nomad"), 0, "no topologies")
}

func TestStatusOfAContainerThatFails(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.brokenCore("exit-at-start@2")
	c.want(c.submit(), 0)
	eventually(t, "it is degraded", func() bool {
		doc, code := c.statusDoc()
		return code == 3 && doc.Health == "degraded" && doc.Running == 2 && strings.Contains(doc.Reason, "container 2 failed: exit code 1")
	})
	c.want(c.kill(), 0)
}

func TestStatusOfContainersWithoutAPlace(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.datacenters"] = "nowhere"
	c.want(c.submit(), 0)
	eventually(t, "Nomad has found no place", func() bool {
		doc, code := c.statusDoc()
		return code == 3 && doc.Health == "failed" && strings.Contains(doc.Reason, "no node is ready in datacenter nowhere")
	})
	c.want(c.status(), 3, "missing 0-2", "job")
	c.want(c.heron("topologies", "nomad"), 0, "0/3")
	c.want(c.kill(), 0)
}

func TestStatusIsWatchedUntilTheTopologyIsGone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit(), 0)
	watch := c.start("status", "--watch", "nomad", c.topology)
	list := c.start("topologies", "--watch", "nomad")
	lists := c.start("topologies", "--watch", "--output", "json", "nomad")
	forever := c.start("status", "--watch", "--output", "json", "nomad", c.topology)
	eventually(t, "it is healthy", func() bool { return strings.Contains(watch.out.String(), " healthy: all 3 containers run") })
	eventually(t, "it is healthy in JSON too", func() bool { return strings.Contains(forever.out.String(), `"health":"healthy"`) })
	eventually(t, "it is healthy in the list", func() bool {
		return strings.Contains(list.out.String(), c.topology+" healthy: 3 of 3 containers run") && strings.Contains(lists.out.String(), `"health":"healthy"`)
	})
	forever.interrupt(t)
	if r := forever.wait(t); r.code != 130 {
		t.Errorf("interrupted: %s", r)
	}
	c.want(c.kill(), 0)
	r := watch.wait(t)
	c.want(r, 0, "is gone", " stopping: ")
	eventually(t, "it is gone from the list", func() bool { return strings.Contains(list.out.String(), c.topology+" is gone") })
	eventually(t, "the list is empty", func() bool { return strings.Contains(lists.out.String(), `{"topologies":[]}`) })
	list.interrupt(t)
	lists.interrupt(t)
	c.want(list.wait(t), 130)
	c.want(lists.wait(t), 130)
}
