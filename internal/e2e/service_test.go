package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// guest is a user who knows nothing but the address of an API server.
func (s *apiServer) guest(args ...string) result {
	s.t.Helper()
	return s.startGuest(args...).wait(s.t)
}

func (s *apiServer) startGuest(args ...string) *running {
	s.t.Helper()
	dir := s.t.TempDir()
	r := &running{args: args, cmd: exec.Command(bin.heron, args...), done: make(chan struct{})}
	r.cmd.Env = []string{"HOME=" + dir, "USER=ann", "HERON_HOME=" + filepath.Join(dir, "none"), "TMPDIR=" + s.tmp, "PATH=" + os.Getenv("PATH")}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.errOut
	if err := r.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait()
	}()
	s.t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.done
	})
	return r
}

// TestServiceURL does everything through an API server, on a machine without any
// configuration.
func TestServiceURL(t *testing.T) {
	t.Parallel()
	s := newCluster(t).serve()
	at := "--service-url=" + s.url
	program := func(stmgrs string) []string {
		return []string{"nomad", bin.sample, "-", "--name", s.topology, "--stmgrs", stmgrs}
	}
	do := func(command string, flags ...string) result {
		return s.guest(append(append([]string{command, at}, flags...), "nomad", s.topology)...)
	}
	s.want(s.guest(append([]string{"submit", at, "--dry-run"}, program("2")...)...), 0, "Total number of containers: 2")
	s.want(s.guest(append([]string{"plan", at}, program("2")...)...), 0, "does not exist; submit would create")
	s.want(s.guest(append([]string{"submit", at, "--wait=2m", "--output", "json"}, program("2")...)...), 0, `"running": true`)
	again := s.guest(append([]string{"submit", at}, program("2")...)...)
	s.want(again, 5, "already exists")
	s.want(again, 5, "request ")
	s.want(do("status"), 0, "healthy")
	s.want(s.guest("topologies", at, "nomad"), 0, s.topology)
	paused := do("deactivate")
	s.want(paused, 0, "PAUSED")
	s.want(do("deactivate"), 0, "already")
	s.want(do("activate", "--output", "json"), 0, `"changed": true`)
	before := s.container(1).ID
	s.want(s.guest("restart", at, "--wait=2m", "nomad", s.topology, "1"), 0, "1 container restarted, and it runs")
	if after := s.container(1).ID; after != before {
		t.Errorf("allocation %s, it was %s", after, before)
	}
	logs := do("logs", "--tail", "2")
	s.want(logs, 0, "[1 ")
	s.want(s.guest(append([]string{"submit", at, "--replace"}, program("3")...)...), 0, "replaced, version 2 runs")
	s.want(do("history"), 0, "in place, good")
	s.want(s.guest("rollback", at, "nomad", s.topology, "1"), 0, "rolled back to version 1")
	s.want(do("update", "--component-parallelism", "count:4", "--dry-run"), 0, "Total number of containers")
	s.want(do("update", "--component-parallelism", "count:4"), 0, "4 of count")
	s.want(do("unlock"), 0, "nothing holds")
	s.want(do("doctor"), 0, "healthy")
	s.want(s.guest("doctor", at, "--nodes", "--output", "json", "nomad"), 0, `"check": "node"`, `"problems": 0`)
	s.want(s.guest("gc", at, "--older-than=0", "nomad"), 0, "removed 0 packages", "kept 2 in use")
	s.want(do("kill"), 0, "killed")
	s.want(do("kill"), 4, "--ignore-missing")
	s.want(do("status"), 4, "no topology")

	// An interrupt ends the operation on the server, which undoes it.
	run := s.startGuest(append([]string{"submit", at, "--wait=2m", "--stable-for=1m", "--rollback"}, program("2")...)...)
	eventually(t, "containers run", func() bool { return len(s.liveContainers()) > 0 })
	run.interrupt(t)
	s.want(run.wait(t), 130, "undone")
	s.want(do("status"), 4, "no topology")
	s.nothingLeft()
}
