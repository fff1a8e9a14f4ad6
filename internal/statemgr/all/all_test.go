package all

import (
	"errors"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
)

func TestOpen(t *testing.T) {
	server := testenv.RunSecureZooKeeper(t, testenv.SecureZooKeeperOptions{})
	open := conf.State{Kind: "zookeeper", Servers: []string{server.Addr}, Root: "/test"}
	secure := conf.State{
		Kind: "zookeeper", ClientServers: []string{server.TLSAddr}, Servers: []string{"executors-only.invalid:2181"}, Root: "/secure",
		ZooKeeper: conf.ZooKeeperAccess{
			Digest: "ann:sesame", DigestFrom: "the test", TLS: &conf.ZooKeeperTLS{CACert: server.Authority.CertFile},
			ACL: conf.ZooKeeperACL{Entries: []conf.ACLEntry{{Scheme: "auth", Perms: "cdrwa"}}},
		},
	}
	for _, c := range []conf.State{{Kind: "localfs", Connection: "LOCALMODE", Root: t.TempDir()}, open, secure} {
		tree, err := Open(t.Context(), c, nil)
		must(t, err)
		defer tree.Close()
		must(t, tree.EnsureDirs(t.Context(), tree.Dirs()...))
		if names, err := tree.Children(t.Context(), c.Root+"/topologies"); err != nil || len(names) > 0 {
			t.Errorf("%s: %v, %v", c.Root, names, err)
		}
	}
	// What the settings keep for one user is closed to others.
	stranger := open
	stranger.Root = "/secure"
	tree, err := Open(t.Context(), stranger, nil)
	must(t, err)
	defer tree.Close()
	if _, err := tree.Read(t.Context(), "/secure"); !errors.Is(err, statemgr.ErrDenied) {
		t.Errorf("a stranger reads: %v", err)
	}
}

func TestOpenRefusesSettings(t *testing.T) {
	for _, c := range []conf.State{
		{Kind: "etcd", Root: "/x"}, {Kind: "localfs"}, {Kind: "zookeeper", Root: "/x"},
		{Kind: "zookeeper", Root: "/x", Servers: []string{"x:1"}, ZooKeeper: conf.ZooKeeperAccess{TLS: &conf.ZooKeeperTLS{CACert: "/missing"}}},
	} {
		var invalid *statemgr.InvalidError
		if tree, err := Open(t.Context(), c, nil); !errors.As(err, &invalid) || tree.Store != nil {
			t.Errorf("%+v: %v, %v", c, tree, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
