package statemgr

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
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
	dir, err := os.MkdirTemp("", "statemgr-zookeeper-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	secure.dir = filepath.Join(dir, "secure")
	defer func() { err = errors.Join(err, secure.stop()) }()
	const env = "HERON_TEST_ZOOKEEPER"
	if os.Getenv(env) != "" {
		return m.Run(), nil
	}
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

// secure is one ZooKeeper with TLS for all tests, begun by the first that
// needs it.
var secure lazySecure

type lazySecure struct {
	mu     sync.Mutex
	dir    string
	server *testenv.SecureZooKeeper
}

func (l *lazySecure) get(t testing.TB) *testenv.SecureZooKeeper {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == nil {
		must(t, os.Mkdir(l.dir, 0o700))
		s, err := testenv.StartSecureZooKeeper(context.Background(), l.dir, testenv.SecureZooKeeperOptions{})
		must(t, err)
		l.server = s
	}
	return l.server
}

func (l *lazySecure) stop() error {
	if l.server == nil {
		return nil
	}
	return l.server.Stop()
}

// fixture is one kind of store, and a root of the test's own in it.
type fixture struct {
	root string
	// open opens the same tree again.
	open func(t testing.TB) Store
	// limit is the largest transaction in bytes, 0 for none.
	limit int
	// access is how ZooKeeper is entered.
	access conf.ZooKeeperAccess
	addr   string
}

// acls are those of new nodes in ZooKeeper.
func (f fixture) acls() zkACLs { return newZKACLs(f.access.ACL, f.layout()) }

func (f fixture) layout() Layout { return Layout{Root: f.root} }

// dirs opens the store and makes the directories.
func (f fixture) dirs(t testing.TB) Store {
	t.Helper()
	s := f.open(t)
	must(t, s.EnsureDirs(t.Context(), f.layout().Dirs()...))
	return s
}

func zkFixture(t testing.TB) fixture {
	return serverFixture(t, testenv.ZooKeeper(t), conf.ZooKeeperAccess{})
}

// serverFixture is a root in the ZooKeeper at addr, entered with access.
func serverFixture(t testing.TB, addr string, access conf.ZooKeeperAccess) fixture {
	f := fixture{root: "/test-" + rand.Text(), limit: defaultMaxRequest, access: access, addr: addr}
	f = f.entered(func(*conf.ZooKeeperAccess) {})
	t.Cleanup(func() { removeTree(t, f.options(t, ZooKeeperOptions{})) })
	return f
}

// entered is the same root, entered in another way.
func (f fixture) entered(change func(*conf.ZooKeeperAccess)) fixture {
	change(&f.access)
	f.open = func(t testing.TB) Store { return f.openZK(t, ZooKeeperOptions{}) }
	return f
}

// options completes o by what the fixture's server needs, and by generous
// times.
func (f fixture) options(t testing.TB, o ZooKeeperOptions) ZooKeeperOptions {
	var err error
	o.TLS, err = newTLSConfig(f.access.TLS)
	must(t, err)
	if len(o.Servers) == 0 {
		o.Servers = []string{f.addr}
	}
	o.Digest, o.DigestFrom, o.ACL, o.Root = f.access.Digest, f.access.DigestFrom, f.access.ACL, f.root
	o.SessionTimeout = positive(o.SessionTimeout, 20*time.Second)
	o.ConnectTimeout = positive(o.ConnectTimeout, 60*time.Second)
	return o
}

// openZK opens the fixture's tree with other options.
func (f fixture) openZK(t testing.TB, o ZooKeeperOptions) *zkStore {
	t.Helper()
	return openZK(t, f.options(t, o), nil)
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

func removeTree(t testing.TB, o ZooKeeperOptions) {
	ctx := context.Background()
	s, err := OpenZooKeeper(ctx, o)
	must(t, err)
	defer s.Close()
	for try := 0; ; try++ {
		if _, err := s.Read(ctx, o.Root); errors.Is(err, ErrNotFound) {
			return
		}
		ops, err := deleteTree(ctx, s, o.Root)
		must(t, err)
		if err := s.Apply(ctx, ops...); err == nil {
			return
		} else if try == 100 {
			t.Errorf("remove %s: %v", o.Root, err)
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
