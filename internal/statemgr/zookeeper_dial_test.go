package statemgr

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

// The name of a server is for the one who connects: it is not looked up here,
// and the server's certificate must have it.
func TestZooKeeperGoesTheCallersWay(t *testing.T) {
	f := secureFixture(onlyCreator)(t)
	var asked []string
	state := conf.State{
		Kind: "zookeeper", ClientServers: []string{"zookeeper.test:2281"}, Root: f.root,
		ConnectTimeout: time.Minute, SessionTimeout: 20 * time.Second, ZooKeeper: f.access,
	}
	s, err := Open(t.Context(), state, func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked = append(asked, addr)
		return (&net.Dialer{}).DialContext(ctx, network, f.addr)
	})
	must(t, err)
	must(t, s.EnsureDirs(t.Context(), f.layout().Dirs()...))
	must(t, s.Close())
	if len(asked) == 0 || asked[0] != "zookeeper.test:2281" {
		t.Errorf("asked to go to %v", asked)
	}
}

// noWay is an error that knows whether it will last.
type noWay bool

func (noWay) Error() string     { return "the bastion is shut" }
func (n noWay) Permanent() bool { return bool(n) }

func TestZooKeeperTellsWhyTheWayEnds(t *testing.T) {
	for _, lasts := range []bool{true, false} {
		limit := 500 * time.Millisecond
		if lasts {
			limit = time.Hour // it does not take that long
		}
		var tries atomic.Int32
		_, err := OpenZooKeeper(t.Context(), ZooKeeperOptions{
			Servers: []string{"zookeeper.test:2281"}, ConnectTimeout: limit,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				tries.Add(1)
				return nil, noWay(lasts)
			},
		})
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "zookeeper.test:2281: the bastion is shut") {
			t.Error(err)
		}
		if !lasts && tries.Load() < 2 {
			t.Errorf("tried %d times", tries.Load())
		}
	}
}
