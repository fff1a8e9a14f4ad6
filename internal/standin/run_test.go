package standin

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
)

// zkCluster is a cluster with a root of its own on a real ZooKeeper, with
// what a submit leaves there.
func zkCluster(t *testing.T, server, id string, containers int, env ...string) *cluster {
	t.Helper()
	c := &cluster{
		t: t, connection: server, root: "/standin-" + id, zooKeeper: true,
		env: env, topology: wordCount(id), ports: newPorts(t),
	}
	s, err := openZooKeeper(t.Context(), []string{server}, c.root, 10*time.Second, discard(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	c.state = s
	c.submit(containers)
	return c
}

func (c *cluster) submit(containers int) {
	c.t.Helper()
	for _, dir := range []string{"", "topologies", "packingplans", "pplans", "tmanagers"} {
		if err := c.state.create(dir, nil, false); err != nil {
			c.t.Fatal(err)
		}
	}
	c.put(c.state.create("topologies/wc", marshal(c.t, c.topology), false))
	c.put(c.state.create("packingplans/wc", marshal(c.t, planOf(c.topology.GetId(), containers)), false))
}

func (c *cluster) put(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// plan is the stored physical plan, nil if there is none.
func (c *cluster) plan() *heronpb.PhysicalPlan {
	data, err := c.state.get("pplans/wc")
	if err != nil {
		return nil
	}
	plan := &heronpb.PhysicalPlan{}
	if err := proto.Unmarshal(data, plan); err != nil {
		c.t.Fatal(err)
	}
	return plan
}

// becomes waits for a physical plan with these data ports in order.
func (c *cluster) becomes(containers ...*container) *heronpb.PhysicalPlan {
	c.t.Helper()
	var plan *heronpb.PhysicalPlan
	eventually(c.t, "the physical plan of the running containers", func() (bool, any) {
		plan = c.plan()
		if len(plan.GetStmgrs()) != len(containers) {
			return false, plan
		}
		for i, k := range containers {
			if int(plan.GetStmgrs()[i].GetDataPort()) != k.port("server") {
				return false, plan
			}
		}
		return true, nil
	})
	return plan
}

// created is a node's creation transaction, 0 while it is absent.
func (c *cluster) created(node string) int64 {
	c.t.Helper()
	z, ok := c.state.(*zkState)
	if !ok {
		c.t.Fatal("no ZooKeeper here")
	}
	there, stat, err := z.conn.Exists(z.at(node))
	if err != nil {
		c.t.Fatal(err)
	}
	if !there {
		return 0
	}
	return stat.Czxid
}

func TestOnZooKeeper(t *testing.T) {
	server := testenv.ZooKeeper(t)
	t.Run("the life of a topology", func(t *testing.T) { t.Parallel(); testLife(t, server) })
	t.Run("a TManager that abandons its session", func(t *testing.T) { t.Parallel(); testAbandon(t, server) })
	t.Run("a directory that vanished", func(t *testing.T) { t.Parallel(); testDirectory(t, server) })
	t.Run("an executor that is killed", func(t *testing.T) { t.Parallel(); testKilled(t, server) })
}

// quick makes restarts short and leaves no stale location.
func quick() []string {
	return []string{envRestartDelay + "=100ms", envSession + "=close", envSessionTimeout + "=10s"}
}

func testLife(t *testing.T, server string) {
	c := zkCluster(t, server, "life", 2, quick()...)
	zero, one, two := c.start(0), c.start(1), c.start(2)

	plan := c.becomes(one, two)
	if !proto.Equal(plan.GetTopology(), c.topology) {
		t.Errorf("topology in the plan\n%v\nwant the stored one\n%v", plan.GetTopology(), c.topology)
	}
	var ids []string
	for _, i := range plan.GetInstances() {
		ids = append(ids, i.GetInstanceId()+"@"+i.GetStmgrId())
	}
	if got, want := strings.Join(ids, " "), "container_1_word_1@stmgr-1 container_1_count_2@stmgr-1 container_2_word_3@stmgr-2 container_2_count_4@stmgr-2"; got != want {
		t.Errorf("instances %s, want %s", got, want)
	}
	if s := plan.GetStmgrs()[0]; s.GetCwd() != realPath(t, one.dir) || int(s.GetShellPort()) != one.port("shell") ||
		int(s.GetLocalDataPort()) != one.port("tmanager-controller") || int(s.GetPid()) != one.cmd.Process.Pid {
		t.Errorf("stream manager 1 is stored as %v", s)
	}
	zero.answers(http.StatusOK)
	scrape(t, one, `instance_id="stmgr-1"`)
	scrape(t, zero, `component="__tmanager__"`)
	if first, _, _ := strings.Cut(one.output(), "\n"); first != Notice {
		t.Errorf("the first line of output is %q", first)
	}

	// Deactivation and runtime configuration: in the physical plan only.
	for _, path := range []string{"/deactivate?topologyid=life", "/runtime_config/update?topologyid=life&runtime-config=k:v"} {
		if code, body, err := zero.get(path); err != nil || code != http.StatusOK {
			t.Fatalf("%s: %d %s %v", path, code, body, err)
		}
	}
	if got := c.plan().GetTopology(); got.GetState() != heronpb.TopologyState_PAUSED || len(got.GetTopologyConfig().GetKvs()) != 1 {
		t.Errorf("the plan after deactivation has %v", got)
	}
	if data, err := c.state.get("topologies/wc"); err != nil || string(data) != string(marshal(t, c.topology)) {
		t.Errorf("the stored topology changed: %v", err)
	}

	// A container that goes changes no node; back, its ports are new, the
	// node and the state in it are not.
	born, before := c.created("pplans/wc"), marshal(t, c.plan())
	one.terminate()
	zero.answers(http.StatusBadRequest)
	if string(marshal(t, c.plan())) != string(before) {
		t.Error("the physical plan changed with a container that went")
	}
	one = c.start(1)
	plan = c.becomes(one, two)
	zero.answers(http.StatusOK)
	if c.created("pplans/wc") != born || plan.GetTopology().GetState() != heronpb.TopologyState_PAUSED {
		t.Errorf("after a restart of a container the plan is another: %v", plan.GetTopology())
	}

	// One container more: idle until the plan has it. The TManager begins
	// anew with the stored topology.
	three := c.start(3)
	eventually(t, "container 3 idles", func() (bool, any) {
		return strings.Contains(three.output(), "is not in the packing plan of 2 containers: idle"), three.output()
	})
	if listens(three.metrics) {
		t.Error("an idle container serves metrics")
	}
	c.put(c.state.set("packingplans/wc", marshal(t, planOf("life", 3))))
	plan = c.becomes(one, two, three)
	zero.answers(http.StatusOK)
	if c.created("pplans/wc") == born {
		t.Error("the physical plan was not made anew after a change of the packing plan")
	}
	if !proto.Equal(plan.GetTopology(), c.topology) {
		t.Errorf("state and runtime configuration outlived the plan: %v", plan.GetTopology())
	}

	// The end leaves no process, port or location.
	tmanager := zero.pid("heron-tmanager")
	for _, k := range []*container{zero, one, two, three} {
		k.terminate()
		for _, port := range []string{k.flags["server-port"], k.flags["shell-port"], k.metrics} {
			if listens(port) {
				t.Errorf("port %s of container %d is still open", port, k.flags.shard())
			}
		}
	}
	if !gone(tmanager) {
		t.Errorf("TManager %d outlived its executor", tmanager)
	}
	if c.created("tmanagers/wc") != 0 {
		t.Error("the TManager's location is still there")
	}
}

// testAbandon: a TManager that exits by itself leaves its location until the
// session ends; the next one waits, and whoever deletes the stale node saves
// that time.
func testAbandon(t *testing.T, server string) {
	c := zkCluster(t, server, "abandon", 1, envRestartDelay+"=100ms", envSessionTimeout+"=20s")
	zero, one := c.start(0), c.start(1)
	c.becomes(one)
	location, plan := c.created("tmanagers/wc"), c.created("pplans/wc")

	// A write of the same plan is a change, too.
	c.put(c.state.set("packingplans/wc", marshal(t, planOf("abandon", 1))))
	eventually(t, "the next TManager waits for the old one's location", func() (bool, any) {
		return strings.Contains(zero.output(), "Topology Manager node already exists"), zero.output()
	})
	if c.created("tmanagers/wc") != location {
		t.Error("the stale location is not there")
	}
	if c.created("pplans/wc") != 0 {
		t.Error("the physical plan is still there")
	}
	started := time.Now()
	c.put(c.state.delete("tmanagers/wc"))
	c.becomes(one)
	if d := time.Since(started); d > 15*time.Second {
		t.Errorf("the plan came back after %s: nobody noticed the deletion", d)
	}
	if now := c.created("pplans/wc"); now == plan {
		t.Error("the physical plan is the old one")
	}
	zero.answers(http.StatusOK)
}

// testDirectory: without its parent the physical plan cannot be made, and
// the TManager dies over it until somebody makes the directory.
func testDirectory(t *testing.T, server string) {
	c := zkCluster(t, server, "dir", 1, quick()...)
	c.put(c.state.delete("pplans"))
	zero, one := c.start(0), c.start(1)
	eventually(t, "two deaths of the TManager", func() (bool, any) {
		return strings.Count(zero.output(), "the directory above does not exist") > 1, zero.output()
	})
	c.put(c.state.create("pplans", nil, false))
	c.becomes(one)
}

// testKilled: no process outlives an executor that had no time to end its
// children.
func testKilled(t *testing.T, server string) {
	c := zkCluster(t, server, "killed", 1, quick()...)
	zero, one := c.start(0), c.start(1)
	c.becomes(one)
	tmanager := zero.pid("heron-tmanager")
	if err := zero.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the TManager ends with its executor", func() (bool, any) { return gone(tmanager), tmanager })
	// The shell port ends a container for whoever is on the machine.
	url := fmt.Sprintf("http://127.0.0.1:%d/killexecutor", one.port("shell"))
	response, err := http.Post(url, "application/x-www-form-urlencoded", strings.NewReader("secret=wrong"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %s", response.Status)
	}
	if code := one.wait(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
}

// localCluster keeps its state in files and has no packing plan yet.
func localCluster(t *testing.T, env ...string) *cluster {
	c := &cluster{
		t: t, connection: localMode, root: t.TempDir(), topology: wordCount("local"), ports: newPorts(t),
		env: append(env, envRestartDelay+"=100ms"),
	}
	c.state = newFileState(c.root)
	for _, dir := range []string{"topologies", "packingplans", "pplans", "tmanagers"} {
		c.put(os.Mkdir(filepath.Join(c.root, dir), 0o755))
	}
	c.put(c.state.create("topologies/wc", marshal(t, c.topology), false))
	return c
}

func TestOnLocalFiles(t *testing.T) {
	t.Parallel()
	c := localCluster(t)
	zero, one := c.start(0), c.start(1)
	// The packing plan may come after the containers.
	c.put(c.state.create("packingplans/wc", marshal(t, planOf("local", 1)), false))
	c.becomes(one)
	if code, body, err := zero.get("/deactivate?topologyid=local"); err != nil || code != http.StatusOK {
		t.Fatalf("%d %s %v", code, body, err)
	}
	two := c.start(2)
	c.put(c.state.set("packingplans/wc", marshal(t, planOf("local", 2))))
	if plan := c.becomes(one, two); plan.GetTopology().GetState() != heronpb.TopologyState_RUNNING {
		t.Error("the state outlived a change of the packing plan")
	}
	for _, k := range []*container{zero, one, two} {
		k.terminate()
	}
}

func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	c := localCluster(t, envFail+"="+failNeverRegister+"@1,"+failIgnoreTerm+"@2")
	c.put(c.state.create("packingplans/wc", marshal(t, planOf("local", 2)), false))
	zero, one, two := c.start(0), c.start(1), c.start(2)
	eventually(t, "container 1 does not register", func() (bool, any) {
		return strings.Contains(one.output(), "does not register: HERON_STANDIN_FAIL asks for it"), one.output()
	})
	eventually(t, "container 2 does", func() (bool, any) {
		return strings.Contains(zero.output(), "register stream manager request from stmgr-2"), zero.output()
	})
	zero.answers(http.StatusBadRequest)
	if code, body, err := zero.get("/activate?topologyid=local"); err != nil || code != http.StatusInternalServerError || !strings.Contains(body, "not initialized") {
		t.Errorf("activate without a plan: %d %s %v", code, body, err)
	}
	if err := two.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "container 2 notes the signal", func() (bool, any) {
		return strings.Contains(two.output(), "Ignoring a signal"), two.output()
	})
	if !listens(two.flags["server-port"]) {
		t.Error("container 2 ended on SIGTERM")
	}
	if c.plan() != nil {
		t.Error("there is a physical plan without stream manager 1")
	}
}

func realPath(t *testing.T, dir string) string {
	t.Helper()
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return real
}

func listens(port string) bool {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

func scrape(t *testing.T, k *container, want string) {
	t.Helper()
	response, err := http.Get("http://127.0.0.1:" + k.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body := readAll(t, response.Body); !strings.Contains(body, want) || !strings.Contains(body, `cluster_role_env="nomad/ads/prod"`) {
		t.Errorf("metrics %s\nwant %s", body, want)
	}
}
