package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// restart restarts containers of the test's topology; flags go first.
func (c *cluster) restart(container string, flags ...string) result {
	c.t.Helper()
	return c.startRestart(container, flags...).wait(c.t)
}

func (c *cluster) startRestart(container string, flags ...string) *running {
	c.t.Helper()
	args := append(append([]string{"restart"}, flags...), "nomad", c.topology)
	if container != "" {
		args = append(args, container)
	}
	return c.start(args...)
}

// restarted is how a restart ended: per container "index how".
func (c *cluster) restarted(r result) string {
	c.t.Helper()
	c.want(r, 0)
	var doc struct {
		Topology, ID string
		Containers   []struct {
			Index                 int
			Allocation, Node, How string
		}
		Continued, Running bool
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || doc.Topology != c.topology || !strings.HasPrefix(doc.ID, c.topology) {
		c.t.Fatalf("%v: %s", err, r)
	}
	var parts []string
	for _, one := range doc.Containers {
		if one.Allocation == "" || one.Node == "" {
			c.t.Errorf("%+v", one)
		}
		parts = append(parts, fmt.Sprintf("%d %s", one.Index, one.How))
	}
	return strings.Join(parts, ", ")
}

// restarts is how often each container was restarted in place, with the
// allocations they have.
func (c *cluster) restarts() (times, allocations string) {
	c.t.Helper()
	doc, _ := c.statusDoc()
	for _, one := range doc.Containers {
		times += fmt.Sprint(one.Restarts, " ")
		allocations += one.Allocation + " "
	}
	return strings.TrimSpace(times), allocations
}

func (c *cluster) wantRestarts(want string) {
	c.t.Helper()
	if now, _ := c.restarts(); now != want {
		c.t.Errorf("restarts %s, want %s", now, want)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.restart(""), 4, "no topology")
	c.want(c.submit("--wait"), 0)
	_, before := c.restarts()

	// One, then container 0: the others run on. The wait sees the stream manager,
	// or the TManager, come back.
	if got := c.restarted(c.restart("1", "--wait", "--output", "json")); got != "1 in_place" {
		t.Errorf("restarted %s", got)
	}
	c.wantRestarts("0 1 0")
	c.want(c.status(), 0, "is healthy")
	c.want(c.restart("0", "--wait"), 0, "1 container restarted, and it runs")
	c.wantRestarts("1 1 0")
	c.want(c.status(), 0, "is healthy")

	// A paused topology stays paused, whatever is restarted.
	c.want(c.switchState("deactivate"), 0)
	if got := c.restarted(c.restart("", "-1", "--batch", "2", "--wait", "--output", "json")); got != "0 in_place, 1 in_place, 2 in_place" {
		t.Errorf("restarted %s", got)
	}
	c.wantRestarts("2 2 1")
	if got := planState(t, c.node(c.root+"/pplans/"+c.topology)); got != "PAUSED" {
		t.Errorf("after the restart the plan is %s", got)
	}
	c.want(c.status(), 0, "is paused")

	c.want(c.restart("7"), 4, "has no container 7; its containers are 0-2")
	c.want(c.restart("-5"), 2)
	c.want(c.restart("one"), 2, "give its number")
	c.want(c.restart("", "--component", "nothing"), 2, "it has no component")
	c.want(c.restart("1", "--component", "nothing"), 2, "give one of")
	c.wantRestarts("2 2 1")

	// Killed in the middle, the same command restarts the others, and none twice.
	run := c.startRestart("")
	eventually(t, "container 1 is being restarted", func() bool { return strings.Contains(run.errOut.String(), "restart the container 1 ") })
	_ = run.cmd.Process.Signal(os.Kill)
	run.wait(t)
	c.want(c.restart(""), 0)
	c.wantRestarts("3 3 2")
	if _, now := c.restarts(); now != before {
		t.Errorf("allocations before: %s, after: %s", before, now)
	}
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// What does not run is placed anew, at once: a container that Nomad would start
// again later, and one that it would place again later.
func TestRestartOfWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, policy := range []struct {
		attempts, state string
	}{{"1", "pending"}, {"0", "failed"}} {
		c.properties["heron.nomad.restart.attempts"] = policy.attempts
		c.properties["heron.nomad.restart.interval"], c.properties["heron.nomad.restart.delay"] = "3h", "1h"
		c.properties["heron.nomad.reschedule.delay"], c.properties["heron.nomad.reschedule.max.delay"] = "1h", "1h"
		c.want(c.submit("--wait"), 0)
		_, before := c.restarts()
		old := strings.Fields(before)
		if err := c.api().Allocations().Signal(&api.Allocation{ID: old[1]}, nil, "executor", "SIGKILL"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "container 1 is "+policy.state, func() bool { doc, _ := c.statusDoc(); return doc.Containers[1].State == policy.state })
		if got := c.restarted(c.restart("1", "--wait", "--output", "json")); got != "1 replaced" {
			t.Errorf("%s: restarted %s", policy.state, got)
		}
		_, after := c.restarts()
		if now := strings.Fields(after); len(now) != 3 || now[0] != old[0] || now[1] == old[1] || now[2] != old[2] {
			t.Errorf("%s: allocations before %s, after %s", policy.state, before, after)
		}
		c.want(c.status(), 0, "is healthy")
		c.want(c.kill(), 0)
	}
	c.nothingLeft()
}

// killedAt restarts all containers, and kills heron with -9 at one of its requests
// to Nomad. It says whether the restart had ended by then.
func (c *cluster) killedAt(p *testenv.HTTPFaultProxy, at int) (complete bool) {
	c.t.Helper()
	seen := 0
	var run *running
	started := make(chan struct{})
	p.Fail(testenv.HTTPCut, -1, func(string, string) bool {
		<-started
		if seen == at {
			_ = run.cmd.Process.Kill()
		}
		seen++
		return false
	})
	defer p.Heal()
	run = c.startRestart("")
	close(started)
	r := run.wait(c.t)
	if r.code != 0 && r.code != -1 {
		c.t.Errorf("killed at request %d: %s", at, r)
	}
	return r.code == 0
}

// However often answers are lost and at whatever request to Nomad heron is
// killed: the same command again leaves each container restarted once.
func TestRestartRestartsNothingTwice(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit("--wait"), 0)
	p := c.throughHTTP()
	for _, fault := range []testenv.HTTPFault{testenv.HTTPCutLost, testenv.HTTPErrorLost, testenv.HTTPCut} {
		p.Fail(fault, 1, func(method, path string) bool { return method == http.MethodPut && strings.HasSuffix(path, "/restart") })
		c.want(c.restart(""), 0)
		p.Heal()
	}
	want := 3
	c.wantRestarts("3 3 3")
	points := rand.New(rand.NewPCG(3, 4)).Perm(24)
	for _, at := range points[:testenv.Times(2, len(points))] {
		want++
		if c.killedAt(p, at) {
			continue
		}
		c.want(c.restart(""), 0)
		c.wantRestarts(fmt.Sprintf("%d %d %d", want, want, want))
	}
	c.properties["heron.nomad.scheduler.uri"] = c.nomad
	c.want(c.kill(), 0)
	c.nothingLeft()
}
