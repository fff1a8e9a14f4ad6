package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Consul is the URL of a real Consul agent of this test's own, stopped when the
// test ends.
func Consul(t testing.TB) string {
	t.Helper()
	return ownServer(t, StartConsul).Addr
}

// StartConsul runs a Consul development agent, server and client in one, with
// its log in dir, which must exist. It forgets everything over Kill and
// Restart. It serves HTTP only: no DNS, no gRPC. Consul is built first where
// the machine has none; see Tool.
func StartConsul(ctx context.Context, dir string) (*Server, error) {
	binary, err := Tool(ctx, "consul")
	if err != nil {
		return nil, err
	}
	block, err := reservePorts(13300, 13700, 5, 3)
	if err != nil {
		return nil, fmt.Errorf("start Consul: %w", err)
	}
	port := func(i int) string { return strconv.Itoa(block.port(i)) }
	s := &Server{
		Addr: "http://" + loopback(block.port(0)),
		Dir:  dir,
		name: "Consul",
		argv: []string{
			binary, "agent", "-dev", "-node=test", "-bind=127.0.0.1", "-client=127.0.0.1",
			"-http-port=" + port(0), "-server-port=" + port(1), "-serf-lan-port=" + port(2),
			"-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
			"-hcl=disable_update_check = true", "-log-level=info",
		},
		env:         serverEnv(dir),
		block:       block,
		deathSignal: syscall.SIGKILL,
	}
	s.ready = func(ctx context.Context) error { return askConsul(ctx, s.Addr) }
	if err := s.start(ctx); err != nil {
		_ = s.discard()
		return nil, err
	}
	return s, nil
}

// ConsulConfig makes a Nomad agent register services in the Consul at a URL.
func ConsulConfig(addr string) string {
	return fmt.Sprintf("consul {\n  address = %q\n}\n", strings.TrimPrefix(addr, "http://"))
}

// askConsul fails until there is a leader and the agent itself is in the
// catalog, for services are registered below it.
func askConsul(ctx context.Context, addr string) error {
	var nodes []struct{ Node string }
	if err := getJSON(ctx, addr+"/v1/catalog/nodes", &nodes); err != nil {
		return err
	}
	if len(nodes) == 0 {
		return errors.New("the catalog has no node")
	}
	return nil
}

// getJSON reads what a server answers.
func getJSON(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
