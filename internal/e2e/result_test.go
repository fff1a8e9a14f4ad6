package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// unwritable runs heron with a standard output that takes nothing.
func (c *cluster) unwritable(args ...string) result {
	c.t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer full.Close()
	cmd := exec.Command(bin.heron, args...)
	var errOut strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = c.env, full, &errOut
	_ = cmd.Run()
	return result{code: cmd.ProcessState.ExitCode(), errOut: errOut.String()}
}

// A command that has changed something must not end with a code that says that
// nothing was changed because its result could not be written.
func TestAResultThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var properties []string
	for key, value := range c.properties {
		properties = append(properties, "--config-property", key+"="+value)
	}
	submit := append([]string{"submit"}, properties...)
	r := c.unwritable(append(submit, "nomad", bin.sample, "-", "--name", c.topology, "--stmgrs", "2")...)
	c.want(r, 8, "done, but the result could not be written")
	if c.job() == nil {
		t.Error("the topology is not there")
	}
	kill := append([]string{"kill"}, properties...)
	c.want(c.unwritable(append(kill, "nomad", c.topology)...), 8, "done, but the result could not be written")
	c.nothingLeft()
	c.want(c.unwritable("version"), 1, "could not write the result")
}

// A second interrupt ends heron in the middle of whatever it does, and is told
// as any failure is.
func TestASecondInterruptEndsItAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	run := c.start("submit", "--output", "json", "nomad", program(t, "trap '' INT\necho started\nwhile kill -0 $PPID; do sleep 0.1; done\n"), "-")
	eventually(t, "the program runs", func() bool { return strings.Contains(run.errOut.String(), "started") })
	eventually(t, "it has ended", func() bool {
		_ = run.cmd.Process.Signal(os.Interrupt) // those of the first second count as one
		select {
		case <-run.done:
			return true
		default:
			return false
		}
	})
	c.want(run.wait(t), 8, `"kind": "left_behind"`, "interrupted while undoing")
}
