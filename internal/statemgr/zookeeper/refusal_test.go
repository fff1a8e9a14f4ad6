package zookeeper

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
)

// refusing is an address where nothing listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

// throughBastion is a dialer's error.
type throughBastion struct{ refused bool }

func (throughBastion) Error() string   { return "the bastion cannot reach it" }
func (e throughBastion) Refused() bool { return e.refused }

func TestRefusedEverywhereIsReportedSoon(t *testing.T) {
	bastion := func(context.Context, string, string) (net.Conn, error) { return nil, throughBastion{refused: true} }
	for name, o := range map[string]Options{
		"one server":          {Servers: []string{refusing(t)}},
		"several":             {Servers: []string{refusing(t), refusing(t), "no-such-host.invalid:2181"}},
		"no such name":        {Servers: []string{"no-such-host.invalid:2181"}},
		"behind a bastion":    {Servers: []string{"zk1:2181", "zk2:2181"}, Dial: bastion},
		"quick repetitions":   {Servers: []string{refusing(t)}, RetryInterval: time.Millisecond},
		"with a named source": {Servers: []string{refusing(t)}, ServersFrom: "heron.statemgr.connection.string in /c/statemgr.yaml:9"},
	} {
		t.Run(name, func(t *testing.T) {
			o.ConnectTimeout = time.Hour
			begin := time.Now()
			_, err := Open(t.Context(), o)
			if took := time.Since(begin); took > slack {
				t.Errorf("reported after %v", took)
			}
			if !errors.Is(err, statemgr.ErrUnreachable) || outcome.KindOf(err) != outcome.Unreachable {
				t.Fatal(err)
			}
			if strings.Count(err.Error(), "unreachable") != 1 || !strings.Contains(err.Error(), o.ServersFrom) ||
				!strings.Contains(err.Error(), "is its address right") {
				t.Errorf("message: %v", err)
			}
			for _, s := range o.Servers {
				if !strings.Contains(err.Error(), s+": ") {
					t.Errorf("%v does not say why %s is not used", err, s)
				}
			}
		})
	}
}

func TestUnreachableIsSaidOnce(t *testing.T) {
	for _, why := range []string{": no answer", " (zk:1: connect: network is unreachable)"} {
		err := unreachable("connect to ZooKeeper at zk:1", why)
		if strings.Count(err.Error(), "unreachable") != 1 || !errors.Is(err, statemgr.ErrUnreachable) {
			t.Error(err)
		}
	}
}

// One of several servers may still answer, and a refused one may come up.
func TestRefusedByAFewIsWaitedFor(t *testing.T) {
	limit := 2 * refusalPatience
	for name, o := range map[string]Options{
		"one is silent": {Servers: []string{refusing(t), listener(t, silent)}},
		"one hangs up":  {Servers: []string{refusing(t), listener(t, func(c net.Conn) { c.Close() })}},
		"a bastion's other errors": {Servers: []string{"zk:1"}, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, throughBastion{}
		}},
	} {
		o.ConnectTimeout = limit
		begin := time.Now()
		_, err := Open(t.Context(), o)
		if took := time.Since(begin); took < limit || !errors.Is(err, statemgr.ErrUnreachable) {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
}

// Servers that were there are restarted, however long they refuse.
func TestRefusedLaterIsWaitedFor(t *testing.T) {
	f := zkFixture(t)
	f.Tree(t)
	proxy := testenv.Proxy(t, f.addr)
	var down atomic.Bool
	refusals := make(chan bool, 1000)
	s := f.openZK(t, Options{
		Servers: []string{proxy.Addr}, ConnectTimeout: slack, SessionTimeout: 60 * time.Second, Retries: 10,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if down.Load() {
				refusals <- true
				return nil, throughBastion{refused: true}
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	})
	down.Store(true)
	proxy.Down()
	read := make(chan error, 1)
	go func() { _, err := s.Read(t.Context(), f.Root); read <- err }()
	begin := time.Now()
	for time.Since(begin) < 2*refusalPatience {
		<-refusals
	}
	proxy.Up()
	down.Store(false)
	must(t, <-read)
}
