package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/hashicorp/nomad/api"
)

// originalScript does what the original client's heron_nomad.sh does.
const originalScript = `#!/bin/sh
set -e -x
rm -rf ${HERON_NOMAD_WORKING_DIR}
mkdir -p ${HERON_NOMAD_WORKING_DIR}
cd ${HERON_NOMAD_WORKING_DIR}
ln -s ${HERON_CORE_PACKAGE_DIR} heron-core
${HERON_TOPOLOGY_DOWNLOAD_CMD}
echo ${NOMAD_PORT_metrics_port} > ${METRICS_PORT_FILE}
trap 'kill -TERM $child; wait $child' TERM INT
${HERON_EXECUTOR_CMD} &
child=$!
wait $child
`

// original submits the sample topology as the original client does: the state
// without what is ours, and a job for each container. It returns the topology's id.
func (c *cluster) original() (id string) {
	c.t.Helper()
	// What both clients write alike, to the byte, is taken from ours.
	c.want(c.submit(), 0)
	job := c.job()
	id = job.Meta["topology.id"]
	if _, _, err := c.api().Jobs().Deregister(*job.ID, true, nil); err != nil {
		c.t.Fatal(err)
	}
	eventually(c.t, "the containers have ended", func() bool { return len(c.liveContainers()) == 0 })
	for _, dir := range []string{"deployments", "history", "operations", "owners"} {
		c.removeTree(c.root + "/" + dir)
	}
	// The engine's nodes go with the sessions of its processes.
	eventually(c.t, "the TManager's node is gone", func() bool {
		return !slices.ContainsFunc(c.nodes(), func(path string) bool { return strings.Contains(path, "/tmanagers/") })
	})
	c.removeTree(c.root + "/pplans/" + c.topology)

	work := filepath.Join(filepath.Dir(c.home), "herondata")
	core := c.unpackedCore()
	for index := range 3 {
		c.registerOriginal(job, id, index, work, core)
	}
	c.t.Cleanup(func() { c.purgeOriginals(id) })
	return id
}

// unpackedCore is a folder with the core.
func (c *cluster) unpackedCore() string {
	c.t.Helper()
	dir := c.t.TempDir()
	if out, err := exec.Command("tar", "-xzf", bin.core, "-C", dir).CombinedOutput(); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "heron-core")
}

// registerOriginal registers the job of one container.
func (c *cluster) registerOriginal(ours *api.Job, id string, index int, work, core string) {
	c.t.Helper()
	from := ours.TaskGroups[0].Tasks[0]
	in := func(text string) string { return strings.ReplaceAll(text, "${NOMAD_ALLOC_INDEX}", strconv.Itoa(index)) }
	name := fmt.Sprintf("%s-%d", c.topology, index)
	task := api.NewTask(name, "raw_exec").SetConfig("command", "/bin/sh").SetConfig("args", []string{"run_heron_executor.sh"})
	script, dest := originalScript, "run_heron_executor.sh"
	task.Templates = []*api.Template{{EmbeddedTmpl: &script, DestPath: &dest}}
	task.Env = map[string]string{
		"HERON_NOMAD_WORKING_DIR":     filepath.Join(work, fmt.Sprintf("container-%d", index)),
		"HERON_USE_CORE_PACKAGE_URI":  "false",
		"HERON_CORE_PACKAGE_DIR":      core,
		"HERON_TOPOLOGY_DOWNLOAD_CMD": "./heron-core/bin/heron-downloader -u " + from.Env["HERON_TOPOLOGY_PACKAGE_URI"] + " -f . -m local -p " + filepath.Join(c.home, "conf", "nomad") + " -d ./heron-core",
		// The original's script expands no variable in it.
		"HERON_EXECUTOR_CMD": strings.ReplaceAll(in(from.Env["HERON_EXECUTOR_CMD"]), "$JAVA_HOME", "/usr/lib/jvm/default-java"),
		"METRICS_PORT_FILE":  "port_file",
	}
	var ports []api.Port
	for _, network := range ours.TaskGroups[0].Networks {
		for _, port := range network.DynamicPorts {
			ports = append(ports, api.Port{Label: port.Label})
		}
	}
	cpu, memory := 10, 32
	task.Resources = &api.Resources{CPU: &cpu, MemoryMB: &memory, Networks: []*api.NetworkResource{{DynamicPorts: ports}}}
	jobID := fmt.Sprintf("%s-%d", id, index)
	job := &api.Job{
		ID: &jobID, Name: &name, Datacenters: []string{"dc1"},
		Meta:       map[string]string{"topology.name": c.topology, "topology.id": id},
		TaskGroups: []*api.TaskGroup{api.NewTaskGroup(name, 1).AddTask(task)},
	}
	if index > 0 {
		job.Meta["container.index"] = strconv.Itoa(index)
	}
	if _, _, err := c.api().Jobs().Register(job, nil); err != nil {
		c.t.Fatal(err)
	}
}

// originals are the jobs of the original client that are there.
func (c *cluster) originals(id string) (jobs []string) {
	c.t.Helper()
	list, _, err := c.api().Jobs().PrefixList(id)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, job := range list {
		jobs = append(jobs, job.ID)
	}
	return jobs
}

func (c *cluster) purgeOriginals(id string) {
	for _, job := range c.originals(id) {
		_, _, _ = c.api().Jobs().Deregister(job, true, nil)
	}
}

// removeTree removes a node with all below it, if it is there.
func (c *cluster) removeTree(path string) {
	c.t.Helper()
	c.zk(func(conn *zk.Conn) error {
		var all []string
		if err := walk(conn, path, func(path string) error { all = append(all, path); return nil }); err != nil {
			return err
		}
		slices.Reverse(all)
		for _, path := range all {
			if err := conn.Delete(path, -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
				return err
			}
		}
		return nil
	})
}

// A topology that the original client submitted is seen, paused, restarted and
// ended.
func TestTopologyOfTheOriginalClient(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	id := c.original()
	eventually(t, "the topology is healthy", func() bool { doc, code := c.statusDoc(); return code == 0 && doc.Health == "healthy" })
	doc, _ := c.statusDoc()
	if doc.ID != id || doc.Wanted != 3 || doc.Running != 3 || doc.State != "RUNNING" || len(doc.Containers) != 3 {
		t.Errorf("%+v", doc)
	}
	c.want(c.heron("topologies", "nomad"), 0, c.topology)
	c.want(c.heron("logs", "--tail", "1", "nomad", c.topology, "1"), 0)
	c.want(c.heron("doctor", "nomad", c.topology), 0, "healthy", "the original client submitted it")

	if got := c.wantSwitched(c.switchState("deactivate", "--output", "json"), "PAUSED", true); got != id {
		t.Errorf("id %s, want %s", got, id)
	}
	if got := c.restarted(c.restart("1", "--wait", "--output", "json")); got != "1 in_place" {
		t.Errorf("restarted %s", got)
	}
	c.wantRestarts("0 1 0")
	c.want(c.restart("", "--wait"), 0, "3 containers restarted, and it runs")
	c.wantRestarts("1 2 1")
	c.want(c.status(), 0, "is paused")
	c.wantSwitched(c.switchState("activate", "--output", "json"), "RUNNING", true)
	c.want(c.restart("7"), 4, "its containers are 0-2")

	// A submit of the name sees it too.
	c.want(c.submit(), 5, "already exists")

	c.want(c.kill(), 0, "killed", "kept")
	if left := c.originals(id); len(left) > 0 {
		t.Errorf("jobs are left: %v", left)
	}
	if left := c.nodes(); len(left) > 0 {
		t.Errorf("nodes are left: %v", left)
	}
	c.want(c.kill(), 4)
}

// An update makes one job of those of the original client. Interrupted, it starts
// those again; killed, the same command finishes it.
func TestUpdateMakesOneJobOfTheOriginals(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	id := c.original()
	healthy := func() bool { doc, code := c.statusDoc(); return code == 0 && doc.Health == "healthy" }
	eventually(t, "the topology is healthy", healthy)
	request := []string{"--component-parallelism", "count:5", "--runtime-config", "rate:5"}
	c.want(c.update(append(request, "--dry-run")...), 0, "would become one", "Container 3 NEW")

	until := func(run *running, says string) {
		eventually(t, "it says "+says, func() bool { return strings.Contains(run.errOut.String(), says) })
	}
	run := c.startUpdate(request...)
	until(run, "wait for the physical plan")
	_ = run.cmd.Process.Signal(os.Interrupt)
	c.want(run.wait(t), 130, "are stopped and become one")
	eventually(t, "the topology is healthy again", healthy)
	if jobs := c.originals(id); len(jobs) != 3 {
		t.Errorf("jobs %v", jobs)
	}
	if got := c.planned(); got != "RUNNING map[count:3 word:3] in 2" {
		t.Errorf("the topology is %s", got)
	}

	run = c.startUpdate(request...)
	until(run, "wait for the physical plan")
	_ = run.cmd.Process.Signal(os.Kill)
	run.wait(t)
	c.want(c.update("--container-number", "2"), 3, "repeat that command first")
	c.want(c.update(append(request, "--wait")...), 0, "5 of count, 3 of word in 3 containers", "were made one")
	if jobs := c.originals(id); len(jobs) > 0 {
		t.Errorf("jobs %v are left", jobs)
	}
	c.wantShape("RUNNING map[count:5 word:3] in 3 rate:runtime=5", 4)
	if got := c.job().Meta["topology.id"]; got != id {
		t.Errorf("id %s, want %s", got, id)
	}
	// From now on it is like any other.
	c.want(c.update("--component-parallelism", "count:3"), 0)
	c.want(c.heron("history", "nomad", c.topology), 0, "update")
	c.want(c.kill(), 0, "killed", "the original client stored it")
	if left := c.nodes(); len(left) > 0 {
		t.Errorf("nodes are left: %v", left)
	}
}
