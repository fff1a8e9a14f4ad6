package e2e

import (
	"bufio"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/google/uuid"

	"github.com/heron-nomad/heron/internal/testenv"
)

// census counts what a cycle could leave: nodes of the state root, jobs, and
// files of the user, packages included.
func (c *cluster) census() string {
	c.t.Helper()
	nodes := 0
	c.zk(func(conn *zk.Conn) error {
		return walk(conn, c.root, func(path string) error {
			// ZooKeeper removes those below locks itself, when it likes.
			if !strings.HasPrefix(path, c.root+"/locks/") {
				nodes++
			}
			return nil
		})
	})
	// An API server keeps its operations for an hour.
	files := slices.DeleteFunc(c.files(filepath.Dir(c.home)), func(file string) bool { return strings.Contains(file, "/.operations") })
	return fmt.Sprintf("%d nodes, %d jobs, %d files", nodes, len(c.jobs()), len(files))
}

// cycles runs a cycle that ends in a kill again and again, and wants all to be
// as it was after the first, which makes folders and nodes that stay.
func (c *cluster) cycles(cycle func()) {
	c.t.Helper()
	cycle()
	before := c.census()
	for range testenv.Times(1, 200) {
		cycle()
		c.nothingLeft()
		if after := c.census(); after != before {
			c.t.Fatalf("there are %s, there were %s", after, before)
		}
	}
}

// A topology of the same name can be put up, changed and taken away as often as
// one likes.
func TestCycles(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.cycles(func() {
		c.want(c.submit("--wait"), 0)
		c.want(c.update("--component-parallelism", "count:5"), 0)
		c.want(c.replace(3), 0)
		c.want(c.kill(), 0)
	})
}

// So it can through an API server, which has no more goroutines and open files
// then than before.
func TestServerCycles(t *testing.T) {
	t.Parallel()
	s := newCluster(t).serve()
	requests := s.requests()
	var goroutines, files float64
	s.cycles(func() {
		for _, name := range []string{"submit", "update", "replace", "kill"} {
			s.must(requests[name], uuid.NewString())
		}
		if goroutines == 0 {
			goroutines, files = s.metric("go_goroutines"), s.metric("process_open_fds")
		}
	})
	// Idle connections end when their time is up.
	if !within(t, func() bool { return s.metric("go_goroutines") <= goroutines && s.metric("process_open_fds") <= files }) {
		t.Errorf("%g goroutines, there were %g; %g open files, there were %g",
			s.metric("go_goroutines"), goroutines, s.metric("process_open_fds"), files)
	}
	t.Logf("%g goroutines and %g open files after the first cycle, %g and %g after the last",
		goroutines, files, s.metric("go_goroutines"), s.metric("process_open_fds"))
}

// metric is a number that the server measures of itself.
func (s *apiServer) metric(name string) float64 {
	s.t.Helper()
	lines := bufio.NewScanner(strings.NewReader(s.ask(200, "GET", "/metrics", "", nil)))
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return value
		}
	}
	s.t.Fatalf("there is no metric %s", name)
	return 0
}
