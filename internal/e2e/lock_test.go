package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

func (c *cluster) unlock(flags ...string) result {
	c.t.Helper()
	return c.heron(append(append([]string{"unlock"}, flags...), "nomad", c.topology)...)
}

// slowSubmit is a submit that is at work on its topology, and far from its end.
func (c *cluster) slowSubmit() *running {
	c.t.Helper()
	c.properties["heron.uploader.rate.limit"] = "1024"
	run := c.startSubmit()
	eventually(c.t, "its intent is there", func() bool { return c.intentID() != "" })
	delete(c.properties, "heron.uploader.rate.limit")
	return run
}

// A command waits for another one, or says whose it is; what a command left
// that died is unlocked.
func TestLocks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	run := c.slowSubmit()
	c.want(c.kill("--lock-timeout", "1s"), 5, "wait for the claim", "submit of user ann on ", "waited for 1s")
	c.want(c.unlock(), 5, "submit of user ann on ", "--force")
	waiting := c.start("kill", "--lock-timeout", "2m", "nomad", c.topology)
	eventually(t, "it waits", func() bool { return strings.Contains(waiting.errOut.String(), "wait for the claim") })
	run.interrupt(t)
	c.want(run.wait(t), 130, "nothing is left")
	c.want(waiting.wait(t), 4, "no topology")

	run = c.slowSubmit()
	waiting = c.start("kill", "--lock-timeout", "2m", "nomad", c.topology)
	eventually(t, "it waits", func() bool { return strings.Contains(waiting.errOut.String(), "wait for the claim") })
	waiting.interrupt(t)
	c.want(waiting.wait(t), 130, "nothing was changed")
	if err := run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-run.done
	c.wantCheck(c.doctor(3, "nomad", c.topology), "claim", "problem", "has died")
	r := c.unlock("--output", "json")
	c.want(r, 0)
	var doc struct {
		Operation struct {
			Name  string
			Host  string
			PID   int
			Alive bool
		}
		Kept []struct{ ID string }
		Next string
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || doc.Operation.PID != run.cmd.Process.Pid || doc.Operation.Alive || len(doc.Kept) != 1 || !strings.Contains(doc.Next, "heron kill") {
		t.Errorf("%v: %+v from %s", err, doc, r)
	}
	c.want(c.submit("--wait"), 0)
	c.want(c.unlock(), 0, "nothing holds topology")

	c.properties["heron.nomad.protected"] = "true"
	c.want(c.kill(), 2, "--yes")
	c.want(c.kill("--yes", "--drain", "1s"), 0, "deactivate the topology", "drain the topology", "killed")
	// Temporary files of the killed process stay.
	if left := append(append(c.jobs(), c.nodes()...), c.files(c.packages)...); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
