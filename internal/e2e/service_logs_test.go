package e2e

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// cutter passes connections on to a server and can cut all of them.
type cutter struct {
	addr string

	mu    sync.Mutex
	conns []net.Conn
}

// cutBefore runs one before the server at a host:port until the test ends.
func cutBefore(t *testing.T, upstream string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", upstream)
			if err != nil {
				near.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, near, far)
			c.mu.Unlock()
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				all.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					way[0].Close()
					way[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		c.cut()
		all.Wait()
	})
	return c
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.conns {
		one.Close()
	}
	c.conns = nil
}

// TestLogsThroughAServer follows logs while connections are cut, the server is
// killed, and containers restart and move: no line is missing or there twice.
func TestLogsThroughAServer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	// No file is rotated away while nobody can read it.
	c.coreWith("HERON_STANDIN_LINES=50ms,400000")
	s := c.serve()
	before := cutBefore(t, strings.TrimPrefix(s.url, "http://"))
	at := "--service-url=http://" + before.addr
	s.want(s.guest("submit", "--service-url="+s.url, "--wait=2m", "nomad", bin.sample, "-", "--name", s.topology, "--stmgrs", "2"), 0)

	follow := s.startGuest("logs", at, "--follow", "--output", "json", "nomad", s.topology)
	c.followed(follow, 1, 1)
	seen := func() int { return strings.Count(follow.out.String(), "\n") }
	more := func() {
		t.Helper()
		n := seen()
		eventually(t, "lines come again", func() bool { return seen() > n+40 })
	}
	for range 5 {
		before.cut()
		more()
	}
	// The whole of what there is, while its connection is cut.
	show := s.startGuest("logs", at, "--output", "json", "nomad", s.topology, "1")
	before.cut()
	if r := show.wait(t); r.code != 0 {
		t.Errorf("without --follow: %s", r)
	} else {
		checkNumbered(t, numberedLines(t, r.out))
	}
	// The server is killed, and what happens meanwhile is caught up with.
	if err := s.run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.run.done
	if err := c.api().Allocations().Restart(c.container(1), "", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.api().Allocations().Stop(c.container(2), nil); err != nil {
		t.Fatal(err)
	}
	s.begin()
	more()
	c.followed(follow, 1, 2)
	c.followed(follow, 2, 2)
	before.cut()
	more()

	s.want(s.guest("kill", "--service-url="+s.url, "nomad", s.topology), 0, "killed")
	r := follow.wait(t)
	if r.code != 0 || strings.Contains(r.errOut, "missing") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
	runs := numberedLines(t, r.out)
	checkNumbered(t, runs)
	if len(runs) == 0 || !strings.Contains(r.out, "signal_handler invoked with signal 15") {
		t.Errorf("the last lines are missing; there are instances %d", len(runs))
	}
}
