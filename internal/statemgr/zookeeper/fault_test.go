package zookeeper

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
)

const (
	// patience is the time limit of stores that are to run into it.
	patience = 2 * time.Second
	// slack is what a loaded machine may need beyond a limit.
	slack = 20 * time.Second
)

// wantUnreachable runs f, which must give up at its limit and name the server.
func wantUnreachable(t *testing.T, limit time.Duration, server string, f func() error) error {
	t.Helper()
	begin := time.Now()
	err := f()
	if took := time.Since(begin); took > limit+slack {
		t.Errorf("gave up after %v, limit %v", took, limit)
	}
	if !errors.Is(err, statemgr.ErrUnreachable) || !strings.Contains(err.Error(), server) {
		t.Fatalf("got error %v, want one that is statemgr.ErrUnreachable and names %s", err, server)
	}
	return err
}

// wantNoMoreGoroutines waits until there are no more than before.
func wantNoMoreGoroutines(t *testing.T, before int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(slack)
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-end:
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// listener accepts connections and hands them to serve.
func listener(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			serve(c)
		}
	}()
	return l.Addr().String()
}

func silent(net.Conn) {}

func TestOpenFails(t *testing.T) {
	for _, c := range []struct{ name, server, why string }{
		{"refused", refusing(t), "connection refused"},
		{"silent", listener(t, silent), "does not answer"},
		{"hangs up", listener(t, func(c net.Conn) { c.Close() }), "closes the connection"},
		{"not ZooKeeper", listener(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }), "does not answer as ZooKeeper does"},
		{"no such host", "no-such-host.invalid:2181", "no-such-host.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			err := wantUnreachable(t, patience, c.server, func() error {
				_, err := Open(t.Context(), Options{Servers: []string{c.server}, ConnectTimeout: patience})
				return err
			})
			if !strings.Contains(err.Error(), c.why) {
				t.Errorf("error %q does not say %q", err, c.why)
			}
			wantNoMoreGoroutines(t, before)
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server := listener(t, func(net.Conn) { cancel() })
		_, err := Open(ctx, Options{Servers: []string{server}, ConnectTimeout: time.Hour})
		wantErr(t, err, context.Canceled, "")
	})
}

func TestOneServerOfSeveral(t *testing.T) {
	f := zkFixture(t)
	mute := listener(t, silent)
	good := testenv.ZooKeeper(t)
	for range 4 { // each begins at a server of its own choice
		s := openZK(t, Options{
			Servers:        []string{"no-such-host.invalid:2181", refusing(t), mute, good},
			ConnectTimeout: 4 * time.Second * 5,
		}, nil)
		must(t, s.EnsureDirs(t.Context(), f.Root))
	}
}

// faulty is a store behind a proxy, and one that is not.
type faulty struct {
	fixture
	proxy *testenv.FaultProxy
	store *store
	other statemgr.Tree
	ops   []statemgr.Op
}

func newFaulty(t *testing.T, limit time.Duration) faulty {
	t.Helper()
	return withProxy(t, zkFixture(t), limit)
}

func withProxy(t *testing.T, fixture fixture, limit time.Duration) faulty {
	t.Helper()
	f := faulty{fixture: fixture}
	f.other = f.Tree(t)
	f.proxy = testenv.Proxy(t, f.addr)
	f.store = f.openZK(t, Options{
		Servers: []string{f.proxy.Addr}, ConnectTimeout: limit, SessionTimeout: 60 * time.Second, Retries: 10,
	})
	l := f.Layout()
	for _, p := range []string{l.PackingPlan("t"), l.ExecutionState("t"), l.Topology("t")} {
		f.ops = append(f.ops, statemgr.Create(p, []byte("data of "+p)))
	}
	return f
}

// settle reads the outcome of the transaction after its error, on the same
// store: all of it or nothing, and the same for others, then and later.
func (f faulty) settle(t *testing.T) (all bool) {
	t.Helper()
	var there []bool
	for _, op := range f.ops {
		n, err := f.store.Read(t.Context(), op.Path)
		if err != nil && !errors.Is(err, statemgr.ErrNotFound) {
			t.Fatal(err)
		}
		if err == nil && string(n.Data) != string(op.Data) {
			t.Errorf("%s holds %q", op.Path, n.Data)
		}
		there = append(there, err == nil)
	}
	for i, op := range f.ops {
		_, err := f.other.Read(t.Context(), op.Path)
		if there[i] != there[0] || (err == nil) != there[0] {
			t.Fatalf("half a transaction: %v, %s: %v", there, op.Path, err)
		}
	}
	done, err := f.other.Done(t.Context(), f.ops...)
	must(t, err)
	if done != there[0] {
		t.Errorf("Done is %v, the nodes are there: %v", done, there)
	}
	return there[0]
}

func TestCutInTransaction(t *testing.T) { cutInTransaction(t, newFaulty(t, slack)) }

func cutInTransaction(t *testing.T, f faulty) {
	for range 5 {
		f.proxy.CutAfter(1)
		wantUnreachable(t, slack, f.proxy.Addr, func() error { return f.store.Apply(t.Context(), f.ops...) })
		f.proxy.Up()
		if f.settle(t) {
			must(t, f.other.DeleteTopology(t.Context(), "t", false))
		}
	}
	must(t, f.store.Apply(t.Context(), f.ops...))
	if !f.settle(t) {
		t.Error("the transaction is not there after its success")
	}
}

func TestSilentInTransaction(t *testing.T) { silentInTransaction(t, newFaulty(t, patience)) }

func silentInTransaction(t *testing.T, f faulty) {
	f.proxy.Silent()
	wantUnreachable(t, patience, f.proxy.Addr, func() error { return f.store.Apply(t.Context(), f.ops...) })
	wantUnreachable(t, patience, f.proxy.Addr, func() error { _, err := f.store.Read(t.Context(), f.Root); return err })
	wantUnreachable(t, patience, f.proxy.Addr, func() error { return f.store.EnsureDirs(t.Context(), f.Root+"/new") })
	f.proxy.Up()
	retry(t, func() error { _, err := f.store.Read(t.Context(), f.Root); return err })
	if f.settle(t) {
		t.Error("a transaction that could not arrive did")
	}
	must(t, f.store.Apply(t.Context(), f.ops...))
	if !f.settle(t) {
		t.Error("the transaction is not there after its success")
	}
}

// retry repeats f while the store cannot reach its server.
func retry(t *testing.T, f func() error) {
	t.Helper()
	for end := time.Now().Add(slack); ; {
		err := f()
		if err == nil {
			return
		}
		if !errors.Is(err, statemgr.ErrUnreachable) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestSlow(t *testing.T) {
	f := newFaulty(t, slack)
	f.proxy.Slow(100 * time.Millisecond)
	must(t, f.store.Apply(t.Context(), f.ops...))
	if !f.settle(t) {
		t.Error("the transaction is not there after its success")
	}
}

func TestTooSlow(t *testing.T) { tooSlow(t, newFaulty(t, patience)) }

func tooSlow(t *testing.T, f faulty) {
	f.proxy.Slow(time.Hour)
	wantUnreachable(t, patience, f.proxy.Addr, func() error { return f.store.Apply(t.Context(), f.ops...) })
	f.proxy.Up()
	retry(t, func() error { _, err := f.store.Read(t.Context(), f.Root); return err })
	if !f.settle(t) {
		t.Error("the transaction arrived, only its answer did not, but its nodes are not there")
	}
}

func TestInterruptedTransaction(t *testing.T) {
	f := newFaulty(t, time.Hour)
	f.proxy.Silent()
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { sent <- f.store.Apply(ctx, f.ops...) }()
	cancel()
	wantErr(t, <-sent, context.Canceled, "")
	f.proxy.Up()
	if f.settle(t) {
		t.Error("a transaction that could not arrive did")
	}
}

func TestSessionLost(t *testing.T) {
	f := zkFixture(t)
	f.Tree(t)
	proxy := testenv.Proxy(t, testenv.ZooKeeper(t))
	s := openZK(t, Options{
		Servers: []string{proxy.Addr}, ConnectTimeout: 2 * patience, SessionTimeout: time.Second, Retries: 10,
	}, nil)
	before := s.conn.SessionID()
	create := statemgr.Create(f.Layout().Topology("t"), []byte("x"))
	proxy.Down()
	wantUnreachable(t, 2*patience, proxy.Addr, func() error { return s.Apply(t.Context(), create) })
	wantUnreachable(t, 2*patience, proxy.Addr, func() error { _, err := s.Read(t.Context(), f.Root); return err })
	proxy.Up()
	retry(t, func() error { _, err := s.Read(t.Context(), f.Root); return err })
	if s.conn.SessionID() == before {
		t.Error("the session outlived its time")
	}
	wantGone(t, s, create.Path)
	must(t, s.Apply(t.Context(), create))
}

func TestCloseEndsSession(t *testing.T) {
	f := zkFixture(t)
	other, before := f.Tree(t), runtime.NumGoroutine()
	s := f.Open(t).(*store)
	p := f.Layout().TManager("t")
	s.link.open() // the store itself makes no such nodes
	_, err := s.conn.Create(p, []byte("x"), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	must(t, err)
	if n := wantNode(t, other, p, "x", 0); !n.Ephemeral {
		t.Error("an ephemeral node is not shown as one")
	}
	begin := time.Now()
	must(t, s.Close())
	t.Logf("close took %v", time.Since(begin))
	wantGone(t, other, p)
	wantNoMoreGoroutines(t, before)
}

func TestCloseWhileSilent(t *testing.T) { closeWhileSilent(t, newFaulty(t, time.Hour)) }

func closeWhileSilent(t *testing.T, f faulty) {
	f.proxy.Silent()
	read := make(chan error, 1)
	go func() { _, err := f.store.Read(t.Context(), f.Root); read <- err }()
	begin := time.Now()
	must(t, f.store.Close())
	if took := time.Since(begin); took > slack {
		t.Errorf("close took %v", took)
	}
	select {
	case err := <-read:
		wantErr(t, err, statemgr.ErrClosed, "")
	case <-time.After(slack):
		t.Error("a read outlives its store")
	}
}

func TestWriteGivenUpIsNotSent(t *testing.T) {
	link := newLink(Options{Servers: []string{"x:1"}, ConnectTimeout: time.Second}, nil)
	near, far := net.Pipe()
	defer near.Close()
	go func() { _, _ = io.Copy(io.Discard, far) }()
	conn := &serverConn{Conn: near, link: link}
	send := func(kind uint32) error {
		_, err := conn.Write(binary.BigEndian.AppendUint32(make([]byte, 8), kind))
		return err
	}
	must(t, send(opCodeMulti)) // in the place of the handshake
	first := link.open()
	must(t, send(opCodeMulti))
	link.shutGate(first)
	for _, kind := range []uint32{opCodeMulti, opCodeCreate, opCodeSetData, opCodeDelete} {
		wantErr(t, send(kind), errTooLate, "")
	}
	must(t, send(3)) // a question
	link.open()
	link.shutGate(first) // late, and no longer its own
	must(t, send(opCodeMulti))
}

func TestDenied(t *testing.T) {
	f := zkFixture(t)
	s, p := f.Tree(t), f.Layout().Topology("t")
	conn := rawZK(t, testenv.ZooKeeper(t))
	_, err := conn.Create(p, []byte("x"), 0, zk.DigestACL(zk.PermAll, "user", "secret"))
	must(t, err)
	t.Cleanup(func() { // the last to use the node may remove it
		must(t, conn.AddAuth("digest", []byte("user:secret")))
		must(t, conn.Delete(p, -1))
	})
	_, err = s.Read(t.Context(), p)
	wantErr(t, err, statemgr.ErrDenied, "")
	wantErr(t, s.Apply(t.Context(), statemgr.Set(p, []byte("y"))), statemgr.ErrDenied, p)
}
