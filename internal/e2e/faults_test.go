package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// register matches the request that registers a job.
func register(method, path string) bool { return method == "PUT" && path == "/v1/jobs" }

func anything(string, string) bool { return true }

// throughHTTP puts a fault proxy between heron and Nomad.
func (c *cluster) throughHTTP() *testenv.HTTPFaultProxy {
	p := testenv.HTTPProxy(c.t, c.nomad)
	c.properties["heron.nomad.scheduler.uri"] = p.URL
	return p
}

// throughTCP puts a fault proxy between heron and ZooKeeper. Executors are
// given the same address.
func (c *cluster) throughTCP() *testenv.FaultProxy {
	p := testenv.Proxy(c.t, c.zookeeper)
	c.properties["heron.statemgr.connection.string"] = p.Addr
	return p
}

func TestNomadFailsDuringSubmit(t *testing.T) {
	t.Parallel()
	for _, f := range []struct {
		name  string
		fault testenv.HTTPFault
		times int
		match func(method, path string) bool
		code  int
		says  string
	}{
		{"cuts every connection", testenv.HTTPCut, -1, anything, 6, "read job"},
		{"answers 500 to everything", testenv.HTTPError, -1, anything, 6, "500"},
		{"never answers anything", testenv.HTTPHang, -1, anything, 6, "read job"},
		{"answers 500 to the registration", testenv.HTTPError, -1, register, 7, "500"},
		{"cuts the registration", testenv.HTTPCut, -1, register, 7, "register job"},
		{"never answers the registration", testenv.HTTPHang, -1, register, 7, "register job"},
	} {
		t.Run(f.name, func(t *testing.T) {
			c := newCluster(t)
			c.properties["heron.nomad.request.timeout"] = "2s"
			p := c.throughHTTP()
			p.Fail(f.fault, f.times, f.match)
			r := c.submit()
			c.want(r, f.code, f.says, "heron: ")
			if !strings.Contains(r.errOut, p.URL) && !strings.Contains(r.errOut, strings.TrimPrefix(p.URL, "http://")) {
				t.Errorf("the address %s is not named: %s", p.URL, r)
			}
			c.nothingLeft()
		})
	}
}

func TestLostRepliesToARegistrationAreNoFailure(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]testenv.HTTPFault{
		"500":       testenv.HTTPErrorLost,
		"cut":       testenv.HTTPCutLost,
		"no answer": testenv.HTTPHangLost,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.properties["heron.nomad.request.timeout"] = "2s"
			c.throughHTTP().Fail(fault, 1, register)
			c.want(c.submit(), 0, "submitted")
			c.want(c.kill(), 0)
			c.nothingLeft()
		})
	}
}

// onRegister calls f once, when the registration arrives, before it is
// forwarded or failed.
func onRegister(f func()) func(method, path string) bool {
	var once sync.Once
	return func(method, path string) bool {
		if register(method, path) {
			once.Do(f)
		}
		return false
	}
}

func TestNomadIsKilledDuringSubmit(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	server, err := testenv.StartNomad(t.Context(), t.TempDir(), testenv.NomadOptions{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	c.nomad = server.Addr
	c.properties["heron.nomad.request.timeout"] = "3s"
	p := c.throughHTTP()
	p.Fail(testenv.HTTPCut, -1, onRegister(func() {
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
	}))
	r := c.submit()
	// Whether the job got there cannot be known, so it is named.
	c.want(r, 8, "still there: job "+c.jobID(), " nomad/ann/default "+c.topology)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.want(c.kill("--ignore-missing"), 0)
	c.nothingLeft()
}

func TestZooKeeperRefuses(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.throughTCP().Down()
	c.want(c.submit(), 6, "ZooKeeper at "+c.properties["heron.statemgr.connection.string"], "connection refused", "heron.statemgr.connection.string in ")
	c.want(c.kill(), 6, "ZooKeeper at")
	c.nothingLeft()
}

func TestZooKeeperNeverAnswers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.throughTCP().Silent()
	c.want(c.submit(), 6, "ZooKeeper at "+c.properties["heron.statemgr.connection.string"])
	c.nothingLeft()
}

func TestZooKeeperIsLostInTheMiddle(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	zoo := c.throughTCP()
	nomad := c.throughHTTP()
	// The state is written; the registration fails and the state is out of
	// reach.
	nomad.Fail(testenv.HTTPError, -1, onRegister(zoo.Down))
	nomad.Fail(testenv.HTTPError, -1, register)
	c.want(c.submit(), 8, "still there: state of topology "+c.topology, " nomad/ann/default "+c.topology)

	zoo.Up()
	nomad.Heal()
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func TestInterruptedSubmitLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]os.Signal{"SIGINT": os.Interrupt, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			p := c.throughHTTP()
			arrived := make(chan struct{})
			p.Fail(testenv.HTTPHangLost, 1, func(method, path string) bool {
				if register(method, path) {
					select {
					case <-arrived:
					default:
						close(arrived)
					}
					return true
				}
				return false
			})
			run := c.startSubmit()
			<-arrived
			if err := run.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			c.want(run.wait(t), 130, "interrupted", "nothing is left")
			c.nothingLeft()
		})
	}
}

// program writes a topology program in shell.
func program(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return path
}

const tmpFolder = `dir=${HERON_OPTIONS#cmdline.topologydefn.tmpdirectory=}; dir=${dir%%,*}` + "\n"

func TestUserProgramFails(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]struct {
		body string
		code int
		says string
	}{
		"exits 1":        {"echo broken here >&2; exit 1\n", 1, "broken here"},
		"writes nothing": {"exit 0\n", 1, "wrote no topology definition"},
		"writes garbage": {tmpFolder + "echo garbage >\"$dir/x.defn\"\n", 1, "x.defn"},
		"dies":           {"kill -9 $$\n", 1, "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.want(c.heron("submit", "nomad", program(t, p.body), "-"), p.code, p.says)
			c.nothingLeft()
		})
	}
}

func TestUserProgramHangsAndIsInterrupted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	pid := filepath.Join(t.TempDir(), "pid")
	run := c.start("submit", "nomad", program(t, "echo $$ >"+pid+"; echo started; sleep 1000\n"), "-")
	eventually(t, "the program runs", func() bool { return strings.Contains(run.errOut.String(), "started") })
	run.interrupt(t)
	c.want(run.wait(t), 130)
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(text))); err == nil {
		t.Errorf("process %s is left", text)
	}
	c.nothingLeft()
}

func TestForeignJobIsNotTouched(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	id, kind := c.jobID(), api.JobTypeBatch
	job := api.NewBatchJob(id, "somebody else's", "global", 50)
	job.Datacenters, job.Type = []string{"*"}, &kind
	job.AddTaskGroup(api.NewTaskGroup("g", 1).AddTask(api.NewTask("t", "raw_exec").SetConfig("command", "/bin/sleep").SetConfig("args", []string{"600"})))
	client := c.api()
	if _, _, err := client.Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
	before := *c.job().JobModifyIndex
	c.want(c.submit(), 5, "is not a topology of this cluster")
	c.want(c.kill(), 5, "nothing was touched")
	if after := c.job(); after == nil || *after.JobModifyIndex != before {
		t.Errorf("the job was changed: %+v", after)
	}
	if _, _, err := client.Jobs().Deregister(id, true, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job has ended", func() bool { return len(c.liveContainers()) == 0 })
	c.nothingLeft()
}

func TestKillWorksWhenHalfIsGone(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(c *cluster){
		"the job": func(c *cluster) {
			if _, _, err := c.api().Jobs().Deregister(c.jobID(), true, nil); err != nil {
				c.t.Fatal(err)
			}
		},
		"the state": func(c *cluster) { c.removeState() },
		"the package": func(c *cluster) {
			if err := os.RemoveAll(c.packages); err != nil {
				c.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.want(c.submit(), 0)
			lose(c)
			c.want(c.kill(), 0)
			eventually(t, "all containers have ended", func() bool { return len(c.liveContainers()) == 0 })
			c.nothingLeft()
		})
	}
}

func TestWaitExpires(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.datacenters"] = "nowhere"
	c.want(c.submit("--wait=20s"), 9, "is submitted, but does not run", " nomad/ann/default "+c.topology)
	c.want(c.kill(), 0)
	c.nothingLeft()
}
