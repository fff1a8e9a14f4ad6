package e2e

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// After a crash of heron, at whatever request to Nomad, a kill finds and
// removes all that is there; a package alone, of which nobody knows yet, is in
// a folder of its own.
func TestKillCleansUpAfterACrashedSubmit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range testenv.Times(3, 100) {
		c := newCluster(t)
		p := c.throughHTTP()
		at, seen := random.IntN(4), 0
		var run *running
		started := make(chan struct{})
		p.Fail(testenv.HTTPCut, -1, func(string, string) bool {
			<-started
			if seen == at {
				_ = run.cmd.Process.Signal(os.Kill)
			}
			seen++
			return false
		})
		run = c.startSubmit()
		close(started)
		r := run.wait(t)
		if r.code != 0 && r.code != -1 {
			t.Errorf("crash at request %d: %s", at, r)
		}
		p.Heal()
		c.want(c.kill("--ignore-missing"), 0)
		if err := os.RemoveAll(c.tmp); err != nil {
			t.Fatal(err)
		}
		c.nothingLeft()
	}
}

// A topology of the same name can be put up and away as often as one likes.
func TestCycles(t *testing.T) {
	c := newCluster(t)
	for range testenv.Times(2, 100) {
		c.want(c.submit("--wait"), 0)
		c.want(c.kill(), 0)
		c.nothingLeft()
	}
}
