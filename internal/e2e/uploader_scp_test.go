package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// sshCluster is a cluster whose packages go to its one node by SSH.
type sshCluster struct {
	*cluster
	server *testenv.SSHServer
	ssh    string // the user's .ssh
}

// newSSHCluster is for a server on the node's address.
func newSSHCluster(t *testing.T, o testenv.SSHOptions) *sshCluster {
	t.Helper()
	c := newCluster(t)
	if o.Disk != "" {
		if err := os.Mkdir(c.packages, 0o755); err != nil {
			t.Fatal(err)
		}
		o.Private = c.packages
	}
	server := testenv.SSHD(t, o)
	home := testenv.SSHHome(t, server)
	c.env = append(c.env, "HOME="+home)
	delete(c.properties, "heron.uploader.localfs.file.system.directory")
	for key, value := range map[string]string{
		"heron.class.uploader":                  "org.apache.heron.uploader.scp.ScpUploader",
		"heron.uploader.scp.command.options":    "-P " + server.Port,
		"heron.uploader.ssh.command.options":    "-p " + server.Port,
		"heron.uploader.scp.command.connection": server.User + "@nomad",
		"heron.uploader.scp.dir.path":           c.packages,
		"heron.uploader.retry.count":            "0",
	} {
		c.properties[key] = value
	}
	return &sshCluster{cluster: c, server: server, ssh: filepath.Join(home, ".ssh")}
}

// nodeID is the id of the cluster's one node.
func (s *sshCluster) nodeID() string {
	s.t.Helper()
	nodes, _, err := s.api().Nodes().List(nil)
	if err != nil || len(nodes) != 1 {
		s.t.Fatalf("nodes are %v, %v", nodes, err)
	}
	return nodes[0].ID
}

func TestSubmitWithSCP(t *testing.T) {
	t.Parallel()
	for label, target := range map[string]string{"every node": "nomad", "host": "127.0.0.1", "name": "localhost", "alias": "box"} {
		t.Run(label, func(t *testing.T) {
			s := newSSHCluster(t, testenv.SSHOptions{})
			s.properties["heron.uploader.scp.command.connection"] = s.server.User + "@" + target
			known, err := os.ReadFile(filepath.Join(s.ssh, "known_hosts"))
			if err != nil {
				t.Fatal(err)
			}
			s.put("known_hosts", string(known)+strings.ReplaceAll(string(known), "[127.0.0.1]", "[localhost]"))
			s.put("config", "Host box\n HostName 127.0.0.1\n")

			s.want(s.plan(nil, "--stmgrs", "2"), 0, "it fits on the cluster now")
			s.nothingLeft()
			r := s.submit("--wait")
			s.want(r, 0, "topology "+s.topology+" runs at")
			job := s.job()
			var constraint string
			for _, c := range job.Constraints {
				if c.LTarget == "${node.unique.id}" {
					constraint = c.Operand + " " + c.RTarget
				}
			}
			if want := "set_contains_any " + s.nodeID(); constraint != want {
				t.Errorf("the job's nodes are %q, want %q", constraint, want)
			}
			if files := s.files(s.packages); !slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, ".tar.gz") }) {
				t.Errorf("files are %q", files)
			}
			s.want(s.plan(nil, "--stmgrs", "2"), 0, "runs as it would be submitted")
			s.want(s.kill(), 0)
			s.nothingLeft()
		})
	}
}

// put writes a file into the user's .ssh.
func (s *sshCluster) put(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.ssh, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestSCPThatFails(t *testing.T) {
	t.Parallel()
	for label, c := range map[string]struct {
		spoil func(*sshCluster)
		code  int
		says  []string
	}{
		"unknown host key": {func(s *sshCluster) { s.put("known_hosts", "") }, 1, []string{"not known", "SHA256:", "ssh-keyscan -p "}},
		"changed host key": {func(s *sshCluster) {
			s.put("known_hosts", s.server.KnownName()+" "+testenv.SSHKey(s.t, filepath.Join(s.t.TempDir(), "other"))+"\n")
		}, 1, []string{"known_hosts:1", "ssh-keygen -R '[127.0.0.1]:"}},
		"refused identity": {func(s *sshCluster) { testenv.SSHKey(s.t, filepath.Join(s.ssh, "id_ed25519")) }, 1, []string{"refused", "id_ed25519", "authorized_keys"}},
		"unreachable": {func(s *sshCluster) {
			if err := s.server.Kill(); err != nil {
				s.t.Fatal(err)
			}
		}, 6, []string{"unreachable", "127.0.0.1"}},
		"no node of the cluster": {func(s *sshCluster) {
			s.properties["heron.uploader.scp.command.connection"] = "192.0.2.1"
		}, 1, []string{"192.0.2.1 is no node of the cluster", "127.0.0.1"}},
		"options that are not understood": {func(s *sshCluster) {
			s.properties["heron.uploader.scp.command.options"] = "-o StrictHostKeyChecking=no"
		}, 2, []string{"always checked"}},
	} {
		t.Run(label, func(t *testing.T) {
			s := newSSHCluster(t, testenv.SSHOptions{})
			c.spoil(s)
			s.want(s.submit(), c.code, c.says...)
			s.nothingLeft()
		})
	}
	t.Run("full disk", func(t *testing.T) {
		if os.Geteuid() != 0 {
			if os.Getenv("CI") == "true" {
				t.Fatal("this test needs root, to mount a file system that is small")
			}
			t.Skip("only root can mount a file system that is small")
		}
		s := newSSHCluster(t, testenv.SSHOptions{Disk: "size=64k"})
		s.want(s.submit(), 7, "cannot store packages there", "bytes free of the", "on "+s.server.User+"@127.0.0.1")
		s.nothingLeft()
	})
}
