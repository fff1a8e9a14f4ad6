package e2e

import (
	"strings"
	"syscall"
	"testing"
)

// A client whose server is killed in the middle, and started anew at the same
// address, ends as if nothing had happened.
func TestServiceURLAcrossARestart(t *testing.T) {
	t.Parallel()
	w := watchedCluster(t)
	s := w.serve()
	at := "--service-url=" + s.url
	submit := []string{"submit", at, "--wait=3m", "nomad", bin.sample, "-", "--name", s.topology, "--stmgrs", "2"}
	update := []string{"update", at, "--wait=3m", "--component-parallelism", "count:5", "--container-number", "3", "nomad", s.topology}
	kill := []string{"kill", at, "nomad", s.topology}
	server := func() *running { return s.run }

	// How many calls they make, and what comes of them without a crash.
	w.count(server, 0, killed)
	s.want(s.guest(submit...), 0)
	calls := map[string]int{"submit": w.counts()}
	submitted := s.endState()
	w.count(server, 0, killed)
	s.want(s.guest(update...), 0)
	calls["update"] = w.counts()
	updated := s.endState()
	s.want(s.guest(kill...), 0)
	s.nothingLeft()

	crashes := 0
	across := func(name string, words []string, at int, want string) {
		t.Helper()
		first := s.run
		w.count(server, at, killed)
		client := s.startGuest(words...)
		select {
		case <-first.done:
			crashes++
			s.begin()
		case <-client.done:
			t.Logf("%s needed fewer than %d calls this time", name, at)
		}
		w.counts()
		r := client.wait(t)
		s.want(r, 0)
		if s.run != first && !strings.Contains(r.errOut, "the server was started anew in the middle of it") {
			t.Errorf("%s, with the server killed after call %d, does not say so: %s", name, at, r)
		}
		w.emptyTmp()
		if want != "" {
			w.settled(at, want)
		}
	}
	across("submit", submit, calls["submit"]/2, submitted)
	across("update", update, calls["update"]/2, updated)
	s.want(s.guest("status", at, "nomad", s.topology), 0, "healthy")
	s.want(s.guest(kill...), 0, "killed")
	// Where all had been done, that counts too.
	across("a submit that is about to end", submit, calls["submit"]-1, submitted)
	across("a kill", kill, 5, "")
	s.nothingLeft()
	list := s.ask(200, "GET", "/api/v1/operations", "", nil)
	if n := strings.Count(list, `"state":"interrupted"`); n != crashes || n < 2 {
		t.Errorf("%d operations are listed as interrupted, want %d: %s", n, crashes, list)
	}
}

// A server that is asked to stop ends what it is at work on, or undoes it where
// that takes too long, and its client learns which.
func TestServiceURLWhenTheServerStops(t *testing.T) {
	t.Parallel()
	s := newCluster(t).serve("--drain-timeout", "2m")
	at := "--service-url=" + s.url
	submit := func(flags ...string) []string {
		return append(append([]string{"submit", at}, flags...), "nomad", bin.sample, "-", "--name", s.topology, "--stmgrs", "2")
	}
	stop := func(words ...string) result {
		t.Helper()
		server := s.run
		client := s.startGuest(words...)
		eventually(t, "the submission has begun", func() bool { return len(s.nodes()) > 0 })
		if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it takes nothing new", func() bool {
			status, _, err := s.send("GET", "/readyz", "", nil)
			return err != nil || status == 503
		})
		r := client.wait(t)
		if ended := server.wait(t); ended.code != 0 {
			t.Errorf("the server: %s", ended)
		}
		return r
	}
	s.want(stop(submit("--wait=2m", "--stable-for=5s")...), 0, "runs at nomad/ann/default")
	s.begin()
	s.want(s.guest("kill", at, "nomad", s.topology), 0, "killed")
	if err := s.run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.want(s.run.wait(t), 0)

	for i, arg := range s.args {
		if arg == "--drain-timeout" {
			s.args[i+1] = "1s"
		}
	}
	s.begin()
	s.want(stop(submit("--wait=10m", "--stable-for=9m", "--rollback")...), 130, "the server is being stopped", "undone")
	s.nothingLeft()
}
