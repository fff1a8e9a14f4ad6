package statemgr

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
)

// TestMain gives all tests of the package one ZooKeeper, unless they are told
// to use another.
func TestMain(m *testing.M) {
	code, err := withZooKeeper(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withZooKeeper(m *testing.M) (code int, err error) {
	const env = "HERON_TEST_ZOOKEEPER"
	if os.Getenv(env) != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "statemgr-zookeeper-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	server, err := testenv.StartZooKeeper(context.Background(), dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if err := os.Setenv(env, server.Addr); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// fixture is one kind of store, and a root of the test's own in it.
type fixture struct {
	root string
	// open opens the same tree again.
	open func(t testing.TB) Store
	// limit is the largest transaction in bytes, 0 for none.
	limit int
}

func (f fixture) layout() Layout { return Layout{Root: f.root} }

// dirs opens the store and makes the directories.
func (f fixture) dirs(t testing.TB) Store {
	t.Helper()
	s := f.open(t)
	must(t, s.EnsureDirs(t.Context(), f.layout().Dirs()...))
	return s
}

func zkFixture(t testing.TB) fixture {
	f := fixture{root: "/test-" + rand.Text(), limit: defaultMaxRequest}
	addr := testenv.ZooKeeper(t)
	f.open = func(t testing.TB) Store { return openZK(t, ZooKeeperOptions{Servers: []string{addr}}, nil) }
	t.Cleanup(func() { removeTree(t, addr, f.root) })
	return f
}

// openZK fills in generous times and closes the store when the test ends.
func openZK(t testing.TB, o ZooKeeperOptions, watch func([]byte)) *zkStore {
	t.Helper()
	o.SessionTimeout = positive(o.SessionTimeout, 20*time.Second)
	o.ConnectTimeout = positive(o.ConnectTimeout, 60*time.Second)
	s, err := openZooKeeper(t.Context(), o, watch)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func removeTree(t testing.TB, addr, root string) {
	ctx := context.Background()
	s, err := OpenZooKeeper(ctx, ZooKeeperOptions{Servers: []string{addr}})
	must(t, err)
	defer s.Close()
	for try := 0; ; try++ {
		if _, err := s.Read(ctx, root); errors.Is(err, ErrNotFound) {
			return
		}
		ops, err := deleteTree(ctx, s, root)
		must(t, err)
		if err := s.Apply(ctx, ops...); err == nil {
			return
		} else if try == 100 {
			t.Errorf("remove %s: %v", root, err)
			return
		}
	}
}

func localFixture(t testing.TB) fixture {
	f := fixture{root: t.TempDir() + "/state"}
	f.open = func(t testing.TB) Store { return openDir(t, f.root) }
	return f
}

func openDir(t testing.TB, root string) *localStore {
	t.Helper()
	s, err := openLocal(root)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErr checks the sentinel and, unless path is "", which operation was
// refused.
func wantErr(t testing.TB, err, want error, path string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
	var refused *TxError
	switch {
	case path == "":
	case !errors.As(err, &refused):
		t.Fatalf("error %v does not say which operation was refused", err)
	case refused.Op.Path != path:
		t.Fatalf("error %v names %s, want %s", err, refused.Op.Path, path)
	}
}

// wantNode checks the data and the version of a node; version -1 for any.
func wantNode(t testing.TB, s Store, path, data string, version int) Node {
	t.Helper()
	n, err := s.Read(t.Context(), path)
	must(t, err)
	if string(n.Data) != data {
		t.Fatalf("%s holds %.40q, want %.40q", path, n.Data, data)
	}
	if version >= 0 && n.Version != version {
		t.Fatalf("%s has version %d, want %d", path, n.Version, version)
	}
	return n
}

func wantGone(t testing.TB, s Store, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if n, err := s.Read(t.Context(), p); !errors.Is(err, ErrNotFound) {
			t.Fatalf("%s should not exist: read gives %v, %v", p, n, err)
		}
	}
}
