package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
)

func TestWaitForWhatCannotBePlaced(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.datacenters"] = "nowhere"
	why := "no place for 3 containers: no node is ready in datacenter nowhere (elsewhere: 1 node in datacenter dc1)"
	began := time.Now()
	c.want(c.submit("--wait=5m"), 9, "is submitted, but does not run", why, " nomad/ann/default "+c.topology)
	c.want(c.kill(), 0)
	c.want(c.submit("--wait=5m", "--rollback"), 7, why, "undone: job ", "nothing is left")
	c.nothingLeft()
	if took := time.Since(began); took > patience {
		t.Errorf("it took %s", took)
	}
	c.want(c.submit("--rollback"), 2, "add --wait")
}

// A node that is full gets room again.
func TestWaitForRoom(t *testing.T) {
	t.Parallel()
	agent, err := testenv.StartNomad(t.Context(), t.TempDir(), testenv.NomadOptions{Config: "client { memory_total_mb = 500 }"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := agent.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := newClusterAt(t, agent.Addr, testenv.ZooKeeper(t), nil)
	first := c.topology
	c.want(c.submit("--wait", "--stable-for=1s"), 0, "all run; they have to stay so for 1s")
	c.topology = first + "-2"
	second := c.startSubmit("--wait")
	eventually(t, "it says what it waits for", func() bool {
		return strings.Contains(second.errOut.String(), "still waiting: no place for 3 containers: not enough memory on 1 node")
	})
	c.topology = first
	c.want(c.kill(), 0)
	c.topology = first + "-2"
	c.want(second.wait(t), 0, c.topology+" runs at", "3 of 3 containers of job "+c.jobID()+" are running")
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// A process that dies inside a container is nothing that Nomad sees.
func TestWaitSaysWhatTheTManagerSays(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.brokenCore("port-taken")
	c.want(c.submit(), 0)
	eventually(t, "status says it too", func() bool {
		doc, code := c.statusDoc()
		return code == 3 && doc.Diagnosis != nil && strings.Contains(c.status().out, "Check failed: http_server_->Start()")
	})
	c.want(c.kill(), 0)
	r := c.submit("--wait=20s", "--rollback", "--output", "json")
	c.want(r, 7, "Check failed: http_server_->Start()", "in container 0 the executor has seen heron-tmanager end ", "exit code 1", `"output"`)
	if !strings.Contains(r.errOut, "Check failed: http_server_->Start()") {
		t.Errorf("it was not told during the wait: %s", r)
	}
	c.nothingLeft()
}

// A container whose program fails ends the wait, or is what the end of its time
// says: how it ended, how often it was restarted, and what it wrote last.
func TestWaitSaysWhatAFailedContainerWrote(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.brokenCore("exit-at-start@2")
	c.properties["heron.nomad.restart.attempts"] = "2"
	c.properties["heron.nomad.restart.delay"] = "1s"
	const boom = "HERON_STANDIN_FAIL asks for it"
	r := c.submit("--wait=5m")
	c.want(r, 9, "is submitted, but does not run", "containers keep failing", "container 2 failed: exit code 1, restarted 2 times", "container 2, last lines of its ", boom)
	c.want(c.kill(), 0)

	// It is started again for ever, so it may run at any time.
	c.properties["heron.nomad.restart.attempts"] = "100"
	c.properties["heron.nomad.restart.interval"] = "1h"
	c.properties["heron.nomad.restart.delay"] = "10s"
	r = c.submit("--wait=15s", "--output", "json")
	c.want(r, 9, "exit code 1", "restarted ", boom, `"output"`)
	c.want(c.kill(), 0)
	c.nothingLeft()
}
