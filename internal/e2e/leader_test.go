package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// leaderCluster is a user whose Nomad has three servers.
type leaderCluster struct {
	*cluster
	servers *testenv.NomadCluster
}

func newLeaderCluster(t *testing.T, servers *testenv.NomadCluster) *leaderCluster {
	t.Helper()
	c := newClusterAt(t, servers.Addr, testenv.ZooKeeper(t), nil)
	c.properties["heron.nomad.request.timeout"] = "60s"
	return &leaderCluster{cluster: c, servers: servers}
}

// killing runs a command whose requests go to a server that does not lead, and
// kills the leader at the request of a number, before it is forwarded. It
// returns how many requests there were.
func (c *leaderCluster) killing(at int, run func() result) (result, int) {
	c.t.Helper()
	ctx := c.t.Context()
	if err := c.servers.Heal(ctx); err != nil {
		c.t.Fatal(err)
	}
	follower, err := c.servers.Follower(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	p := testenv.HTTPProxy(c.t, follower)
	defer func() { c.properties["heron.nomad.scheduler.uri"] = c.servers.Addr }()
	c.properties["heron.nomad.scheduler.uri"] = p.URL
	seen := 0
	p.Fail(testenv.HTTPCut, -1, func(string, string) bool {
		if seen++; seen == at {
			if err := c.servers.KillLeader(ctx); err != nil {
				c.t.Error(err)
			}
		}
		return false
	})
	return run(), p.Count(anything)
}

// sampled are some of the numbers from 1 to n, all of them in a long run.
func sampled(n, some int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	random := rand.New(rand.NewPCG(5, 8))
	random.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:testenv.Times(min(n, some), n)]
	slices.Sort(all)
	return all
}

// Three real servers, and the leader is killed at each request that submit and
// kill make. Which requests there are is counted, not listed here.
func TestTheLeaderOfNomadIsKilled(t *testing.T) {
	servers := testenv.StartedNomadCluster(t, testenv.NomadClusterOptions{})
	first := newLeaderCluster(t, servers)
	r, submits := first.killing(0, func() result { return first.submit() })
	first.want(r, 0, "submitted")
	r, kills := first.killing(0, func() result { return first.kill() })
	first.want(r, 0, "killed")
	t.Logf("submit makes %d requests, kill %d", submits, kills)
	if submits < 4 || kills < 6 {
		t.Fatal("some requests do not pass the proxy")
	}
	for _, at := range sampled(submits, 3) {
		t.Run(fmt.Sprintf("submit-%d", at), func(t *testing.T) {
			c := newLeaderCluster(t, servers)
			r, _ := c.killing(at, func() result { return c.submit() })
			if r.code == 7 {
				c.nothingLeft()
				return
			}
			c.want(r, 0, "submitted")
			c.want(c.kill(), 0)
			c.nothingLeft()
		})
	}
	for _, at := range sampled(kills, 3) {
		t.Run(fmt.Sprintf("kill-%d", at), func(t *testing.T) {
			c := newLeaderCluster(t, servers)
			c.want(c.submit(), 0)
			r, _ := c.killing(at, func() result { return c.kill() })
			c.want(r, 0, "killed")
			c.nothingLeft()
		})
	}
}

// The same for commands on a topology that runs. What could not be carried
// through is undone, or finished by the same command.
func TestTheLeaderOfNomadIsKilledWhileATopologyIsChanged(t *testing.T) {
	t.Parallel()
	servers := testenv.StartedNomadCluster(t, testenv.NomadClusterOptions{})
	for _, command := range []struct {
		name string
		// there and back, and how the topology is then.
		start      [2]func(*cluster) result
		containers [2]int
	}{
		{"restart", [2]func(*cluster) result{
			func(c *cluster) result { return c.restart("1") }, func(c *cluster) result { return c.restart("2") },
		}, [2]int{3, 3}},
		{"update", [2]func(*cluster) result{
			func(c *cluster) result { return c.update("--component-parallelism", "count:5") },
			func(c *cluster) result { return c.update("--component-parallelism", "count:3") },
		}, [2]int{4, 3}},
		{"replace", [2]func(*cluster) result{
			func(c *cluster) result { return c.replace(1) }, func(c *cluster) result { return c.replace(2) },
		}, [2]int{2, 3}},
	} {
		t.Run(command.name, func(t *testing.T) {
			c := newLeaderCluster(t, servers)
			c.want(c.submit("--wait"), 0)
			r, n := c.killing(0, func() result { return command.start[0](c.cluster) })
			c.want(r, 0)
			t.Logf("%s makes %d requests", command.name, n)
			for i, at := range sampled(n, 1) {
				to := (i + 1) % 2
				r, _ := c.killing(at, func() result { return command.start[to](c.cluster) })
				t.Logf("request %d: code %d", at, r.code)
				if r.code != 0 {
					if r.code != 7 && r.code != 8 {
						t.Errorf("request %d: %s", at, r)
					}
					c.want(command.start[to](c.cluster), 0)
				}
				c.wantIndexes(command.containers[to])
				c.want(c.status(), 0)
				c.noClaim()
			}
			c.want(c.kill(), 0)
			c.nothingLeft()
		})
	}
}
