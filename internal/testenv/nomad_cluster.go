package testenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// NomadClusterOptions say how large a cluster is.
type NomadClusterOptions struct {
	// Servers is how many there are; 3 if 0, the least number that outlasts the
	// loss of a leader.
	Servers int
	// Nodes is how many agents run containers; 1 if 0. Where there are several,
	// one that is lost is noticed within seconds.
	Nodes int
}

// A NomadCluster is Nomad servers, and nodes that run containers, each an agent
// of its own. Its methods are for one goroutine at a time.
type NomadCluster struct {
	// Addr is the URL to ask: the server's if there is one, else the first node's,
	// which asks whatever server leads.
	Addr string
	// Nodes are the agents that run containers.
	Nodes []*NomadNode

	servers []*clusterServer
}

// A clusterServer is one of the servers.
type clusterServer struct {
	*Server
	// rpc is how the servers call it, as host:port.
	rpc string
	api *api.Client
}

// StartedNomadCluster is StartNomadCluster for one test, stopped with all that
// it runs when the test ends.
func StartedNomadCluster(t testing.TB, opts NomadClusterOptions) *NomadCluster {
	t.Helper()
	c, err := StartNomadCluster(t.Context(), t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// StartNomadCluster runs Nomad servers and nodes, with their data in dir, which
// must exist. It returns when they have a leader and each node runs raw_exec.
func StartNomadCluster(ctx context.Context, dir string, opts NomadClusterOptions) (*NomadCluster, error) {
	opts.Servers, opts.Nodes = cmp.Or(opts.Servers, 3), cmp.Or(opts.Nodes, 1)
	c := &NomadCluster{}
	if err := c.start(ctx, dir, opts); err != nil {
		return nil, fmt.Errorf("start a cluster of Nomad: %w", errors.Join(err, c.stop()))
	}
	return c, nil
}

func (c *NomadCluster) start(ctx context.Context, dir string, opts NomadClusterOptions) error {
	binary, err := Tool(ctx, "nomad")
	if err != nil {
		return err
	}
	var join []string
	for i := range opts.Servers {
		s, err := newMember(dir, fmt.Sprintf("server-%d", i+1), 16000, 18000, 4)
		if err != nil {
			return err
		}
		join = append(join, strconv.Quote(loopback(s.block.port(2))))
		member := &clusterServer{Server: s, rpc: loopback(s.block.port(1))}
		c.servers = append(c.servers, member)
		if member.api, err = api.NewClient(&api.Config{Address: s.Addr}); err != nil {
			return err
		}
		s.ready = func(ctx context.Context) error { return isReady(ctx, s.Addr+"/v1/metrics") }
	}
	heartbeats := ""
	if opts.Nodes > 1 {
		heartbeats = quickHeartbeats
	}
	var rpc []string
	for _, s := range c.servers {
		rpc = append(rpc, strconv.Quote(s.rpc))
		if err := s.configure(binary, fmt.Sprintf(serverBlock, opts.Servers, strings.Join(join, ", "), heartbeats)); err != nil {
			return err
		}
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	for i := range opts.Nodes {
		if err := c.addNode(ctx, dir, binary, fmt.Sprintf("node-%d", i+1), strings.Join(rpc, ", ")); err != nil {
			return err
		}
	}
	if c.Addr = c.Nodes[0].Addr; opts.Servers == 1 {
		c.Addr = c.servers[0].Addr
	}
	return c.settled(ctx)
}

// The blocks of servers and nodes. Autopilot would take a dead server
// for gone, and its return would then last.
const (
	serverBlock = `
server {
  enabled          = true
  bootstrap_expect = %d
  server_join {
    retry_join     = [%s]
    retry_interval = "1s"
  }
  %s
}
autopilot {
  cleanup_dead_servers = false
}
`
	quickHeartbeats = `
  min_heartbeat_ttl = "3s"
  heartbeat_grace   = "5s"
`
	nodeBlock = `
client {
  enabled           = true
  servers           = [%s]
  cpu_total_compute = 100000
  memory_total_mb   = 131072
  min_dynamic_port  = %d
  max_dynamic_port  = %d
  options = {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
  }
}
plugin "raw_exec" {
  config { enabled = true }
}
`
)

// newMember reserves what one agent of a cluster needs.
func newMember(dir, name string, from, to, size int) (*Server, error) {
	s := &Server{Dir: filepath.Join(dir, name), name: "Nomad " + name, deathSignal: syscall.SIGTERM}
	var err error
	if s.block, err = reservePorts(from, to, size, 3); err != nil {
		return nil, err
	}
	s.Addr = "http://" + loopback(s.block.port(0))
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, errors.Join(err, s.discard())
	}
	// The sockets of its plugins go here. Their paths must be short.
	if s.tmp, err = os.MkdirTemp("", "nomad"); err != nil {
		return nil, errors.Join(err, s.discard())
	}
	s.env = append(serverEnv(s.Dir), "TMPDIR="+s.tmp)
	return s, nil
}

// configure writes an agent's configuration, with this in it.
func (s *Server) configure(binary, blocks string) error {
	text := fmt.Sprintf(`
name                 = %[1]q
data_dir             = %[2]q
bind_addr            = "127.0.0.1"
disable_update_check = true
log_level            = "INFO"
limits {
  http_max_conns_per_client = 0
}
ports {
  http = %[3]d
  rpc  = %[4]d
  serf = %[5]d
}
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}
`, filepath.Base(s.Dir), filepath.Join(s.Dir, "data"), s.block.port(0), s.block.port(1), s.block.port(2))
	file := filepath.Join(s.Dir, "agent.hcl")
	s.argv = []string{binary, "agent", "-config=" + file}
	return os.WriteFile(file, []byte(text+blocks), 0o600)
}

// KillLeader kills the server that leads as a crash would, and returns at
// once. The others choose a new leader within seconds.
func (c *NomadCluster) KillLeader(ctx context.Context) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return fmt.Errorf("kill the leader of Nomad: %w", err)
	}
	return leader.Kill()
}

// Follower is the URL of a server that does not lead, so KillLeader spares it.
func (c *NomadCluster) Follower(ctx context.Context) (string, error) {
	leader, err := c.leader(ctx)
	if err != nil {
		return "", fmt.Errorf("find a follower of Nomad's leader: %w", err)
	}
	for _, s := range c.servers {
		if s != leader && s.Pid() != 0 {
			return s.Addr, nil
		}
	}
	return "", errors.New("find a follower of Nomad's leader: no other server runs")
}

// leader waits until there is one.
func (c *NomadCluster) leader(ctx context.Context) (*clusterServer, error) {
	var found *clusterServer
	err := c.poll(ctx, func(ctx context.Context) error {
		for _, asked := range c.servers {
			if asked.Pid() == 0 {
				continue
			}
			rpc, err := leaderOf(ctx, asked.api)
			if err != nil {
				return err
			}
			for _, s := range c.servers {
				if s.rpc == rpc && s.Pid() != 0 {
					found = s
					return nil
				}
			}
		}
		return errors.New("no server leads")
	})
	return found, err
}

func leaderOf(ctx context.Context, client *api.Client) (rpc string, err error) {
	_, err = client.Raw().Query("/v1/status/leader", &rpc, (&api.QueryOptions{AllowStale: true}).WithContext(ctx))
	return rpc, err
}

// Heal starts the servers that were killed, and returns when all have the same
// leader and have learned what it knows.
func (c *NomadCluster) Heal(ctx context.Context) error {
	for _, s := range c.servers {
		if s.Pid() == 0 {
			if err := s.Restart(ctx); err != nil {
				return err
			}
		}
	}
	return c.settled(ctx)
}

// settled waits until the servers agree.
func (c *NomadCluster) settled(ctx context.Context) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	return c.poll(ctx, func(ctx context.Context) error {
		known, err := lastIndex(ctx, leader)
		if err != nil {
			return err
		}
		for _, s := range c.servers {
			rpc, err := leaderOf(ctx, s.api)
			if err == nil && rpc != leader.rpc {
				err = fmt.Errorf("%s follows %q, not %s", s.name, rpc, leader.rpc)
			}
			if err != nil {
				return err
			}
			if index, err := lastIndex(ctx, s); err != nil || index < known {
				return fmt.Errorf("%s is at %d, the leader at %d: %w", s.name, index, known, err)
			}
		}
		return nil
	})
}

// lastIndex is the last entry of a server's log.
func lastIndex(ctx context.Context, s *clusterServer) (uint64, error) {
	var self struct {
		Stats map[string]map[string]string `json:"stats"`
	}
	if _, err := s.api.Raw().Query("/v1/agent/self", &self, (&api.QueryOptions{}).WithContext(ctx)); err != nil {
		return 0, err
	}
	return strconv.ParseUint(self.Stats["raft"]["last_log_index"], 10, 64)
}

// poll asks until there is no error, for at most startTimeout.
func (c *NomadCluster) poll(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		last := ask(bounded)
		cancel()
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", ctx.Err(), last)
		case <-tick.C:
		}
	}
}

// Stop ends all containers and agents, and waits until they are gone.
func (c *NomadCluster) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	// Containers cannot be stopped without a leader.
	return errors.Join(c.Heal(ctx), c.stop())
}

func (c *NomadCluster) stop() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.Stop())
	}
	for _, s := range c.servers {
		errs = append(errs, s.Stop())
	}
	return errors.Join(errs...)
}
