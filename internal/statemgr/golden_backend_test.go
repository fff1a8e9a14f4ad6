package statemgr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/testenv"
)

func keys(m map[string]*vectorNode) []string { return slices.Collect(maps.Keys(m)) }

// inOrder sorts changes so that parents are made first and removed last.
func inOrder(t *testing.T, changes map[string]*vectorNode) []string {
	t.Helper()
	var made, removed []string
	for p, n := range changes {
		if n == nil {
			removed = append(removed, p)
		} else {
			made = append(made, p)
		}
	}
	slices.Sort(made)
	slices.Sort(removed)
	slices.Reverse(removed)
	return append(made, removed...)
}

// dirBackend is a folder. The folder of the store's own is not part of the
// tree.
type dirBackend struct{ base, root string }

func (b dirBackend) snapshot(t *testing.T) tree {
	t.Helper()
	got := tree{}
	err := filepath.WalkDir(b.base, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == b.base:
			return nil
		case err != nil:
			return err
		case path == b.root+"/"+hiddenDir:
			return filepath.SkipDir
		}
		rel := strings.TrimPrefix(path, b.base)
		if rel == "" {
			rel = "/"
		}
		n := vectorNode{Dir: d.IsDir()}
		if !n.Dir {
			if n.Data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		got[rel] = n
		return nil
	})
	must(t, err)
	return got
}

func (b dirBackend) write(t *testing.T, path string, n *vectorNode) {
	t.Helper()
	switch {
	case n == nil:
		must(t, os.Remove(path))
	case n.Dir:
		must(t, os.MkdirAll(path, 0o777))
	default:
		must(t, os.WriteFile(path, n.Data, 0o666))
	}
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

func openWatchedZK(t *testing.T, base string) (Store, backend) {
	t.Helper()
	addr := testenv.ZooKeeper(t)
	b := zkBackend{conn: rawZK(t, addr), base: base, containers: new(atomic.Int64), given: map[string]string{}}
	store := openZK(t, ZooKeeperOptions{Servers: []string{addr}}, func(packet []byte) {
		if binary.BigEndian.Uint32(packet[8:12]) == opCodeCreateContainer {
			b.containers.Add(1)
		}
	})
	return store, b
}

// rawZK is a plain session, as a process of Heron has one.
func rawZK(t testing.TB, addr string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{addr}, 20*time.Second, zk.WithLogger(zkLogger{slog.New(slog.DiscardHandler)}))
	must(t, err)
	t.Cleanup(conn.Close)
	return conn
}

func (b zkBackend) snapshot(t *testing.T) tree {
	t.Helper()
	got := tree{}
	b.walk(t, b.base, got)
	if n := b.containers.Load(); n != 0 {
		t.Errorf("the store made %d container nodes", n)
	}
	return got
}

func (b zkBackend) walk(t *testing.T, path string, got tree) {
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
		got[rel] = vectorNode{Data: data, Mode: mode, Version: int(stat.Version), ACL: strings.Join(text, ",")}
	}
	names, _, err := b.conn.Children(path)
	must(t, err)
	for _, name := range names {
		b.walk(t, path+"/"+name, got)
	}
}

func (b zkBackend) write(t *testing.T, path string, n *vectorNode) {
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
