package zookeeper

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

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/statemgrtest"
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
	dir, err := os.MkdirTemp("", "zookeeper-")
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

var (
	must     = statemgrtest.Must
	wantErr  = statemgrtest.WantErr
	wantNode = statemgrtest.WantNode
	wantGone = statemgrtest.WantGone
)

// fixture is a root of the test's own, and how to log in.
type fixture struct {
	statemgrtest.Fixture
	access conf.ZooKeeperAccess
	addr   string
}

// plain returns a way of making fixtures for the suite.
func plain(make func(testing.TB) fixture) func(testing.TB) statemgrtest.Fixture {
	return func(t testing.TB) statemgrtest.Fixture { return make(t).Fixture }
}

func zkFixture(t testing.TB) fixture {
	return serverFixture(t, testenv.ZooKeeper(t), conf.ZooKeeperAccess{})
}

// serverFixture is a root in the ZooKeeper at addr, entered with access.
func serverFixture(t testing.TB, addr string, access conf.ZooKeeperAccess) fixture {
	f := fixture{access: access, addr: addr}
	f.Root = "/test-" + rand.Text()
	f.Env = []string{helperAddr + "=" + addr}
	f = f.entered(func(*conf.ZooKeeperAccess) {})
	t.Cleanup(func() { removeTree(t, f.options(t, Options{})) })
	return f
}

// entered is the same root, entered in another way.
func (f fixture) entered(change func(*conf.ZooKeeperAccess)) fixture {
	change(&f.access)
	f.Open = func(t testing.TB) statemgr.Store { return f.openZK(t, Options{}) }
	return f
}

// options completes o by what the fixture's server needs, and by generous
// times.
func (f fixture) options(t testing.TB, o Options) Options {
	var err error
	o.TLS, err = TLSConfig(f.access.TLS)
	must(t, err)
	if len(o.Servers) == 0 {
		o.Servers = []string{f.addr}
	}
	o.Digest, o.DigestFrom, o.ACL, o.Root = f.access.Digest, f.access.DigestFrom, f.access.ACL, f.Root
	return generous(o)
}

// generous completes o by times that are enough on a loaded machine.
func generous(o Options) Options {
	o.SessionTimeout = positive(o.SessionTimeout, 20*time.Second)
	o.ConnectTimeout = positive(o.ConnectTimeout, 60*time.Second)
	return o
}

// openZK opens the fixture's tree with other options.
func (f fixture) openZK(t testing.TB, o Options) *store {
	t.Helper()
	return openZK(t, f.options(t, o), nil)
}

// openZK closes the store when the test ends.
func openZK(t testing.TB, o Options, watch func([]byte)) *store {
	t.Helper()
	s, err := open(t.Context(), generous(o), watch)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// removeTree removes the root, again if others are still writing below it.
func removeTree(t testing.TB, o Options) {
	s, err := open(context.Background(), o, nil)
	must(t, err)
	defer s.Close()
	s.link.open() // the store itself sends no such requests
	for try := 0; ; try++ {
		err := removeBelow(s.conn, o.Root)
		if err == nil {
			return
		}
		if try == 100 {
			t.Errorf("remove %s: %v", o.Root, err)
			return
		}
	}
}

func removeBelow(conn *zk.Conn, path string) error {
	names, _, err := conn.Children(path)
	for _, name := range names {
		if err := removeBelow(conn, path+"/"+name); err != nil {
			return err
		}
	}
	if err == nil {
		err = conn.Delete(path, -1)
	}
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}

// helperAddr names the variable with the server for another process.
const helperAddr = "STATEMGR_TEST_ADDR"

func TestHoldHelper(t *testing.T) {
	statemgrtest.HoldHelper(t, func(root string) (statemgr.Store, error) {
		return Open(t.Context(), Options{Servers: []string{os.Getenv(helperAddr)}, Root: root, SessionTimeout: 4 * time.Second})
	})
}

func TestConformance(t *testing.T) { statemgrtest.Conformance(t, plain(zkFixture)) }

func TestConformanceWithTLSAndPassword(t *testing.T) {
	t.Run("creator only", func(t *testing.T) { statemgrtest.Conformance(t, plain(secureFixture(onlyCreator))) })
	t.Run("protected", func(t *testing.T) { statemgrtest.Conformance(t, plain(secureFixture(protected))) })
}

func TestTrees(t *testing.T) { statemgrtest.Trees(t, plain(zkFixture)) }
