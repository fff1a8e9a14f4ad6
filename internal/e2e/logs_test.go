package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func (c *cluster) logs(args ...string) result {
	c.t.Helper()
	return c.heron(append([]string{"logs"}, args...)...)
}

// shownLine is a line of logs in JSON.
type shownLine struct {
	Container                                   int
	Component, Instance, Allocation, File, Line string
}

// numberedLines are the numbers that each run of each instance logged, in the
// order in which they were shown; a run begins with 1.
func numberedLines(t *testing.T, out string) map[string][][]int {
	t.Helper()
	runs := map[string][][]int{}
	number := regexp.MustCompile(`: line (\d+)$`)
	for text := range strings.Lines(out) {
		var line shownLine
		if !strings.HasSuffix(text, "\n") { // still being written
			break
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		m := number.FindStringSubmatch(line.Line)
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		all := runs[line.Instance]
		if n == 1 {
			all = append(all, nil)
		}
		if len(all) == 0 {
			t.Fatalf("%s begins with line %d", line.Instance, n)
		}
		all[len(all)-1] = append(all[len(all)-1], n)
		runs[line.Instance] = all
	}
	return runs
}

// checkNumbered checks that no line is missing or there twice.
func checkNumbered(t *testing.T, runs map[string][][]int) {
	t.Helper()
	for instance, all := range runs {
		for i, run := range all {
			for j, n := range run {
				if n != j+1 {
					t.Errorf("%s, run %d: line %d follows %d", instance, i+1, n, j)
					break
				}
			}
		}
	}
}

// followed waits until every instance of a container has shown so many runs,
// with some lines in the last one.
func (c *cluster) followed(f *running, container, runs int) {
	c.t.Helper()
	prefix := fmt.Sprintf("container_%d_", container)
	eventually(c.t, fmt.Sprintf("run %d of container %d is followed", runs, container), func() bool {
		all := numberedLines(c.t, f.out.String())
		maps.DeleteFunc(all, func(instance string, _ [][]int) bool { return !strings.HasPrefix(instance, prefix) })
		for _, list := range all {
			if len(list) < runs || len(list[runs-1]) < 30 {
				return false
			}
		}
		return len(all) > 0
	})
}

func TestLogsThroughNomad(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	// A file holds some 25 lines, and five are kept.
	c.coreWith("HERON_STANDIN_LINES=50ms,2000")
	c.want(c.logs("nomad", c.topology), 4, "no topology")
	c.want(c.submit("--wait"), 0)

	follow := c.start("logs", "--follow", "--output", "json", "nomad", c.topology)
	stopped := c.start("logs", "-f", "--tail", "1", "nomad", c.topology, "1")
	c.followed(follow, 1, 1)

	r := c.logs("nomad", c.topology)
	c.want(r, 0, "[0 heron-executor-0.stdout] ", "[0 heron-tmanager-", "[1 heron-stmgr-stmgr-1] ", "Got a physical plan", "[2 heron-executor-2.stdout] ")
	r = c.logs("nomad", c.topology, "0", "--stdout", "--tail", "3")
	if lines := strings.Count(r.out, "\n"); r.code != 0 || lines != 3 || strings.Contains(r.out, "[0 ") {
		t.Errorf("three lines of standard output: %s", r)
	}
	c.want(c.logs("nomad", c.topology, "2", "--file", "heron-stmgr-stmgr-2.INFO"), 0, "Got a physical plan")
	c.want(c.logs("nomad", c.topology, "2", "--file", "heron-conf/override.yaml"), 0)
	c.want(c.logs("nomad", c.topology, "--file", "../../../../secrets/x"), 2, "without ..")
	c.want(c.logs("nomad", c.topology, "7"), 4, "no container 7")
	c.want(c.logs("--output", "json", "nomad", c.topology, "--component", "nothing"), 4)
	if r := c.logs("nomad", c.topology, "1", "--since", "2000-01-01T00:00:00Z", "--file", "heron-executor-1.stdout"); r.code != 0 || r.out == "" {
		t.Errorf("since long ago: %s", r)
	}
	if r := c.logs("nomad", c.topology, "--since", "2099-01-01T00:00:00Z"); r.code != 0 || r.out != "" {
		t.Errorf("since a time to come: %s", r)
	}

	// In place: the same allocation starts anew in a fresh folder.
	if err := c.api().Allocations().Restart(c.container(1), "", nil); err != nil {
		t.Fatal(err)
	}
	c.followed(follow, 1, 2)
	// Another allocation takes its place.
	if _, err := c.api().Allocations().Stop(c.container(2), nil); err != nil {
		t.Fatal(err)
	}
	c.followed(follow, 2, 2)

	stopped.interrupt(t)
	c.want(stopped.wait(t), 130, "container_1_")
	c.want(c.kill(), 0)
	r = follow.wait(t)
	if r.code != 0 || strings.Contains(r.errOut, "missing") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
	checkNumbered(t, numberedLines(t, r.out))
	if !strings.Contains(r.out, "signal_handler invoked with signal 15") {
		t.Error("the last lines are missing")
	}
}

func TestLogsThroughHeronShell(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.coreWith("HERON_STANDIN_LINES=50ms,2000")
	work := t.TempDir()
	c.properties["heron.scheduler.local.working.directory"] = work
	c.want(c.submit("--wait"), 0)

	follow := c.start("logs", "--follow", "--output", "json", "nomad", c.topology)
	c.followed(follow, 2, 1)
	c.want(c.logs("nomad", c.topology), 0, "[0 heron-executor-0.stdout] ", "[0 heron-tmanager-", "[1 heron-stmgr-stmgr-1] ", "Got a physical plan")
	r := c.logs("nomad", c.topology, "1", "--file", "heron-executor-1.stdout")
	log, err := os.ReadFile(filepath.Join(work, "container-1", "heron-executor-1.stdout"))
	if err != nil || r.code != 0 || r.out == "" || !strings.HasPrefix(string(log), r.out) {
		t.Errorf("the executor's log: %v, %s\nwant\n%s", err, r, log)
	}
	if err := c.api().Allocations().Restart(c.container(1), "", nil); err != nil {
		t.Fatal(err)
	}
	c.followed(follow, 1, 2)
	c.want(c.kill(), 0)
	r = follow.wait(t)
	c.want(r, 0)
	runs := numberedLines(t, r.out)
	checkNumbered(t, runs)
	if len(runs) == 0 || !slices.Contains(slices.Collect(maps.Keys(runs)), "container_1_word_5") {
		t.Errorf("instances %v", slices.Sorted(maps.Keys(runs)))
	}
}
