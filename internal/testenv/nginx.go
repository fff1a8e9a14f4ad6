package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// NginxOptions say what an nginx does with what it is asked.
type NginxOptions struct {
	// Server is put into its one server block, as location blocks and
	// client_max_body_size; HTTP before that block, as limit_req_zone.
	Server, HTTP string
	// Authority, where set, has it speak TLS with a certificate for 127.0.0.1.
	Authority *Authority
}

// RunNginx runs an nginx until the test ends. Its address is a URL.
func RunNginx(t testing.TB, opts NginxOptions) *Server {
	t.Helper()
	return ownServer(t, func(ctx context.Context, dir string) (*Server, error) { return StartNginx(ctx, dir, opts) })
}

// StartNginx runs an nginx with its configuration and temporary files in dir,
// which must exist.
func StartNginx(ctx context.Context, dir string, opts NginxOptions) (*Server, error) {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return nil, fmt.Errorf("find nginx: %w; apt-get install nginx-light", err)
		}
	}
	block, err := reservePorts(12000, 13300, 2, 1)
	if err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	addr := loopback(block.port(0))
	if err := writeNginxConfig(dir, addr, opts); err != nil {
		block.release()
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	scheme := "http://"
	if opts.Authority != nil {
		scheme = "https://"
	}
	s := &Server{
		Addr: scheme + addr,
		Dir:  dir,
		name: "nginx",
		argv: []string{binary, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "log")},
		env:  serverEnv(dir), block: block,
		ready:       func(ctx context.Context) error { return reachable(ctx, addr) },
		deathSignal: syscall.SIGKILL,
	}
	if err := s.start(ctx); err != nil {
		_ = s.discard()
		return nil, err
	}
	return s, nil
}

func writeNginxConfig(dir, addr string, opts NginxOptions) error {
	listen := addr
	if opts.Authority != nil {
		pair, err := opts.Authority.Issue("nginx", "127.0.0.1")
		if err != nil {
			return err
		}
		listen += fmt.Sprintf(" ssl;\n    ssl_certificate %s;\n    ssl_certificate_key %s", pair.CertFile, pair.KeyFile)
	}
	// One process, so that its id is the one that is stopped.
	config := fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/nginx.pid;
events {}
http {
  access_log %[1]s/access.log;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  scgi_temp_path %[1]s/scgi;
  uwsgi_temp_path %[1]s/uwsgi;
  %[2]s
  server {
    listen %[3]s;
    %[4]s
  }
}
`, dir, opts.HTTP, listen, opts.Server)
	return os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600)
}
