package zookeeper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/statemgrtest"
	"github.com/heron-nomad/heron/internal/testenv"
)

func TestGolden(t *testing.T) {
	statemgrtest.Golden(t, "CuratorStateManager", false, func(t *testing.T, root string) (statemgr.Tree, string, statemgrtest.Backend) {
		base := zkFixture(t).Root
		store, real := openWatchedZK(t, base)
		return statemgr.Tree{Store: store, Layout: statemgr.Layout{Root: base + root}}, base, real
	})
}

// zkBackend is a session beside the store's. containers counts the requests
// of the store to make a container node: clients cannot see of a node whether
// it is one.
type zkBackend struct {
	conn       *zk.Conn
	base       string
	containers *atomic.Int64
	given      map[string]string // mode of what was written by hand
}

func openWatchedZK(t *testing.T, base string) (statemgr.Store, statemgrtest.Backend) {
	t.Helper()
	addr := testenv.ZooKeeper(t)
	b := zkBackend{conn: rawZK(t, addr), base: base, containers: new(atomic.Int64), given: map[string]string{}}
	store := openZK(t, Options{Servers: []string{addr}}, func(packet []byte) {
		if binary.BigEndian.Uint32(packet[8:12]) == opCodeCreateContainer {
			b.containers.Add(1)
		}
	})
	return store, b
}

// rawZK is a plain session, as a process of Heron has one.
func rawZK(t testing.TB, addr string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{addr}, 20*time.Second, zk.WithLogger(logger{slog.New(slog.DiscardHandler)}))
	must(t, err)
	t.Cleanup(conn.Close)
	return conn
}

func (b zkBackend) Snapshot(t *testing.T) statemgrtest.State {
	t.Helper()
	got := statemgrtest.State{}
	b.walk(t, b.base, got)
	if n := b.containers.Load(); n != 0 {
		t.Errorf("the store made %d container nodes", n)
	}
	return got
}

func (b zkBackend) walk(t *testing.T, path string, got statemgrtest.State) {
	t.Helper()
	data, stat, err := b.conn.Get(path)
	if errors.Is(err, zk.ErrNoNode) && path == b.base {
		return
	}
	must(t, err)
	acl, _, err := b.conn.GetACL(path)
	must(t, err)
	rel := strings.TrimPrefix(path, b.base)
	mode := "persistent"
	switch {
	case b.given[rel] != "":
		mode = b.given[rel]
	case stat.EphemeralOwner != 0:
		mode = "ephemeral"
	}
	if rel != "" {
		var text []string
		for _, a := range acl {
			text = append(text, fmt.Sprintf("%s:%s:%d", a.Scheme, a.ID, a.Perms))
		}
		got[rel] = statemgrtest.Node{Data: data, Mode: mode, Version: int(stat.Version), ACL: strings.Join(text, ",")}
	}
	names, _, err := b.conn.Children(path)
	must(t, err)
	for _, name := range names {
		b.walk(t, path+"/"+name, got)
	}
}

func (b zkBackend) Write(t *testing.T, path string, n *statemgrtest.Node) {
	t.Helper()
	rel := strings.TrimPrefix(path, b.base)
	if n == nil {
		delete(b.given, rel)
		must(t, b.conn.Delete(path, -1))
		return
	}
	var err error
	switch n.Mode {
	case "container":
		b.given[rel] = "container"
		_, err = b.conn.CreateContainer(path, n.Data, zk.FlagContainer, zk.WorldACL(zk.PermAll))
	case "ephemeral":
		_, err = b.conn.Create(path, n.Data, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	default:
		_, err = b.conn.Create(path, n.Data, zk.FlagPersistent, zk.WorldACL(zk.PermAll))
	}
	must(t, err)
}
