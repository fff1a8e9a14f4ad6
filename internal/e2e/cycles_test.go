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

// census counts what a cycle could leave: nodes of the state root, and files of
// the user, packages included.
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
	return fmt.Sprintf("%d nodes, %d files", nodes, len(files))
}

// abreast is how many topologies go through their cycles at the same time.
const abreast = 5

// cycles runs a cycle that ends in a kill again and again, for several
// topologies at a time, and wants all to be as it was after the first round,
// which makes folders and nodes that stay. after, unless nil, follows each round.
func (c *cluster) cycles(cycle func(*cluster), after func()) {
	c.t.Helper()
	first := ""
	for round := range testenv.Times(10, 200) / abreast {
		c.t.Run(fmt.Sprint("round ", round+1), func(t *testing.T) {
			for i := range abreast {
				t.Run(fmt.Sprint(i+1), func(t *testing.T) {
					t.Parallel()
					one := c.of(t, fmt.Sprint(c.topology, "-", i+1))
					cycle(one)
					if jobs, live := one.jobs(), one.liveContainers(); len(jobs)+len(live) > 0 {
						t.Errorf("left: jobs %v, containers %v", jobs, live)
					}
				})
			}
		})
		c.nothingLeft()
		if now := c.census(); first == "" {
			first = now
		} else if now != first {
			c.t.Errorf("there are %s, there were %s", now, first)
		}
		if c.t.Failed() {
			c.t.Fatalf("in round %d", round+1)
		}
		if after != nil {
			after()
		}
	}
}

// Topologies of the same names can be put up, changed and taken away as often as
// one likes.
func TestCycles(t *testing.T) {
	t.Parallel()
	newCluster(t).cycles(func(c *cluster) {
		c.want(c.submit("--wait"), 0)
		c.want(c.update("--component-parallelism", "count:5"), 0)
		c.want(c.replace(3), 0)
		c.want(c.kill(), 0)
	}, nil)
}

// So they can through an API server, which has no more goroutines and open files
// then than before.
func TestServerCycles(t *testing.T) {
	t.Parallel()
	s := newCluster(t).serve()
	var goroutines, files float64
	s.cycles(func(c *cluster) {
		one := &apiServer{cluster: c, url: s.url, run: s.run}
		requests := one.requests()
		for _, name := range []string{"submit", "update", "replace", "kill"} {
			one.must(requests[name], uuid.NewString())
		}
	}, func() {
		if goroutines == 0 {
			goroutines, files = s.metric("go_goroutines"), s.metric("process_open_fds")
		}
	})
	// Idle connections end when their time is up.
	if !within(t, func() bool { return s.metric("go_goroutines") <= goroutines && s.metric("process_open_fds") <= files }) {
		t.Errorf("%g goroutines, there were %g; %g open files, there were %g",
			s.metric("go_goroutines"), goroutines, s.metric("process_open_fds"), files)
	}
	t.Logf("%g goroutines and %g open files after the first round, %g and %g after the last",
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
