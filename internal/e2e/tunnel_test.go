package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// An inner cluster is one whose ZooKeeper, Nomad and topologies are in a
// network that only a bastion reaches. The user's machine knows neither the
// network nor its names.
type inner struct {
	*cluster
	bastion *testenv.SSHServer
}

// Names that stand for the servers inside, for the bastion alone.
const (
	innerZooKeeper = "zookeeper.inside"
	innerNomad     = "nomad.inside"
)

// TestTunnel runs all that needs such a network in one.
func TestTunnel(t *testing.T) {
	t.Parallel()
	n := testenv.NewPrivateNet(t, innerZooKeeper, innerNomad)
	zoo, nomad := n.ZooKeeper(t), n.Nomad(t)
	for name, test := range map[string]func(*inner){
		"both":               testTunnels,
		"scheduler only":     testTunnelOfTheScheduler,
		"state only":         testTunnelOfTheState,
		"cannot be made":     testTunnelThatCannotBeMade,
		"ends in the middle": testTunnelThatEndsInTheMiddle,
	} {
		t.Run(name, func(t *testing.T) {
			c := &inner{
				cluster: newClusterAt(t, nomad.Addr, zoo.Addr, n),
				bastion: testenv.SSHD(t, testenv.SSHOptions{Net: n}),
			}
			// Executors use the address, and this user the names.
			c.properties["heron.statemgr.zookeeper.client.connection.string"] = renamed(t, zoo.Addr, innerZooKeeper)
			c.properties["heron.nomad.scheduler.uri"] = "http://" + renamed(t, strings.TrimPrefix(nomad.Addr, "http://"), innerNomad)
			home := testenv.SSHHome(t, c.bastion)
			for i, kv := range c.env {
				if strings.HasPrefix(kv, "HOME=") {
					c.env[i] = "HOME=" + home
				}
			}
			test(c)
		})
	}
}

// renamed is an address with a name in place of the host.
func renamed(t *testing.T, addr, name string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(name, port)
}

// through has a part of the program go through the bastion at an address.
func (c *inner) through(system, addr string) {
	for key, value := range map[string]string{
		"is.tunnel.needed":             "true",
		"tunnel.host":                  c.bastion.User + "@" + addr,
		"tunnel.connection.timeout.ms": "300",
		"tunnel.retry.interval.ms":     "100",
	} {
		c.properties["heron."+system+"."+key] = value
	}
}

func (c *inner) home() string {
	for _, kv := range c.env {
		if home, ok := strings.CutPrefix(kv, "HOME="); ok {
			return home
		}
	}
	c.t.Fatal("the user has no home")
	return ""
}

// trust makes the bastion's key known under another address.
func (c *inner) trust(addr string) {
	c.t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		c.t.Fatal(err)
	}
	text := fmt.Sprintf("[%s]:%s %s\n", host, port, c.bastion.HostKey(c.t))
	if err := os.WriteFile(c.knownHosts(), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *inner) knownHosts() string { return filepath.Join(c.home(), ".ssh", "known_hosts") }

func testTunnels(c *inner) {
	// Without a tunnel nothing is there.
	c.properties["heron.statemgr.zookeeper.connection.timeout.ms"] = "1500"
	c.want(c.submit(), 6, "ZooKeeper at "+innerZooKeeper)
	c.properties["heron.statemgr.zookeeper.connection.timeout.ms"] = "5000"

	// One tunnel is not enough.
	c.through("statemgr", c.bastion.Addr)
	c.properties["heron.nomad.request.timeout"] = "2s"
	c.want(c.submit(), 6, innerNomad)
	c.properties["heron.nomad.request.timeout"] = "5s"
	c.nothingLeft()

	// A proxy for the web does not lead there.
	c.env = append(c.env, "HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY=")
	c.through("scheduler", c.bastion.Addr)
	r := c.submit("--wait")
	c.want(r, 0, "topology "+c.topology+" runs at")
	if strings.Contains(r.errOut, "the physical plan in the state counts") {
		c.t.Errorf("the TManager was not asked: %s", r)
	}
	if n := strings.Count(r.errOut, "log in to the bastion"); n != 1 {
		c.t.Errorf("logged in %d times: %s", n, r)
	}
	if live := c.liveContainers(); len(live) != 3 {
		c.t.Errorf("containers: %v", live)
	}
	c.want(c.kill(), 0, "topology "+c.topology+" killed")
	c.nothingLeft()
}

func testTunnelOfTheScheduler(c *inner) {
	// The state is where this machine reaches it, by another way.
	zoo := testenv.ForwardInto(c.t, c.net, c.zookeeper)
	c.properties["heron.statemgr.zookeeper.client.connection.string"] = zoo
	c.through("scheduler", c.bastion.Addr)
	c.want(c.submit("--wait"), 0, "topology "+c.topology+" runs at")
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func testTunnelOfTheState(c *inner) {
	c.properties["heron.nomad.scheduler.uri"] = "http://" + testenv.ForwardInto(c.t, c.net, strings.TrimPrefix(c.nomad, "http://"))
	c.through("statemgr", c.bastion.Addr)
	// The TManager is out of reach, and so the state has to do.
	c.want(c.submit("--wait"), 0, "topology "+c.topology+" runs at", "the physical plan in the state counts")
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func testTunnelThatCannotBeMade(c *inner) {
	c.through("statemgr", c.bastion.Addr)
	c.through("scheduler", c.bastion.Addr)
	c.properties["heron.statemgr.zookeeper.connection.timeout.ms"] = "2000"
	named := []string{c.bastion.Addr, "heron.statemgr.tunnel.host"}

	known, err := os.ReadFile(c.knownHosts())
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.Remove(c.knownHosts()); err != nil {
		c.t.Fatal(err)
	}
	c.want(c.submit(), 6, append(named, "known_hosts")...)
	c.want(c.kill(), 6, named...)
	if err := os.WriteFile(c.knownHosts(), known, 0o600); err != nil {
		c.t.Fatal(err)
	}

	if err := c.bastion.Kill(); err != nil {
		c.t.Fatal(err)
	}
	c.want(c.submit(), 6, named...)
	c.want(c.kill("--output", "json"), 6, named...)
	if err := c.bastion.Restart(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}

	delete(c.properties, "heron.scheduler.tunnel.host")
	c.want(c.submit(), 2, "heron.scheduler.tunnel.host: is not set")
	c.through("scheduler", c.bastion.Addr)
	c.properties["heron.scheduler.tunnel.ssh.options"] = "-o NoSuchOption=1"
	c.want(c.submit(), 2, "heron.scheduler.tunnel.host", "NoSuchOption")
	c.nothingLeft()
}

func testTunnelThatEndsInTheMiddle(c *inner) {
	// Nomad is reached by a proxy that sees the registration, which is when
	// the way to the state ends.
	direct := testenv.ForwardInto(c.t, c.net, strings.TrimPrefix(c.nomad, "http://"))
	nomad := testenv.HTTPProxy(c.t, "http://"+direct)
	c.properties["heron.nomad.scheduler.uri"] = nomad.URL
	bastion := testenv.Proxy(c.t, c.bastion.Addr)
	c.trust(bastion.Addr)
	c.through("statemgr", bastion.Addr)

	c.properties["heron.statemgr.zookeeper.connection.timeout.ms"] = "3000"
	nomad.Fail(testenv.HTTPError, -1, onRegister(bastion.Down))
	nomad.Fail(testenv.HTTPError, -1, register)
	r := c.submit()
	c.want(r, 8, "still there: state of topology "+c.topology, bastion.Addr, "heron.statemgr.tunnel.host", "to clean up: heron kill")

	bastion.Up()
	nomad.Heal()
	c.want(c.kill(), 0)
	c.nothingLeft()
}
