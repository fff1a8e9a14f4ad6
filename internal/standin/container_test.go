package standin

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
)

// cluster runs a topology's containers as the scheduler would: each an
// executor process in a folder of its own.
type cluster struct {
	t          *testing.T
	connection string
	root       string
	zooKeeper  bool
	env        []string
	state      state
	topology   *heronpb.Topology
	ports      *ports
}

// ports hands out ports that no other test on this machine uses.
type ports struct {
	mu   sync.Mutex
	free []int
}

// portsOfATest is more than what all containers of one test take.
const portsOfATest = 150

func newPorts(t *testing.T) *ports { return &ports{free: testenv.Ports(t, portsOfATest)} }

func (p *ports) take(t *testing.T) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		t.Fatal("no port is left")
	}
	port := p.free[0]
	p.free = p.free[1:]
	return itoa(port)
}

// wordCount is the stored topology of the tests.
func wordCount(id string) *heronpb.Topology {
	comp := func(name string) *heronpb.Component {
		return &heronpb.Component{Name: &name, Config: &heronpb.Config{}}
	}
	return &heronpb.Topology{
		Id: &id, Name: proto.String("wc"), State: heronpb.TopologyState_RUNNING.Enum(),
		Spouts:         []*heronpb.Spout{{Comp: comp("word")}},
		Bolts:          []*heronpb.Bolt{{Comp: comp("count")}},
		TopologyConfig: &heronpb.Config{},
	}
}

// planOf has a spout and a bolt instance in each of n containers.
func planOf(id string, n int) *heronpb.PackingPlan {
	plan := &heronpb.PackingPlan{Id: &id}
	r := &heronpb.Resource{Cpu: proto.Float64(1), Ram: proto.Int64(1 << 30), Disk: proto.Int64(1 << 30)}
	for c := range int32(n) {
		part := &heronpb.ContainerPlan{Id: proto.Int32(c + 1), RequiredResource: r}
		for k, name := range []string{"word", "count"} {
			part.InstancePlans = append(part.InstancePlans, &heronpb.InstancePlan{
				ComponentName: proto.String(name), TaskId: proto.Int32(2*c + int32(k) + 1),
				ComponentIndex: proto.Int32(c), Resource: r,
			})
		}
		plan.ContainerPlans = append(plan.ContainerPlans, part)
	}
	return plan
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// files writes what the package and the start script leave in a container's
// folder, and returns it.
func (c *cluster) files(metricsPort string) string {
	c.t.Helper()
	dir := c.t.TempDir()
	internals := strings.ReplaceAll(strings.TrimSpace(internalsKeys), "\n", ": 1\n") + ": 1\n"
	internals = strings.Replace(internals, "heron.logging.directory: 1", "heron.logging.directory: log-files", 1)
	internals = strings.Replace(internals, "establish.retry.times: 1", "establish.retry.times: 30", 1)
	class := "org.apache.heron.statemgr.localfs.LocalFileSystemStateManager"
	if c.zooKeeper {
		class = zooKeeperClass
	}
	for name, text := range map[string]string{
		"heron-conf/heron_internals.yaml": internals,
		"heron-conf/override.yaml":        "",
		"heron-conf/stateful.yaml":        "heron.statefulstorage.classname: x\n",
		"heron-conf/statemgr.yaml":        "heron.class.state.manager: " + class + "\nheron.statemgr.root.path: " + c.root + "\n",
		"heron-conf/metrics_sinks.yaml":   "sinks: [file-sink, web]\nfile-sink: {class: f}\nweb: {class: " + prometheusSink + ", port-file: port_file}\n",
		"port_file":                       metricsPort + "\n",
		"wc.defn":                         string(marshal(c.t, c.topology)),
		"wc.jar":                          "jar",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "heron-core/bin"), 0o755); err != nil {
		c.t.Fatal(err)
	}
	for _, name := range []string{"executor", "tmanager", "stmgr", "shell"} {
		if err := os.Symlink(self, filepath.Join(dir, "heron-core/bin/heron-"+name)); err != nil {
			c.t.Fatal(err)
		}
	}
	return dir
}

// container is a running executor.
type container struct {
	t       *testing.T
	cmd     *exec.Cmd
	dir     string
	flags   flags
	metrics string
	ended   chan struct{}
}

// start runs container shard, with changes of its command line.
func (c *cluster) start(shard int, changes ...string) *container {
	c.t.Helper()
	metrics := c.ports.take(c.t)
	dir := c.files(metrics)
	args := commandLine(func() string { return c.ports.take(c.t) }, append([]string{
		"--topology-id=" + c.topology.GetId(), "--shard=" + itoa(shard),
		"--state-manager-connection=" + c.connection, "--state-manager-root=" + c.root,
	}, changes...)...)
	return c.run(dir, metrics, args)
}

func (c *cluster) run(dir, metrics string, args []string) *container {
	c.t.Helper()
	f, _ := parseExecutorFlags(args)
	k := &container{t: c.t, dir: dir, metrics: metrics, flags: f, ended: make(chan struct{})}
	out, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer out.Close()
	k.cmd = exec.Command("./heron-core/bin/heron-executor", args...)
	k.cmd.Dir, k.cmd.Stdout, k.cmd.Stderr = dir, out, out
	k.cmd.Env = append(os.Environ(), c.env...)
	if err := k.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() { _ = k.cmd.Wait(); close(k.ended) }()
	c.t.Cleanup(func() {
		_ = k.cmd.Process.Kill()
		<-k.ended
		if c.t.Failed() {
			c.t.Logf("output in %s:\n%s", dir, k.output())
		}
	})
	return k
}

func (k *container) output() string {
	data, _ := os.ReadFile(filepath.Join(k.dir, "stdout"))
	return string(data)
}

func (k *container) port(name string) int {
	n, err := strconv.Atoi(k.flags[name+"-port"])
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

// terminate sends SIGTERM and checks that the end is quick and as the real
// one's.
func (k *container) terminate() {
	k.t.Helper()
	if err := k.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		k.t.Fatal(err)
	}
	if code := k.wait(); code != int(syscall.SIGTERM) {
		k.t.Errorf("exit code %d after SIGTERM, want %d", code, syscall.SIGTERM)
	}
}

// wait is the exit code.
func (k *container) wait() int {
	k.t.Helper()
	select {
	case <-k.ended:
	case <-time.After(patience):
		k.t.Fatalf("container in %s does not end", k.dir)
	}
	return k.cmd.ProcessState.ExitCode()
}

// pid reads a pid file.
func (k *container) pid(name string) int {
	k.t.Helper()
	data, err := os.ReadFile(filepath.Join(k.dir, name+".pid"))
	if err != nil {
		k.t.Fatal(err)
	}
	n, err := strconv.Atoi(string(data))
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

// gone says whether a process has ended.
func gone(pid int) bool { return syscall.Kill(pid, 0) != nil }

// get asks container 0's controller.
func (k *container) get(path string) (int, string, error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", k.port("tmanager-controller"), path))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	return response.StatusCode, readAll(k.t, response.Body), nil
}

// answers waits until the physical plan is or is not complete.
func (k *container) answers(code int) {
	k.t.Helper()
	eventually(k.t, fmt.Sprintf("%d from the TManager", code), func() (bool, any) {
		got, body, err := k.get("/get_current_physical_plan")
		return err == nil && got == code, fmt.Sprint(got, body, err)
	})
}
