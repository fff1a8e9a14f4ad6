package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A DockerServer is a real Docker daemon. It pulls nothing: its images are
// those that Build makes. Its containers reach each other and this machine,
// under IP, and nothing else.
type DockerServer struct {
	*Server
	// Interface is the device that connects this machine with containers on
	// the default network, IP this machine's address on it.
	Interface, IP string

	api dockerAPI
}

// Docker is a real Docker daemon of this test's own, see StartDocker, stopped
// with all that it runs when the test ends.
func Docker(t testing.TB) *DockerServer {
	t.Helper()
	d, err := StartDocker(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// StartDocker runs a Docker daemon with its data in dir, which must exist. Its
// socket is at Addr, a unix:// URL. It takes root. The daemon has a network
// device of its own and leaves the machine's firewall alone, so it does not
// meet other daemons.
func StartDocker(ctx context.Context, dir string) (*DockerServer, error) {
	d, err := prepareDocker(dir)
	if err != nil {
		return nil, fmt.Errorf("start Docker: %w", err)
	}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.discard())
	}
	return d, nil
}

func prepareDocker(dir string) (_ *DockerServer, err error) {
	binary, err := exec.LookPath("dockerd")
	if err != nil {
		return nil, fmt.Errorf("%w; apt-get install docker.io", err)
	}
	if os.Getuid() != 0 {
		return nil, errors.New("only root can")
	}
	// The block's place among all is the daemon's network: no two have the same.
	const first = 13000
	block, err := reservePorts(first, first+250, 1, 0)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Dir: dir, name: "Docker", block: block,
		// It is asked to end, so that it stops its containers.
		deathSignal: syscall.SIGTERM,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.discard())
		}
	}()
	// The paths of its sockets must be short.
	if s.tmp, err = os.MkdirTemp("", "docker"); err != nil {
		return nil, err
	}
	number := block.base - first
	// These addresses are for trials within one network.
	ip := netip.AddrFrom4([4]byte{198, 18, byte(number), 1})
	name := fmt.Sprintf("hrntest%d", number)
	device, err := newBridge(name, netip.PrefixFrom(ip, 24))
	if err != nil {
		return nil, err
	}
	s.after = func() error { return errors.Join(unmountBelow(s.tmp), device.remove()) }

	socket := filepath.Join(s.tmp, "docker.sock")
	s.Addr = "unix://" + socket
	config := filepath.Join(dir, "daemon.json")
	s.argv = []string{binary, "--config-file=" + config}
	s.env = serverEnv(dir)
	if err := writeDockerConfig(config, s, name); err != nil {
		return nil, err
	}
	d := &DockerServer{Server: s, Interface: name, IP: ip.String(), api: newDockerAPI(socket)}
	s.ready = d.api.ping
	s.drain = d.removeAll
	return d, nil
}

func writeDockerConfig(path string, s *Server, device string) error {
	text, err := json.MarshalIndent(map[string]any{
		"hosts":     []string{s.Addr},
		"data-root": filepath.Join(s.Dir, "data"),
		"exec-root": filepath.Join(s.tmp, "exec"),
		"pidfile":   filepath.Join(s.tmp, "pid"),
		"bridge":    device,
		// Ports are published by processes, not by rules of the firewall.
		"iptables":   false,
		"ip6tables":  false,
		"ip-forward": false,
		"ip-masq":    false,
		"log-level":  "warn",
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// removeAll removes every container, so that nothing is mounted any more.
func (d *DockerServer) removeAll(ctx context.Context) error {
	ids, err := d.Containers(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := d.api.call(ctx, "DELETE", "/containers/"+id+"?force=1&v=1", nil, nil); err != nil {
			return fmt.Errorf("remove container %s: %w", id, err)
		}
	}
	return nil
}

// NomadConfig is the configuration of an agent that runs containers in this
// daemon and whose node has the address IP. Images stay when nothing runs of
// them any more. Folders of the machine can be mounted if volumes is true,
// which is not so by default.
func (d *DockerServer) NomadConfig(volumes bool) string {
	return fmt.Sprintf(`
client {
  network_interface = %q
}
plugin "docker" {
  config {
    endpoint = %q
    volumes { enabled = %t }
    gc { image = false }
  }
}
`, d.Interface, d.Addr, volumes)
}
