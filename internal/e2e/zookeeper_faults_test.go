package e2e

import (
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/testenv"
)

// owners are the nodes of the processes that hold the claim.
func (c *cluster) owners() (names []string) {
	c.zk(func(conn *zk.Conn) (err error) {
		names, _, err = conn.Children(c.root + "/owners")
		return err
	})
	return names
}

// A command whose session expires has lost its claim, and so has it changed
// nothing since. The same command finishes what it began.
func TestTheSessionExpiresInTheMiddle(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.request.timeout"] = "60s"
	c.want(c.submit("--wait"), 0)
	zoo := testenv.Proxy(t, c.zookeeper)
	expires := func(words string, start func() *running) {
		t.Helper()
		c.properties["heron.statemgr.connection.string"] = zoo.Addr
		r := c.during(words, start, func() {
			zoo.Silent()
			if !within(t, func() bool { return len(c.owners()) == 0 }) {
				t.Error("the session has not expired")
			}
			zoo.Up()
		})
		c.want(r, 5, "taken for dead")
		c.properties["heron.statemgr.connection.string"] = c.zookeeper
		c.want(start().wait(t), 0)
		c.noClaim()
	}
	expires("wait for the physical plan", func() *running { return c.startUpdate("--component-parallelism", "count:5") })
	c.wantToldTo("RUNNING map[count:5 word:3] in 3")
	expires("stop", func() *running { return c.startReplace(1) })
	c.wantToldTo("RUNNING map[count:3 word:3] in 1")
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// Of three servers, the one that leads is killed in the middle; the others go on.
// Where two are killed, the third one does nothing alone.
func TestAServerOfZooKeeperIsKilled(t *testing.T) {
	t.Parallel()
	servers := testenv.ZooKeeperEnsemble(t)
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
	}
	c := newClusterAt(t, testenv.Nomad(t), strings.Join(addrs, ","), nil)
	c.properties["heron.nomad.request.timeout"] = "60s"
	c.want(c.submit("--wait"), 0)
	loses := func(words string, start func() *running, says string) {
		t.Helper()
		var lost *testenv.Server
		c.want(c.during(words, start, func() {
			for _, s := range servers {
				if leads, err := testenv.Leads(t.Context(), s); err == nil && leads {
					lost = s
					c.must(s.Kill())
					return
				}
			}
			t.Error("no server of ZooKeeper leads")
		}), 0, says)
		if lost != nil {
			c.must(lost.Restart(t.Context()))
		}
		c.noClaim()
	}
	loses("wait for the physical plan", func() *running { return c.startUpdate("--component-parallelism", "count:5") }, "updated")
	c.wantToldTo("RUNNING map[count:5 word:3] in 3")
	loses("stop", func() *running { return c.startReplace(1) }, "replaced")
	c.wantToldTo("RUNNING map[count:3 word:3] in 1")

	// Without a majority nothing is changed; in the middle nothing can be undone.
	minority := func() {
		c.must(servers[0].Kill())
		c.must(servers[1].Kill())
	}
	majority := func() {
		c.must(servers[0].Restart(t.Context()))
		c.must(servers[1].Restart(t.Context()))
	}
	grow := func() *running { return c.startUpdate("--component-parallelism", "count:5", "--container-number", "2") }
	minority()
	c.want(grow().wait(t), 6)
	majority()
	c.wantToldTo("RUNNING map[count:3 word:3] in 1")
	c.want(c.during("wait for the physical plan", grow, minority), 8, "to continue: heron update")
	majority()
	c.want(grow().wait(t), 0, "updated")
	c.wantToldTo("RUNNING map[count:5 word:3] in 2")
	c.want(c.kill(), 0)
	c.nothingLeft()
}
