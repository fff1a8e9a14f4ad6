package e2e

import (
	"net"
	"os"
	"sync"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// watched is a cluster whose client reaches Nomad and ZooKeeper through
// proxies that know each answer. They stay for all of its commands, because
// their addresses go into the package.
type watched struct {
	*cluster

	mu sync.Mutex
	// run is the process whose calls count.
	run *running
	// mine are the connections to ZooKeeper that are those of run: executors have
	// some too.
	mine map[string]bool
	// calls counts; at is the call after whose answer then is called.
	calls, at int
	then      func()
}

func watchedCluster(t *testing.T) *watched {
	t.Helper()
	w := &watched{cluster: newCluster(t)}
	w.throughHTTP().Answered(func() { w.answered(nil) })
	w.properties["heron.statemgr.connection.string"] = testenv.ProxyZooKeeper(t, w.zookeeper, w.answered).Addr
	return w
}

// counted runs a command and returns how many calls it made. After the answer
// to call number at, which the command does not get before that, it calls then.
func (w *watched) counted(start func() *running, at int, then func(*running)) (result, int) {
	w.t.Helper()
	r := w.count(start, at, then).wait(w.t)
	return r, w.counts()
}

// count counts the calls of a process from now on.
func (w *watched) count(start func() *running, at int, then func(*running)) *running {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mine, w.calls, w.at = map[string]bool{}, 0, at
	w.run = start()
	w.then = func() { then(w.run) }
	return w.run
}

// counts ends the counting and returns how many calls there were.
func (w *watched) counts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.run = nil
	return w.calls
}

// answered counts an answer: of ZooKeeper to a client at an address, or of
// Nomad.
func (w *watched) answered(client *net.TCPAddr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run == nil || client != nil && !w.isMine(client) {
		return
	}
	if w.calls++; w.calls == w.at {
		w.then()
	}
}

func (w *watched) isMine(client *net.TCPAddr) bool {
	key := client.String()
	if !w.mine[key] {
		// Neither has a process that has ended connections, nor does the system's
		// list show each while others come and go: the next answer asks again.
		w.mine[key], _ = testenv.HasConnection(w.run.cmd.Process.Pid, client)
	}
	return w.mine[key]
}

// killed ends a process as kill -9 does, and waits until it is gone.
func killed(r *running) {
	_ = r.cmd.Process.Signal(os.Kill)
	<-r.done
}
