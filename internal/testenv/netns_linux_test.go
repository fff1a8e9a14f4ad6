package testenv

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPrivateNetIsReachedFromInsideOnly(t *testing.T) {
	n := NewPrivateNet(t, "zookeeper.inside", "nomad.inside")
	server := n.ZooKeeper(t)
	if host, _, err := net.SplitHostPort(server.Addr); err != nil || host != n.IP {
		t.Fatalf("the server is at %s, not at %s", server.Addr, n.IP)
	}
	if err := askZooKeeper(t.Context(), n.place(), server.Addr); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", server.Addr)
	if err == nil {
		conn.Close()
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("from here: %v, want silence", err)
	}
	for _, c := range []struct {
		wrap func([]string) []string
		want bool
	}{{n.NamedCommand, true}, {n.Command, false}} {
		argv := c.wrap([]string{"getent", "hosts", "zookeeper.inside"})
		out, err := exec.Command(argv[0], argv[1:]...).Output()
		if known := err == nil && strings.HasPrefix(string(out), n.IP+" "); known != c.want {
			t.Errorf("%v: %q, %v", argv, out, err)
		}
	}
}

func TestPrivateNetLeavesNothing(t *testing.T) {
	var n *PrivateNet
	t.Run("life", func(t *testing.T) { n = NewPrivateNet(t, "a.inside") })
	if n == nil {
		t.Skip("there was none")
	}
	for _, path := range []string{filepath.Join(namespaces, n.Name), filepath.Join(perNamespace, n.Name)} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	if _, err := net.InterfaceByName(n.hole()); err == nil {
		t.Errorf("device %s is left", n.hole())
	}
}
