package scp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// usual is what OpenSSH's server allows where nothing is configured, strict
// drops every log-in but two.
const (
	usual  = "MaxStartups 10:30:100"
	strict = "MaxStartups 2:100:2"
)

// limited is a server that allows so many log-ins under way. Of this option the
// last line counts, not the first.
func limited(t *testing.T, o testenv.SSHOptions, limit string) *testenv.SSHServer {
	t.Helper()
	o.SFTP = "internal-sftp\n" + limit
	return testenv.SSHD(t, atHome(t, o))
}

// slowly is the address of a server at the end of a slow line, so that log-ins
// take their time and meet.
func slowly(t *testing.T, s *testenv.SSHServer) (host, port string) {
	t.Helper()
	proxy := testenv.Proxy(t, s.Addr)
	proxy.Slow(20 * time.Millisecond)
	host, port, err := net.SplitHostPort(proxy.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// configure writes the files of SSH for a home.
func configure(t *testing.T, home, config, known string) {
	t.Helper()
	folder := filepath.Join(home, ".ssh")
	old, err := os.ReadFile(filepath.Join(folder, "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(folder, "config"), []byte(config), 0o600),
		os.WriteFile(filepath.Join(folder, "known_hosts"), append(old, known...), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// Many nodes behind one jump host.
func TestManyNodesBehindOneJumpHost(t *testing.T) {
	t.Parallel()
	uploadertest.NeedRoot(t, "to give each host its own files")
	const many = 20
	h := &sshHosts{private: t.TempDir()}
	port := testenv.Ports(t, 1)[0]
	var nodes []uploader.Node
	for i := range many {
		o := testenv.SSHOptions{Host: fmt.Sprintf("127.0.0.%d", i+2), Port: port, Private: h.private}
		h.servers = append(h.servers, limited(t, o, usual))
		nodes = append(nodes, uploader.Node{ID: fmt.Sprint(i), Address: o.Host, Eligible: true})
	}
	for _, limit := range []string{usual, strict} {
		jump := limited(t, testenv.SSHOptions{Host: "127.0.1.1"}, limit)
		h.home = testenv.SSHHome(t, append(h.servers, jump)...)
		host, port := slowly(t, jump)
		configure(t, h.home, fmt.Sprintf("Host bastion\n HostName %s\n Port %s\n User %s\n HostKeyAlias bastion\nHost 127.0.0.*\n ProxyJump bastion\n", host, port, jump.User),
			"bastion "+jump.HostKey(t)+"\n")
		useAll(t, h, on(t, h, []string{"nomad"}, nodes, h.home))
	}
}

// Many nodes that are one SSH server, as in containers of one machine.
func TestManyNodesOfOneServer(t *testing.T) {
	t.Parallel()
	const many = 20
	server := limited(t, testenv.SSHOptions{}, usual)
	h := &sshHosts{private: t.TempDir(), servers: []*testenv.SSHServer{server}}
	h.home = testenv.SSHHome(t, server)
	var nodes []uploader.Node
	for i := range many {
		nodes = append(nodes, uploader.Node{ID: fmt.Sprint(i), Address: fmt.Sprintf("node-%d", i), Eligible: true})
	}
	host, port := slowly(t, server)
	configure(t, h.home, fmt.Sprintf("Host node-*\n HostName %s\n Port %s\n HostKeyAlias server\n", host, port), "server "+server.HostKey(t)+"\n")
	settings := h.settings(filepath.Join(h.private, "packages"))
	settings.SCP.Hosts, settings.SCP.Options, settings.SCP.SSHOptions = []string{"nomad"}, "", ""
	u, err := New(settings, uploader.Options{Home: h.home, Nodes: func(context.Context) ([]uploader.Node, error) { return nodes, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := u.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// useAll goes through all that an uploader does.
func useAll(t *testing.T, h *sshHosts, u uploader.Uploader) {
	t.Helper()
	if err := u.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	src, _ := uploadertest.Source(uploadertest.Folder, 10)
	where, err := u.Upload(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	if len(where.Nodes) != len(h.servers) {
		t.Errorf("it is on %d nodes of %d", len(where.Nodes), len(h.servers))
	}
	listed := 0
	for _, err := range u.List(t.Context(), uploadertest.Folder) {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	if listed != 1 {
		t.Errorf("%d packages are listed", listed)
	}
	if err := u.Delete(t.Context(), where.URI); err != nil {
		t.Fatal(err)
	}
	for _, name := range h.left(t) {
		if !strings.HasSuffix(name, ":/packages") {
			t.Errorf("left is %s", name)
		}
	}
}
