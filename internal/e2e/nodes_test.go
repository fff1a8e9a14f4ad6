package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// nodesCluster is a user whose Nomad has two nodes.
type nodesCluster struct {
	*cluster
	a, b *testenv.NomadNode
}

// on lets only these nodes take new containers.
func (c *nodesCluster) on(nodes ...*testenv.NomadNode) {
	c.t.Helper()
	for _, n := range []*testenv.NomadNode{c.a, c.b} {
		takes := false
		for _, one := range nodes {
			takes = takes || one == n
		}
		if err := n.Take(c.t.Context(), takes); err != nil {
			c.t.Fatal(err)
		}
	}
}

// wantOn checks which containers are on a node.
func (c *nodesCluster) wantOn(n *testenv.NomadNode, want string) {
	c.t.Helper()
	allocs, _, err := c.api().Allocations().List(nil)
	c.must(err)
	var got []string
	for _, one := range allocs {
		if one.JobID == c.jobID() && one.NodeName == n.Name && one.ClientStatus == api.AllocClientStatusRunning {
			got = append(got, strings.TrimSuffix(one.Name[strings.LastIndex(one.Name, "[")+1:], "]"))
		}
	}
	slices.Sort(got)
	if strings.Join(got, " ") != want {
		c.t.Errorf("containers %v are on %s, want %s", got, n.Name, want)
	}
}

// during runs a command and calls do once: before the first request to Nomad
// that follows these words of the command.
func (c *cluster) during(words string, start func() *running, do func()) result {
	c.t.Helper()
	const uri = "heron.nomad.scheduler.uri"
	p := testenv.HTTPProxy(c.t, c.nomad)
	defer func(before string) { c.properties[uri] = before }(c.properties[uri])
	c.properties[uri] = p.URL
	var run *running
	started := make(chan struct{})
	done := false
	p.Fail(testenv.HTTPCut, -1, func(string, string) bool {
		<-started
		if !done && strings.Contains(run.errOut.String(), words) {
			done = true
			do()
		}
		return false
	})
	run = start()
	close(started)
	r := run.wait(c.t)
	if !done {
		c.t.Fatalf("it has not said %q: %s", words, r)
	}
	return r
}

// must is for what a test does while a command runs.
func (c *cluster) must(err error) {
	if err != nil {
		c.t.Error(err)
	}
}

// A node is lost while a topology is scaled, once with no other to take its
// place, and drained while it shrinks; a container fails while it shrinks. The
// containers are those of the plan then.
func TestNodesAreLostAndDrained(t *testing.T) {
	t.Parallel()
	servers := testenv.StartedNomadCluster(t, testenv.NomadClusterOptions{Servers: 1, Nodes: 2})
	c := &nodesCluster{newClusterAt(t, servers.Addr, testenv.ZooKeeper(t), nil), servers.Nodes[0], servers.Nodes[1]}
	// Each failure of a container counts.
	c.properties["heron.nomad.request.timeout"] = "60s"
	c.properties["heron.nomad.restart.attempts"] = "0"
	c.properties["heron.nomad.reschedule.delay"] = "1h"
	c.properties["heron.nomad.reschedule.max.delay"] = "1h"
	c.on(c.a)
	c.want(c.submit("--wait"), 0)

	counts := func(n string) func() *running {
		return func() *running { return c.startUpdate("--component-parallelism", "count:"+n) }
	}
	back := func(n *testenv.NomadNode) {
		t.Helper()
		if err := n.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	// The node of the new container is lost; the container comes elsewhere.
	c.on(c.b)
	c.want(c.during("wait for the physical plan", counts("5"), func() {
		c.wantOn(c.b, "3")
		c.must(c.b.Lose())
		c.on(c.a)
	}), 0, "updated")
	c.wantToldTo("RUNNING map[count:5 word:3] in 3")
	back(c.b)
	c.wantToldTo("RUNNING map[count:5 word:3] in 3")
	c.wantOn(c.a, "0 1 2 3")

	// A container that stays fails; Nomad itself would start it anew in an hour.
	first := c.container(1)
	c.want(c.during("settle the containers", counts("3"), func() { c.fails(first) }), 0, "no container is taken away while containers 1 do not run")
	c.wantToldTo("RUNNING map[count:3 word:3] in 2")

	// The node of the containers that stay is drained.
	c.on(c.b)
	c.want(c.update("--component-parallelism", "count:5", "--wait"), 0)
	c.wantOn(c.b, "3")
	c.want(c.during("settle the containers", counts("3"), func() { c.must(c.a.Empty(t.Context())) }), 0, "are being moved")
	c.wantToldTo("RUNNING map[count:3 word:3] in 2")
	c.wantOn(c.b, "0 1 2")

	// The node of the TManager is lost.
	c.on(c.a)
	c.want(c.during("wait for the physical plan", counts("5"), func() { c.must(c.b.Lose()) }), 0, "updated")
	c.wantToldTo("RUNNING map[count:5 word:3] in 3")
	back(c.b)
	c.wantToldTo("RUNNING map[count:5 word:3] in 3")
	c.wantOn(c.a, "0 1 2 3")
	c.want(c.kill(), 0)

	// The node of the new container is lost, and no other one has room. The update
	// waits as long as its topology wants, and goes back.
	c.want(c.heron("submit", "--wait", "nomad", bin.sample, "-", "--name", c.topology, "--stmgrs", "2", "--config", "topology.update.reactivate.wait.secs=45"), 0)
	c.on(c.b)
	c.want(c.during("wait for the physical plan", counts("5"), func() {
		c.must(c.b.Lose())
		c.on()
	}), 7, "the topology is as it was before")
	c.wantToldTo("RUNNING map[count:3 word:3] in 2")
	back(c.b)
	c.wantToldTo("RUNNING map[count:3 word:3] in 2")
	c.wantOn(c.a, "0 1 2")
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// fails ends a container with an error, and returns when Nomad knows.
func (c *cluster) fails(alloc *api.Allocation) {
	c.must(c.api().Allocations().Signal(alloc, nil, "executor", "SIGKILL"))
	if !within(c.t, func() bool {
		now, _, err := c.api().Allocations().Info(alloc.ID, nil)
		return err == nil && now.ClientStatus == api.AllocClientStatusFailed
	}) {
		c.t.Errorf("container %s has not failed", alloc.Name)
	}
}
