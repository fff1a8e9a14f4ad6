package testenv

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

func TestAnEnsembleOutlastsItsLeader(t *testing.T) {
	servers := ZooKeeperEnsemble(t)
	var addrs []string
	leader := slices.IndexFunc(servers, func(s *Server) bool {
		addrs = append(addrs, s.Addr)
		leads, err := Leads(t.Context(), s)
		return err == nil && leads
	})
	if leader < 0 {
		t.Fatal("no server leads")
	}
	other := servers[(leader+1)%len(servers)]
	if _, err := zkConn(t, servers[leader].Addr).Create("/kept", []byte("x"), 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	if err := servers[leader].Kill(); err != nil {
		t.Fatal(err)
	}
	conn := zkConn(t, other.Addr)
	for deadline := time.Now().Add(startTimeout); ; {
		data, _, err := conn.Get("/kept")
		if err == nil && string(data) == "x" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s of %s: %q, %v", other.Addr, strings.Join(addrs, ","), data, err)
		}
	}
	if err := servers[leader].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}
