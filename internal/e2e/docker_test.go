//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

const dockerImage = "heron-test:1"

// dockerServers are a daemon with the image, and an agent that runs it, with
// more configuration and variables of its own.
func dockerServers(t *testing.T, config string, env ...string) *testenv.DockerServer {
	t.Helper()
	d := testenv.Docker(t)
	if err := d.BuildCore(t.Context(), dockerImage, bin.core); err != nil {
		t.Fatal(err)
	}
	ownNomad(t, testenv.NomadOptions{Driver: "docker", Config: d.NomadConfig(true) + config, Env: env})
	return d
}

// useImages makes the topology's containers those of a daemon.
func (c *cluster) useImages(d *testenv.DockerServer, network string) {
	c.t.Helper()
	c.properties["heron.nomad.driver"] = "docker"
	c.properties["heron.executor.docker.image"] = dockerImage
	c.properties["heron.nomad.network.mode"] = network
	c.properties["heron.nomad.docker.volumes"] = c.packages + ":" + c.packages + ":ro"
	c.properties["heron.statemgr.connection.string"] = relay(c.t, d.IP, c.zookeeper)
}

// relay passes connections from containers on to a server that only this
// machine reaches. It returns its address.
func relay(t *testing.T, host, server string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_, _ = to.Close(), from.Close()
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				_ = in.Close()
				continue
			}
			go pipe(in, out)
			go pipe(out, in)
		}
	}()
	return l.Addr().String()
}

// The same topology as on raw_exec runs in images, on every kind of network,
// with and without a metrics sink.
func TestDocker(t *testing.T) {
	d := dockerServers(t, "")
	for name, test := range map[string]struct {
		network string
		sink    bool
		// lives takes the topology through its whole life, folder keeps the state
		// in one.
		lives, folder bool
	}{
		"default network sink":             {network: "default", sink: true},
		"bridge network no sink":           {network: "bridge", lives: true},
		"bridge network state in a folder": {network: "bridge", lives: true, folder: true},
		"host network sink":                {network: "host", sink: true},
		"host network no sink":             {network: "host"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.useImages(d, test.network)
			if test.folder {
				folder := c.inFolder()
				c.properties["heron.nomad.docker.volumes"] += "," + folder + ":" + folder
			}
			if !test.sink {
				c.removeSinks()
			}
			c.want(c.submit("--wait"), 0, "topology "+c.topology+" runs at nomad/ann/default: job "+c.jobID()+", 3 containers")
			c.checkReachable(d, test.network, test.sink)
			if test.network == "default" {
				// The image has the stand-in core and busybox.
				e := c.doctor(3, "--nodes", "nomad", c.topology)
				c.wantCheck(e, "node", "problem", "no python3 is on PATH")
				c.wantCheck(e, "node", "ok", "core: in heron-core")
				c.wantCheck(e, "node", "ok", "can be reached")
			}
			if test.lives {
				c.lives()
			}
			c.want(c.kill(), 0, "topology "+c.topology+" killed")
			c.nothingLeft()
			c.noContainers(d)
		})
	}
	if tags, err := d.Images(t.Context()); err != nil || len(tags) != 1 {
		t.Errorf("images %v, %v; want only that of the test", tags, err)
	}
}

// What a container could not reach is refused before anything is written, and
// can be shown all the same.
func TestDockerRefusesWhatContainersCannotReach(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.driver"] = "docker"
	c.want(c.submit("--dry-run"), 0)
	c.want(c.submit(), 2, "heron.nomad.docker.volumes", c.packages)
	c.properties["heron.nomad.docker.volumes"] = c.packages + ":" + c.packages + ":ro"
	c.want(c.submit(), 2, "heron.statemgr.connection.string", c.zookeeper)
	c.properties["heron.nomad.network.mode"] = "none"
	c.want(c.submit(), 2, "heron.nomad.network.mode")
	c.nothingLeft()
}

// removeSinks leaves the user's configuration without a metrics sink that
// serves a port.
func (c *cluster) removeSinks() {
	c.t.Helper()
	path := filepath.Join(c.home, "conf", "nomad", "metrics_sinks.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	without := strings.Replace(string(text), "\n  - prometheus-sink\n", "\n", 1)
	if without == string(text) {
		c.t.Fatalf("%s has no prometheus-sink", path)
	}
	if err := os.WriteFile(path, []byte(without), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// checkReachable checks that what the topology's processes announce is the
// node's address with the ports that Nomad gave out, and that another
// container reaches them there.
func (c *cluster) checkReachable(d *testenv.DockerServer, network string, sink bool) {
	c.t.Helper()
	ports := c.ports()
	plan := c.physicalPlan()
	if len(plan.GetStmgrs()) != 2 {
		c.t.Errorf("%d stream managers, want 2", len(plan.GetStmgrs()))
	}
	for _, m := range plan.GetStmgrs() {
		index := strings.TrimPrefix(m.GetId(), "stmgr-")
		want := fmt.Sprint(d.IP, ports[index]["server"], ports[index]["shell_port"])
		if got := fmt.Sprint(m.GetHostName(), int(m.GetDataPort()), int(m.GetShellPort())); got != want {
			c.t.Errorf("%s announces %s, want %s", m.GetId(), got, want)
		}
	}
	ask := func(port int, path string) string {
		request := fmt.Sprintf(`printf 'GET %s HTTP/1.0\r\nHost: x\r\n\r\n' | nc -w 30 %s %d`, path, d.IP, port)
		_, out, err := d.Run(c.t.Context(), dockerImage, network, "sh", "-c", request)
		if err != nil {
			c.t.Error(err)
		}
		return out
	}
	for index, port := range ports {
		if _, ok := port["metrics_port"]; ok != sink {
			c.t.Errorf("container %s has a port for metrics: %t, want %t", index, ok, sink)
		}
		if out := ask(port["shell_port"], "/"); !strings.HasPrefix(out, "HTTP/1.1") {
			c.t.Errorf("the shell port of container %s answers another container with %.200q", index, out)
		}
		if sink {
			if out := ask(port["metrics_port"], "/metrics"); !strings.HasPrefix(out, "HTTP/1.0 200") {
				c.t.Errorf("the metrics port of container %s answers another container with %.200q", index, out)
			}
		}
	}
	if out := ask(ports["0"]["tmanager_ctl"], "/get_current_physical_plan"); !strings.HasPrefix(out, "HTTP/1.1 200") {
		c.t.Errorf("the topology manager answers another container with %.200q", out)
	}
}

// noContainers waits until the daemon has no container.
func (c *cluster) noContainers(d *testenv.DockerServer) {
	c.t.Helper()
	eventually(c.t, "no container is left", func() bool {
		ids, err := d.Containers(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		return len(ids) == 0
	})
}
