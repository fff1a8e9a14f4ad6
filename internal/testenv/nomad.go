package testenv

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Nomad is the URL of a real Nomad agent, server and client in one, that runs
// raw_exec: the one that HERON_TEST_NOMAD names, which other tests use at the
// same time, else one of this test's own, stopped with all that it runs when
// the test ends.
func Nomad(t testing.TB) string {
	t.Helper()
	if addr := os.Getenv("HERON_TEST_NOMAD"); addr != "" {
		return addr
	}
	return ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		return StartNomad(ctx, dir, NomadOptions{})
	}).Addr
}

// NomadOptions change how an agent is run. The zero value is what tests use.
type NomadOptions struct {
	// Durable keeps jobs over Kill and Restart. A development agent, the
	// default, starts faster and forgets them.
	Durable bool
	// Driver is what the node must be ready to run; raw_exec if empty.
	Driver string
	// Config is configuration in HCL, merged over ours.
	Config string
	// Env are more variables for the agent, NAME=value each; see serverEnv for
	// the others.
	Env []string

	// secure, if set, is what clients need to talk to the agent.
	secure *SecureNomad
	// where is nil for loopback.
	where *place
}

// site is where the agent runs.
func (o NomadOptions) site() place {
	if o.where == nil {
		return onLoopback()
	}
	return *o.where
}

// StartNomad runs a Nomad agent with its data in dir, which must exist, and
// returns when its node takes work. It builds Nomad first where the machine
// has none; see Tool.
func StartNomad(ctx context.Context, dir string, opts NomadOptions) (*Server, error) {
	binary, err := Tool(ctx, "nomad")
	if err != nil {
		return nil, err
	}
	block, err := reservePorts(20000, 32000, 500, 3)
	if err != nil {
		return nil, fmt.Errorf("start Nomad: %w", err)
	}
	argv, err := writeNomadConfig(dir, binary, block, opts)
	if err != nil {
		block.release()
		return nil, fmt.Errorf("start Nomad: %w", err)
	}
	// The sockets of its plugins go here. Their paths must be short.
	tmp, err := os.MkdirTemp("", "nomad")
	if err != nil {
		block.release()
		return nil, fmt.Errorf("start Nomad: %w", err)
	}
	s := &Server{
		Addr:  "http://" + net.JoinHostPort(opts.site().host, strconv.Itoa(block.port(0))),
		Dir:   dir,
		name:  "Nomad",
		argv:  opts.site().wrap(argv),
		env:   append(append(serverEnv(dir), "TMPDIR="+tmp), opts.Env...),
		block: block,
		tmp:   tmp,
		// A development agent that is asked to end stops its tasks first.
		deathSignal: syscall.SIGTERM,
	}
	client, err := opts.client(s)
	if err != nil {
		_ = s.discard()
		return nil, fmt.Errorf("start Nomad: %w", err)
	}
	s.ready = func(ctx context.Context) error {
		if opts.secure != nil {
			if err := opts.secure.bootstrap(ctx); err != nil {
				return err
			}
		}
		return nodeReady(ctx, client, cmp.Or(opts.Driver, "raw_exec"))
	}
	s.drain = func(ctx context.Context) error { return stopJobs(ctx, client) }
	if err := s.start(ctx); err != nil {
		_ = s.discard()
		return nil, err
	}
	return s, nil
}

// client may do everything. It sets the server's address to what it uses.
func (o NomadOptions) client(s *Server) (*api.Client, error) {
	if o.secure == nil {
		transport := &http.Transport{DialContext: o.site().dial, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}
		return api.NewClient(&api.Config{Address: s.Addr, HttpClient: &http.Client{Transport: transport}})
	}
	s.Addr = strings.Replace(s.Addr, "http:", "https:", 1)
	if err := o.secure.connect(s.Addr); err != nil {
		return nil, err
	}
	return o.secure.API, nil
}

// writeNomadConfig returns the command that runs an agent with it. The node's
// processor and memory are made up, for they only count what is promised to
// tasks, and a test must not depend on the size of the machine. Agents on one
// machine know nothing of each other's tasks, so each gives out other ports.
func writeNomadConfig(dir, binary string, block *portBlock, opts NomadOptions) ([]string, error) {
	text := fmt.Sprintf(`
data_dir             = %[1]q
bind_addr            = %[2]q
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
  http = %[2]q
  rpc  = %[2]q
  serf = %[2]q
}
server {
  enabled          = true
  bootstrap_expect = 1
}
client {
  enabled           = true
  cpu_total_compute = 100000
  memory_total_mb   = 131072
  min_dynamic_port  = %[6]d
  max_dynamic_port  = %[7]d
  options = {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
  }
}
plugin "raw_exec" {
  config { enabled = true }
}
`, filepath.Join(dir, "data"), opts.site().host,
		block.port(0), block.port(1), block.port(2), block.port(3), block.last())
	if err := os.WriteFile(filepath.Join(dir, "agent.hcl"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	argv := []string{binary, "agent", "-config=" + filepath.Join(dir, "agent.hcl")}
	if !opts.Durable {
		argv = append(argv, "-dev")
	}
	if opts.Config != "" {
		more := filepath.Join(dir, "more.hcl")
		if err := os.WriteFile(more, []byte(opts.Config), 0o600); err != nil {
			return nil, err
		}
		argv = append(argv, "-config="+more)
	}
	return argv, nil
}

// nodeReady fails until there is a leader and a node that takes work for a
// driver.
func nodeReady(ctx context.Context, client *api.Client, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	query := (&api.QueryOptions{}).WithContext(ctx)
	nodes, _, err := client.Nodes().List(query)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		driver := node.Drivers[name]
		if node.Status == api.NodeStatusReady && node.SchedulingEligibility == api.NodeSchedulingEligible &&
			driver != nil && driver.Detected && driver.Healthy {
			return nil
		}
	}
	return fmt.Errorf("no node is ready to run %s", name)
}

// stopJobs purges every job and waits until no allocation runs.
func stopJobs(ctx context.Context, client *api.Client) error {
	query := func() *api.QueryOptions { return (&api.QueryOptions{Namespace: "*"}).WithContext(ctx) }
	jobs, _, err := client.Jobs().List(query())
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	for _, job := range jobs {
		write := (&api.WriteOptions{Namespace: job.Namespace}).WithContext(ctx)
		if _, _, err := client.Jobs().Deregister(job.ID, true, write); err != nil {
			return fmt.Errorf("stop job %s: %w", job.ID, err)
		}
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		allocs, _, err := client.Allocations().List(query())
		if err != nil {
			return fmt.Errorf("list allocations: %w", err)
		}
		running := 0
		for _, alloc := range allocs {
			switch alloc.ClientStatus {
			case api.AllocClientStatusPending, api.AllocClientStatusRunning:
				running++
			}
		}
		if running == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d allocations still run: %w", running, ctx.Err())
		case <-tick.C:
		}
	}
}
