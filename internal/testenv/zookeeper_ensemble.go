package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// ZooKeeperEnsemble is three ZooKeeper servers of the test's own that keep the
// same nodes. They are stopped when it ends.
func ZooKeeperEnsemble(t testing.TB) []*Server {
	t.Helper()
	const size = 3
	blocks := make([]*portBlock, size)
	config := "initLimit=20\nsyncLimit=10\n"
	for i := range blocks {
		var err error
		if blocks[i], err = reservePorts(14000, 16000, 4, 3); err != nil {
			for _, block := range blocks[:i] {
				block.release()
			}
			t.Fatalf("start an ensemble of ZooKeeper: %v", err)
		}
		config += fmt.Sprintf("server.%d=127.0.0.1:%d:%d\n", i+1, blocks[i].port(1), blocks[i].port(2))
	}
	servers, failed := make([]*Server, size), make([]error, size)
	// None answers before most of them run.
	var all sync.WaitGroup
	for i := range servers {
		dir := t.TempDir()
		all.Go(func() {
			if failed[i] = numbered(dir, i+1); failed[i] == nil {
				servers[i], failed[i] = startZooKeeper(t.Context(), dir, onLoopback(), blocks[i], config)
			}
		})
	}
	all.Wait()
	t.Cleanup(func() {
		for _, s := range servers {
			if s == nil {
				continue
			}
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	return servers
}

// numbered tells the server with this folder which of an ensemble it is.
func numbered(dir string, number int) error {
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, "myid"), fmt.Append(nil, number), 0o600)
}

// Leads says whether one server of an ensemble is its leader.
func Leads(ctx context.Context, zooKeeper *Server) (bool, error) {
	answer, err := srvr(ctx, onLoopback(), zooKeeper.Addr)
	return strings.Contains(answer, "Mode: leader"), err
}
