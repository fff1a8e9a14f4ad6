package zookeeper

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// The name of a server is for the dialer: it is not looked up here, and the
// server's certificate must have it.
func TestDialsTheCallersWay(t *testing.T) {
	f := secureFixture(onlyCreator)(t)
	var asked []string
	s := f.openZK(t, Options{
		Servers: []string{"zookeeper.test:2281"},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			asked = append(asked, addr)
			return (&net.Dialer{}).DialContext(ctx, network, f.addr)
		},
	})
	must(t, s.EnsureDirs(t.Context(), f.Layout().Dirs()...))
	must(t, s.Close())
	if len(asked) == 0 || asked[0] != "zookeeper.test:2281" {
		t.Errorf("asked to go to %v", asked)
	}
}

// noWay is an error that knows whether it will last.
type noWay bool

func (noWay) Error() string     { return "the bastion is shut" }
func (n noWay) Permanent() bool { return bool(n) }

func TestTellsWhyTheWayEnds(t *testing.T) {
	for _, lasts := range []bool{true, false} {
		limit := 500 * time.Millisecond
		if lasts {
			limit = time.Hour // it does not take that long
		}
		var tries atomic.Int32
		_, err := Open(t.Context(), Options{
			Servers: []string{"zookeeper.test:2281"}, ConnectTimeout: limit,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				tries.Add(1)
				return nil, noWay(lasts)
			},
		})
		if !errors.Is(err, statemgr.ErrUnreachable) || !strings.Contains(err.Error(), "zookeeper.test:2281: the bastion is shut") {
			t.Error(err)
		}
		if !lasts && tries.Load() < 2 {
			t.Errorf("tried %d times", tries.Load())
		}
	}
}
