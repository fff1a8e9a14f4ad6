package testenv

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// StartPrometheus runs a Prometheus with the text of a configuration file and
// its data in dir, which must exist. It knows Consul and Nomad and no other
// place to find services in. It is built first, unless PROMETHEUS_BIN names
// one; see Tool.
func StartPrometheus(ctx context.Context, dir, config string) (*Server, error) {
	binary, err := Tool(ctx, "prometheus")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("start Prometheus: %w", err)
	}
	block, err := reservePorts(13700, 14000, 2, 1)
	if err != nil {
		return nil, fmt.Errorf("start Prometheus: %w", err)
	}
	listen := loopback(block.port(0))
	s := &Server{
		Addr: "http://" + listen,
		Dir:  dir,
		name: "Prometheus",
		argv: []string{
			binary, "--config.file=" + file, "--web.listen-address=" + listen,
			"--storage.tsdb.path=" + filepath.Join(dir, "data"),
		},
		env:         serverEnv(dir),
		block:       block,
		deathSignal: syscall.SIGKILL,
	}
	s.ready = func(ctx context.Context) error { return isReady(ctx, s.Addr+"/-/ready") }
	if err := s.start(ctx); err != nil {
		_ = s.discard()
		return nil, err
	}
	return s, nil
}

// isReady fails unless a GET of url is answered with 200.
func isReady(ctx context.Context, url string) error {
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
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", url, resp.Status)
	}
	return nil
}
