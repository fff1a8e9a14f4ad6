package zookeeper

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
)

const digestOfTests = conf.Secret("ann:sesame open")

// secureFixture is a root behind TLS and a password.
func secureFixture(acl conf.ZooKeeperACL) func(testing.TB) fixture {
	return func(t testing.TB) fixture {
		server := secure.get(t)
		return serverFixture(t, server.TLSAddr, conf.ZooKeeperAccess{
			Digest: digestOfTests, DigestFrom: "the test", ACL: acl,
			TLS: &conf.ZooKeeperTLS{CACert: server.Authority.CertFile},
		})
	}
}

var (
	onlyCreator = conf.ZooKeeperACL{Entries: []conf.ACLEntry{{Scheme: "auth", Perms: "cdrwa"}}}
	protected   = conf.ZooKeeperACL{Protected: true}
)

func TestTLSFiles(t *testing.T) {
	server := secure.get(t)
	missing := t.TempDir() + "/missing.pem"
	for _, tls := range []conf.ZooKeeperTLS{
		{CACert: missing},
		{CACert: server.Client.KeyFile},
		{ClientCert: missing, ClientKey: missing},
		{ClientCert: server.Client.CertFile, ClientKey: server.Authority.CertFile},
	} {
		_, err := TLSConfig(&tls)
		var invalid *statemgr.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "heron.statemgr.zookeeper.tls.") {
			t.Errorf("%+v: %v", tls, err)
		}
	}
}

// The engine does not authenticate: it must be able to do its part, and
// nothing else.
func TestProtectedLeavesTheEngineItsPart(t *testing.T) {
	f := secureFixture(protected)(t)
	s, l, ctx := f.Tree(t), f.Layout(), t.Context()
	must(t, s.Apply(ctx, statemgr.Create(l.Topology("t"), []byte("x")), statemgr.Create(l.PackingPlan("t"), []byte("p"))))

	engine := rawZK(t, secure.get(t).Addr)
	for _, p := range append(l.Dirs(), l.Topology("t"), l.PackingPlan("t")) {
		if _, _, err := engine.Get(p); err != nil {
			t.Errorf("the engine reads %s: %v", p, err)
		}
		if _, _, err := engine.Children(p); err != nil {
			t.Errorf("the engine lists %s: %v", p, err)
		}
	}
	open := zk.WorldACL(zk.PermAll)
	for _, p := range []string{l.TManager("t"), l.MetricsCache("t"), l.PhysicalPlan("t"), l.Checkpoints("t")} {
		for range 2 {
			_, err := engine.Create(p, []byte("1"), 0, open)
			must(t, err)
			_, err = engine.Set(p, []byte("2"), -1)
			must(t, err)
			must(t, engine.Delete(p, -1))
		}
		_, err := engine.Create(p, []byte("3"), 0, open)
		must(t, err)
	}
	for what, err := range map[string]error{
		"creates a topology":       second(engine.Create(l.Topology("u"), []byte("x"), 0, open)),
		"creates a record":         second(engine.Create(l.Deployment("t"), []byte("x"), 0, open)),
		"creates a directory":      second(engine.Create(l.Root+"/new", []byte("x"), 0, open)),
		"changes a packing plan":   second(engine.Set(l.PackingPlan("t"), []byte("y"), -1)),
		"changes a topology":       second(engine.Set(l.Topology("t"), []byte("y"), -1)),
		"removes a topology":       engine.Delete(l.Topology("t"), -1),
		"removes a directory":      engine.Delete(l.Root+"/operations", -1),
		"changes who may do what":  second(engine.SetACL(l.Topologies(), open, -1)),
		"changes that of its own":  second(engine.SetACL(l.Root+"/pplans", open, -1)),
		"puts data in a directory": second(engine.Set(l.Root+"/pplans", []byte("y"), -1)),
	} {
		if !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("the engine %s: %v", what, err)
		}
	}
	must(t, s.DeleteTopology(ctx, "t", true))
	for _, dir := range l.Dirs()[1:] {
		if names, err := s.Children(ctx, dir); err != nil || len(names) > 0 {
			t.Errorf("%s has %v, %v", dir, names, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestDeniedSaysWhatToDo(t *testing.T) {
	f := secureFixture(onlyCreator)(t)
	l := f.Layout()
	p := l.Topology("t")
	must(t, f.Tree(t).Apply(t.Context(), statemgr.Create(p, []byte("x"))))
	wrong := f.entered(func(a *conf.ZooKeeperAccess) { a.Digest = "ann:sesame shut" })
	none := f.entered(func(a *conf.ZooKeeperAccess) { a.Digest = "" })
	for _, c := range []struct {
		fixture
		says string
	}{
		{wrong, "user ann, with the password from the test, has no right to this; is the password right?"},
		{none, "there are no credentials: set HERON_ZOOKEEPER_AUTH, or heron.statemgr.zookeeper.auth.digest.file"},
	} {
		s := c.Open(t)
		_, read := s.Read(t.Context(), p)
		_, list := s.Children(t.Context(), l.Topologies())
		dirs := s.EnsureDirs(t.Context(), l.Root+"/new")
		set := s.Apply(t.Context(), statemgr.Set(p, []byte("y")))
		wantErr(t, set, statemgr.ErrDenied, p)
		remove := s.Apply(t.Context(), statemgr.Delete(p))
		wantErr(t, remove, statemgr.ErrDenied, p)
		rights := statemgr.Tree{Store: s, Layout: l}.CheckRights(t.Context(), statemgr.Delete(p))
		for what, err := range map[string]error{"read": read, "list": list, "dirs": dirs, "set": set, "remove": remove, "rights": rights} {
			wantErr(t, err, statemgr.ErrDenied, "")
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "sesame") {
				t.Errorf("%s: %v, want %q", what, err, c.says)
			}
		}
	}

	// Who keeps nodes for himself must be somebody.
	err := none.Open(t).EnsureDirs(t.Context(), f.Root+"-nobody")
	wantErr(t, err, statemgr.ErrDenied, "")
	if !strings.Contains(err.Error(), "heron.statemgr.zookeeper.acl reserves nodes for the authenticated user, but there are no credentials") {
		t.Error(err)
	}
	odd := f.entered(func(a *conf.ZooKeeperAccess) {
		a.ACL = conf.ZooKeeperACL{Entries: []conf.ACLEntry{{Scheme: "sasl", ID: "bob", Perms: "cdrwa"}}}
	})
	err = odd.Open(t).EnsureDirs(t.Context(), f.Root+"-odd")
	wantErr(t, err, statemgr.ErrDenied, "")
	if !strings.Contains(err.Error(), "does not accept this heron.statemgr.zookeeper.acl") {
		t.Error(err)
	}
}

func TestThatServesNobodyWithoutCredentials(t *testing.T) {
	server := testenv.RunSecureZooKeeper(t, testenv.SecureZooKeeperOptions{
		Config: "enforce.auth.enabled=true\nenforce.auth.schemes=digest\n",
	})
	f := serverFixture(t, server.Addr, conf.ZooKeeperAccess{Digest: digestOfTests, DigestFrom: "the test"})
	f.Tree(t)
	stranger := f.entered(func(a *conf.ZooKeeperAccess) { a.Digest = "" })
	_, err := stranger.Open(t).Read(t.Context(), f.Root)
	wantErr(t, err, statemgr.ErrDenied, "")
	if !strings.Contains(err.Error(), "there are no credentials") {
		t.Error(err)
	}
	wantErr(t, stranger.Open(t).Apply(t.Context(), statemgr.Delete(f.Root+"/pplans")), statemgr.ErrDenied, "")
}

func TestAuthenticatesEachConnection(t *testing.T) {
	f := secureFixture(onlyCreator)(t)
	f.Tree(t)
	proxy := testenv.Proxy(t, f.addr)
	for _, c := range []struct {
		name    string
		session time.Duration
		down    func()
	}{
		{"the session is taken up again", time.Minute, func() { proxy.Down() }},
		{"the session is lost", time.Second, func() {
			proxy.Down()
			// The server tells the end of a session to those who ask for its nodes.
			gone(t, f, f.Layout().Root+"/mark")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := f.openZK(t, Options{Servers: []string{proxy.Addr}, SessionTimeout: c.session, ConnectTimeout: slack, Retries: 10})
			mark(t, s, f.Layout().Root+"/mark")
			before := s.conn.SessionID()
			c.down()
			proxy.Up()
			p := f.Layout().Topology("t")
			retry(t, func() error {
				err := s.Apply(t.Context(), statemgr.Create(p, []byte(c.name)))
				if errors.Is(err, statemgr.ErrExists) {
					return nil // the answer to an earlier try was lost
				}
				return err
			})
			wantNode(t, s, p, c.name, 0)
			must(t, s.Apply(t.Context(), statemgr.Delete(p)))
			if lost := s.conn.SessionID() != before; lost != (c.session == time.Second) {
				t.Errorf("session %x, before %x", s.conn.SessionID(), before)
			}
		})
	}
}

// mark makes a node that goes with the session of s.
func mark(t *testing.T, s *store, path string) {
	t.Helper()
	s.link.open()
	_, err := s.conn.Create(path, []byte("x"), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	must(t, err)
}

// gone waits until another client does not see a node any more.
func gone(t *testing.T, f fixture, path string) {
	t.Helper()
	s := f.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*slack)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.Read(ctx, path)
		if errors.Is(err, statemgr.ErrNotFound) {
			return
		}
		must(t, err)
		<-tick.C
	}
}

func TestCutWhileAuthenticating(t *testing.T) {
	f := secureFixture(onlyCreator)(t)
	f.Tree(t)
	f.access.TLS = nil
	proxy := testenv.Proxy(t, secure.get(t).Addr)
	proxy.CutAfter(42) // the answer to the handshake has 41 bytes
	const setAuth = 100
	tries := make(chan bool, 100)
	options := f.options(t, Options{Servers: []string{proxy.Addr}})
	go func() {
		for range 2 { // a second means that the first had no answer
			<-tries
		}
		proxy.Up()
	}()
	s := openZK(t, options, func(packet []byte) {
		if binary.BigEndian.Uint32(packet[8:12]) == setAuth {
			tries <- true
		}
	})
	_, err := s.Read(t.Context(), f.Root)
	must(t, err)
}

func TestFaultsOverTLS(t *testing.T) {
	for name, test := range map[string]func(*testing.T, faulty){
		"cut in a transaction":    cutInTransaction,
		"silent in a transaction": silentInTransaction,
		"too slow":                tooSlow,
		"close while silent":      closeWhileSilent,
	} {
		t.Run(name, func(t *testing.T) { test(t, withProxy(t, secureFixture(onlyCreator)(t), patience)) })
	}
}
