package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/hashicorp/nomad/api"
)

// examined is a report of doctor.
type examined struct {
	Checks []struct {
		Check, About, Status, Text, Advice, Remedy string
	}
	Problems, Warnings int
}

// doctor runs doctor on the cluster of the test, and checks its exit code.
func (c *cluster) doctor(code int, args ...string) examined {
	c.t.Helper()
	r := c.heron(append([]string{"doctor", "--output", "json"}, args...)...)
	c.want(r, code)
	var doc examined
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
		c.t.Fatalf("%v: %s", err, r)
	}
	return doc
}

// has returns the first check of a name and status whose text, advice and
// remedy have the words.
func (e examined) has(name, status, words string) bool {
	for _, c := range e.Checks {
		if c.Check == name && c.Status == status && strings.Contains(c.Text+" "+c.Advice+" "+c.Remedy, words) {
			return true
		}
	}
	return false
}

func (c *cluster) wantCheck(e examined, name, status, words string) {
	c.t.Helper()
	if !e.has(name, status, words) {
		c.t.Errorf("no check %s %s with %q in %+v", name, status, words, e)
	}
}

// doctorJobs are the jobs that ask nodes.
func (c *cluster) doctorJobs() []string {
	c.t.Helper()
	stubs, _, err := c.api().Jobs().PrefixList("heron-doctor.")
	if err != nil {
		c.t.Fatal(err)
	}
	var ids []string
	for _, stub := range stubs {
		ids = append(ids, stub.ID)
	}
	return ids
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit("--wait"), 0)
	e := c.doctor(0, "nomad")
	c.wantCheck(e, "topology", "ok", "healthy")
	c.wantCheck(e, "state", "ok", "version 3.")
	c.wantCheck(e, "token", "ok", "list-jobs, read-job, submit-job")
	for _, name := range []string{"clock", "nodes", "directories", "uploader", "packages", "configuration"} {
		c.wantCheck(e, name, "ok", "")
	}
	if e.Problems != 0 {
		t.Errorf("%+v", e)
	}
	c.want(c.heron("doctor", "nomad", c.topology), 0, "healthy", "0 problems")
	c.want(c.heron("doctor", "nomad", "nosuch"), 3, "there is no such topology")

	// What is broken is found, each with what repairs it.
	var files []string
	for _, f := range c.files(c.packages) {
		if strings.HasSuffix(f, ".tar.gz") {
			files = append(files, f)
		}
	}
	if len(files) != 1 {
		t.Fatalf("packages: %v", files)
	}
	if err := os.Rename(files[0], filepath.Join(c.tmp, "away")); err != nil {
		t.Fatal(err)
	}
	c.wantCheck(c.doctor(3, "nomad", c.topology), "topology", "problem", "its package is gone")
	if err := os.Rename(filepath.Join(c.tmp, "away"), files[0]); err != nil {
		t.Fatal(err)
	}
	job := c.job()
	if _, _, err := c.api().Jobs().Deregister(*job.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	e = c.doctor(3, "nomad")
	c.wantCheck(e, "topology", "problem", "it has no job")
	c.wantCheck(e, "topology", "problem", "heron kill")
	c.want(c.kill(), 0)

	c.zk(func(conn *zk.Conn) error { return conn.Delete(c.root+"/pplans", -1) })
	c.wantCheck(c.doctor(3, "nomad"), "directories", "problem", "/pplans")
	c.want(c.submit(), 0)
	c.wantCheck(c.doctor(0, "nomad"), "directories", "ok", "")

	c.zk(func(conn *zk.Conn) error { return conn.Delete(c.root+"/topologies/"+c.topology, -1) })
	c.wantCheck(c.doctor(3, "nomad"), "topology", "problem", "its state is incomplete")
	c.removeState()
	c.wantCheck(c.doctor(3, "nomad"), "topology", "problem", "and no state")
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// Servers that cannot be reached hide nothing of the others.
func TestDoctorWithoutServers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.request.timeout"] = "1s"
	c.properties["heron.nomad.scheduler.uri"] = "http://127.0.0.1:1"
	e := c.doctor(6, "nomad")
	c.wantCheck(e, "nomad", "problem", "127.0.0.1:1")
	c.wantCheck(e, "state", "ok", "")
	c.wantCheck(e, "uploader", "ok", "")

	c.properties["heron.nomad.scheduler.uri"] = c.nomad
	c.properties["heron.statemgr.connection.string"] = "127.0.0.1:1," + c.zookeeper
	c.wantCheck(c.doctor(0, "nomad"), "state", "warning", "127.0.0.1:1")
	c.properties["heron.statemgr.connection.string"] = "127.0.0.1:1"
	e = c.doctor(6, "nomad")
	c.wantCheck(e, "state", "problem", "127.0.0.1:1")
	c.wantCheck(e, "nomad", "warning", "answers")
	c.wantCheck(e, "nodes", "ok", "")
}

func TestDoctorOnNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	// The setup of the tests installs all that nodes need.
	e := c.doctor(0, "--nodes", "nomad")
	if !slices.ContainsFunc(e.Checks, func(k struct{ Check, About, Status, Text, Advice, Remedy string }) bool {
		return k.Check == "node" && strings.Contains(k.Text, "tar: ") && strings.Contains(k.Text, c.zookeeper+" can be reached")
	}) {
		t.Errorf("%+v", e)
	}
	if left := c.doctorJobs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	run := c.start("doctor", "--nodes", "nomad")
	eventually(t, "its job is there", func() bool { return len(c.doctorJobs()) > 0 })
	run.interrupt(t)
	r := run.wait(t)
	if r.code != 130 && r.code != 0 && r.code != 3 {
		t.Errorf("%s", r)
	}
	var answer api.UnexpectedResponseError
	for _, id := range c.doctorJobs() {
		if _, _, err := c.api().Jobs().Info(id, nil); !errors.As(err, &answer) {
			t.Errorf("job %s is left (%v)\n%s", id, err, r)
		}
	}
}
