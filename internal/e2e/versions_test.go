package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// startReplace replaces the test's topology by the sample with another number
// of containers.
func (c *cluster) startReplace(stmgrs int, flags ...string) *running {
	c.t.Helper()
	args := append([]string{"submit", "--replace"}, flags...)
	return c.start(append(args, "nomad", bin.sample, "-", "--name", c.topology, "--stmgrs", fmt.Sprint(stmgrs))...)
}

func (c *cluster) replace(stmgrs int, flags ...string) result {
	c.t.Helper()
	return c.startReplace(stmgrs, flags...).wait(c.t)
}

// history is the table of versions: number, status.
func (c *cluster) history() (versions []string) {
	c.t.Helper()
	r := c.heron("history", "--output", "json", "nomad", c.topology)
	c.want(r, 0)
	var doc struct {
		Versions []struct {
			Number, Restores, Containers int
			Operation, ID                string
			Stable, Current              bool
		}
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
		c.t.Fatalf("%v: %s", err, r)
	}
	for _, v := range doc.Versions {
		versions = append(versions, fmt.Sprintf("%d %s of %d, stable %v, current %v", v.Number, v.Operation, v.Containers, v.Stable, v.Current))
	}
	return versions
}

func (c *cluster) wantHistory(want ...string) {
	c.t.Helper()
	if got := c.history(); !slices.Equal(got, want) {
		c.t.Errorf("history %q, want %q", got, want)
	}
}

func (c *cluster) wantContainers(n int) {
	c.t.Helper()
	if live := c.liveContainers(); len(live) != n {
		c.t.Errorf("containers: %v, want %d", live, n)
	}
	c.want(c.heron("status", "nomad", c.topology), 0)
}

func TestReplaceAndRollback(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.replace(2), 0, "topology "+c.topology+" runs")
	c.wantHistory("1 submit of 3, stable true, current true")
	c.want(c.replace(2), 0, "nothing was changed")
	c.want(c.switchState("deactivate"), 0)

	c.want(c.replace(3, "--stable-for", "1s"), 0, "replaced, version 2 runs, paused", "heron rollback")
	c.wantContainers(4)
	if got := planState(t, c.node(c.root+"/pplans/"+c.topology)); got != "PAUSED" {
		t.Errorf("the stored plan is %s", got)
	}
	c.wantHistory("1 submit of 3, stable true, current false", "2 replace of 4, stable true, current true")
	c.want(c.switchState("activate"), 0)

	// No node is where it wants to be: it comes back.
	c.want(c.replace(1, "--config-property", "heron.nomad.datacenters=nowhere"), 7, "nowhere", "put back the state of topology", "undone: job", "version 2 is in place, as before")
	eventually(t, "version 2 runs again", func() bool { return c.heron("status", "nomad", c.topology).code == 0 })
	c.wantContainers(4)
	c.wantHistory("1 submit of 3, stable true, current false", "2 replace of 4, stable true, current true")
	if got := planState(t, c.node(c.root+"/pplans/"+c.topology)); got != "RUNNING" {
		t.Errorf("the stored plan is %s", got)
	}

	c.want(c.heron("rollback", "nomad", c.topology, "7"), 4, "no version 7", "there is version 1")
	c.want(c.heron("rollback", "--output", "json", "nomad", c.topology), 0, `"restores": 1`, `"version": 3`)
	c.wantContainers(3)
	c.want(c.heron("history", "nomad", c.topology), 0, "rollback to 1", "in place, good")
	c.want(c.heron("gc", "--older-than", "0s", "nomad"), 0)
	c.want(c.heron("rollback", "nomad", c.topology, "2"), 0, "rolled back to version 2, which is version 4 now")
	c.wantContainers(4)
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// A replacement that is killed is continued by the same command, taken back by
// rollback, and removed by kill.
func TestCommandsAfterAKilledReplacement(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit("--wait"), 0)
	dies := func(when string) {
		t.Helper()
		p := c.throughHTTP()
		var run *running
		started := make(chan struct{})
		writes := 0
		p.Fail(testenv.HTTPCut, -1, func(method, path string) bool {
			<-started
			if method == "PUT" && strings.HasPrefix(path, "/v1/jobs") {
				// The first write stops the job, the second registers the new one.
				if writes++; writes == map[string]int{"stop": 1, "register": 2}[when] {
					_ = run.cmd.Process.Signal(os.Kill)
				}
			}
			return false
		})
		run = c.startReplace(3)
		close(started)
		if r := run.wait(t); r.code != -1 {
			t.Fatalf("not killed at %s: %s", when, r)
		}
		p.Heal()
		c.properties["heron.nomad.scheduler.uri"] = c.nomad
		for _, f := range c.files(c.tmp) {
			_ = os.RemoveAll(f)
		}
	}
	dies("register")
	c.want(c.switchState("activate"), 3, "repeat that command")
	c.want(c.heron("rollback", "nomad", c.topology), 0, "version 1 runs again")
	c.wantContainers(3)
	c.onePackage()

	dies("stop")
	c.want(c.replace(3), 0, "replaced, version 2 runs")
	c.wantContainers(4)
	c.wantHistory("1 submit of 3, stable true, current false", "2 replace of 4, stable true, current true")

	dies("register")
	c.want(c.kill(), 0)
	c.nothingLeft()
}
