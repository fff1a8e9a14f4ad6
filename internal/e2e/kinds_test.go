package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
)

// shownArgs are words that a command line could take for its own, and echoed
// is how the test's programs show them.
func shownArgs() []string { return []string{"--eco-config-file", "f", "-r", "http://x", "-1"} }

const echoed = "<--eco-config-file>\n<f>\n<-r>\n<http://x>\n<-1>\n"

// of is the cluster for a subtest and its topology.
func (c *cluster) of(t *testing.T, topology string) *cluster {
	k := *c
	k.t, k.topology = t, topology
	return &k
}

// kindOfFile is one way to hand a topology over.
type kindOfFile struct {
	// file is called what the name in the package has to be.
	file, class string
	flags, args []string
	// shows is what the program prints.
	shows string
}

func TestEveryKindOfTopologyFileRuns(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	jar := func(t *testing.T, name string, data []byte) kindOfFile {
		return kindOfFile{
			file: writeFile(t, name, data, 0o600), class: "Main",
			flags: []string{"--topology-main-jvm-property", "name=java"},
			args:  shownArgs(), shows: echoed,
		}
	}
	for _, kind := range []struct {
		name, topology, packageType string
		make                        func(t *testing.T) kindOfFile
	}{
		{"jar", "java", "jar", func(t *testing.T) kindOfFile {
			return jar(t, "words.jar", javaTopology(t))
		}},
		{"tar with the jar of its name", "java", "tar", func(t *testing.T) kindOfFile {
			return jar(t, "words.tar", tarred(t, "words.jar", javaTopology(t)))
		}},
		{"tar.gz with a jar in libs", "java", "tar", func(t *testing.T) kindOfFile {
			return jar(t, "words.tar.gz", testenv.Gzip(t, tarred(t, "./libs/inner.jar", javaTopology(t))))
		}},
		{"pex run as it is", "python", "pex", func(t *testing.T) kindOfFile {
			file := writeFile(t, "words.pex", pythonTopology(t, definition(t, "python")), 0o700)
			return kindOfFile{file: file, class: "-", args: shownArgs(), shows: echoed}
		}},
		{"pex with a class", "python", "pex", func(t *testing.T) kindOfFile {
			file := writeFile(t, "words.pex", pythonTopology(t, definition(t, "python")), 0o700)
			return kindOfFile{file: file, class: "sample.topology.Sample", args: shownArgs(), shows: echoed}
		}},
		{"native executable", "native", "so", func(*testing.T) kindOfFile {
			return kindOfFile{file: bin.sample, class: "-", args: []string{"--name", "native", "--stmgrs", "2"}, shows: "sample topology native"}
		}},
		{"shared object with a program that writes the definition", "native", "so", func(t *testing.T) kindOfFile {
			file := writeFile(t, "libwords.so", []byte("\x7fELF, shipped and not run"), 0o600)
			writer := program(t, `for a; do echo "<$a>"; done; exec `+bin.sample+" --name native --stmgrs 2\n")
			return kindOfFile{file: file, class: writer, args: shownArgs(), shows: echoed}
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			c.of(t, kind.topology).checkKind(kind.make(t), kind.packageType)
		})
	}
}

// checkKind submits for real, looks into every container, and kills.
func (c *cluster) checkKind(k kindOfFile, packageType string) {
	c.t.Helper()
	args := append([]string{"submit", "--wait"}, k.flags...)
	args = append(args, "nomad", k.file, k.class)
	c.want(c.heron(append(args, k.args...)...), 0, k.shows, "topology "+c.topology+" runs at nomad/ann/default")
	base := filepath.Base(k.file)
	c.checkExecutorArgs("--pkg-type="+packageType, "--topology-binary-file="+base, "--topology-defn-file="+c.topology+".defn")
	// The stand-in's executors decode the definition and end if they cannot.
	if live := c.liveContainers(); len(live) != 3 {
		c.t.Errorf("containers: %v", live)
	}
	want := readFile(c.t, k.file)
	for index := range 3 {
		if got := c.containerFile(index, base); !bytes.Equal(got, want) {
			c.t.Errorf("container %d: %s has %d bytes and is not the topology file of %d bytes", index, base, len(got), len(want))
		}
		def := &heronpb.Topology{}
		if err := proto.Unmarshal(c.containerFile(index, c.topology+".defn"), def); err != nil || def.GetName() != c.topology {
			c.t.Errorf("container %d: definition of %q: %v", index, def.GetName(), err)
		}
	}
	c.checkStates(heronpb.TopologyState_RUNNING)
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// checkExecutorArgs looks for words in the stored job's command.
func (c *cluster) checkExecutorArgs(want ...string) {
	c.t.Helper()
	job := c.job()
	if job == nil {
		c.t.Fatalf("there is no job %s", c.jobID())
	}
	args := fmt.Sprint(job.TaskGroups[0].Tasks[0].Config["args"])
	for _, word := range want {
		if !strings.Contains(args+" ", " "+word+" ") {
			c.t.Errorf("want %s in the executor's arguments: %s", word, args)
		}
	}
}

// checkStates looks at the topology's state where it is stored: in the
// definition, and in the plan that the TManager made.
func (c *cluster) checkStates(want heronpb.TopologyState) {
	c.t.Helper()
	def, plan := &heronpb.Topology{}, &heronpb.PhysicalPlan{}
	for path, msg := range map[string]proto.Message{"/topologies/": def, "/pplans/": plan} {
		if err := proto.Unmarshal(c.node(c.root+path+c.topology), msg); err != nil {
			c.t.Fatalf("%s: %v", path, err)
		}
	}
	if got := def.GetState(); got != want {
		c.t.Errorf("the stored definition is %s, want %s", got, want)
	}
	if got := plan.GetTopology().GetState(); got != want {
		c.t.Errorf("the physical plan is %s, want %s", got, want)
	}
}

// container is the running allocation of an index.
func (c *cluster) container(index int) *api.Allocation {
	c.t.Helper()
	client := c.api()
	stubs, _, err := client.Jobs().Allocations(c.jobID(), false, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, stub := range stubs {
		if stub.ClientStatus != api.AllocClientStatusRunning || !strings.HasSuffix(stub.Name, fmt.Sprintf("[%d]", index)) {
			continue
		}
		alloc, _, err := client.Allocations().Info(stub.ID, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		return alloc
	}
	c.t.Fatalf("container %d of %s does not run", index, c.jobID())
	return nil
}

// inContainer is a path of a container's working directory, as Nomad names it.
func inContainer(index int, path string) string {
	return fmt.Sprintf("executor/local/container-%d/%s", index, path)
}

// containerFile reads a file of a container's working directory.
func (c *cluster) containerFile(index int, path string) []byte {
	c.t.Helper()
	r, err := c.api().AllocFS().Cat(c.container(index), inContainer(index, path), nil)
	if err != nil {
		c.t.Fatalf("container %d: %s: %v", index, path, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		c.t.Fatalf("container %d: %s: %v", index, path, err)
	}
	return data
}

// twoTopologies is a program that defines two.
func twoTopologies(t *testing.T, first, second string) string {
	t.Helper()
	return program(t, fmt.Sprintf("%[1]s --name %[3]s --stmgrs 1\n%[1]s --name %[2]s --stmgrs 1\n", bin.sample, first, second))
}

func TestProgramThatDefinesTwoTopologies(t *testing.T) {
	c := newCluster(t)
	a, b := c.of(t, "two-a"), c.of(t, "two-b")
	file := twoTopologies(t, a.topology, b.topology)
	r := c.heron("submit", "--wait", "nomad", file, "-")
	c.want(r, 0, "topology two-a runs", "topology two-b runs")
	for _, k := range []*cluster{a, b} {
		if live := k.liveContainers(); len(live) != 2 {
			t.Errorf("containers of %s: %v", k.topology, live)
		}
		members := k.packageOf()
		own := &heronpb.Topology{}
		if err := proto.Unmarshal(members.data(t, k.topology+".defn"), own); err != nil || own.GetName() != k.topology {
			t.Errorf("the package of %s has the definition of %q: %v", k.topology, own.GetName(), err)
		}
		for _, m := range members {
			if strings.HasSuffix(m.name, ".defn") && m.name != k.topology+".defn" {
				t.Errorf("the package of %s has %s in it", k.topology, m.name)
			}
		}
		if job := k.job(); job.Meta["topology.id"] != own.GetId() {
			t.Errorf("job %s is of topology %s, its package of %s", *job.ID, job.Meta["topology.id"], own.GetId())
		}
		k.want(k.kill(), 0)
	}
	a.nothingLeft()
	b.nothingLeft()
}

func TestNoneOfTwoTopologiesIsSubmittedWhereOneExists(t *testing.T) {
	c := newCluster(t)
	a, b := c.of(t, "two-a"), c.of(t, "two-b")
	b.want(b.submit("--wait"), 0)
	earlier := b.job()
	r := c.heron("submit", "--wait", "nomad", twoTopologies(t, a.topology, b.topology), "-")
	c.want(r, 5, `heron: topology "two-b" already exists`)
	if jobs := a.jobs(); len(jobs) > 0 {
		t.Errorf("two-a was submitted: %v", jobs)
	}
	if job := b.job(); job == nil || *job.Version != *earlier.Version || job.Meta["topology.id"] != earlier.Meta["topology.id"] {
		t.Errorf("the earlier two-b was changed: %+v", job)
	}
	b.want(b.kill(), 0)
	b.nothingLeft()
}

func TestFirstOfTwoTopologiesStaysWhereTheSecondFails(t *testing.T) {
	c := newCluster(t)
	a, b := c.of(t, "two-a"), c.of(t, "two-b")
	var registrations atomic.Int32
	proxy := c.throughHTTP()
	proxy.Fail(testenv.HTTPError, -1, func(method, path string) bool {
		return register(method, path) && registrations.Add(1) > 1
	})
	r := c.heron("submit", "--output", "json", "nomad", twoTopologies(t, a.topology, b.topology), "-")
	var doc struct {
		Submitted []struct{ Topology string }
		Error     struct {
			Message string
			Code    int `json:"exit_code"`
		}
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	if r.code != 7 || doc.Error.Code != 7 || !strings.Contains(doc.Error.Message, "register job") {
		t.Errorf("want exit code 7 and the reason: %s", r)
	}
	if len(doc.Submitted) != 1 || doc.Submitted[0].Topology != "two-a" {
		t.Errorf("want two-a as submitted: %s", r)
	}
	if a.job() == nil || b.job() != nil {
		t.Errorf("jobs: %v and %v, want that of two-a only", a.jobs(), b.jobs())
	}
	proxy.Heal()
	a.want(a.kill(), 0)
	a.nothingLeft()
	b.nothingLeft()
}

func TestReadyDefinitionRunsNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.topology = "ready"
	ready := writeFile(t, "any-name.defn", definition(t, c.topology), 0o600)

	marker := filepath.Join(t.TempDir(), "marker")
	script := program(t, "touch "+marker+"\nexit 1\n")
	c.want(c.heron("submit", "--dry-run", "nomad", script, "-"), 1)
	if err := os.Remove(marker); err != nil {
		t.Fatalf("without a definition the program did not run: %v", err)
	}
	c.want(c.heron("submit", "--dry-run", "--topology-definition", ready, "nomad", script), 0)
	if _, err := os.Stat(marker); err == nil {
		t.Error("with a definition the program ran")
	}

	// There is neither a class in the jar nor a Java to run it.
	jar := writeFile(t, "words.jar", zipped(t, map[string][]byte{"empty": nil}), 0o600)
	c.env = append(c.env, "PATH="+t.TempDir(), "JAVA_HOME=")
	c.want(c.heron("submit", "nomad", jar, "Main"), 2, "cannot find java")
	c.nothingLeft()
	r := c.heron("submit", "--wait", "--deploy-deactivated", "--topology-definition", ready, "nomad", jar)
	c.want(r, 0, "topology ready is up, paused, at")
	c.checkExecutorArgs("--pkg-type=jar", "--topology-binary-file=words.jar", "--topology-defn-file=ready.defn")
	c.checkStates(heronpb.TopologyState_PAUSED)
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func TestDeployDeactivated(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.submit("--wait", "--deploy-deactivated"), 0)
	c.checkStates(heronpb.TopologyState_PAUSED)
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func TestStateInLocalFiles(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	folder := c.inFolder()
	c.want(c.submit("--wait"), 0, "topology "+c.topology+" runs at")
	if live := c.liveContainers(); len(live) != 3 {
		t.Errorf("containers: %v", live)
	}
	plan := &heronpb.PhysicalPlan{}
	err := proto.Unmarshal(readFile(t, filepath.Join(folder, "pplans", c.topology)), plan)
	if err != nil || len(plan.GetStmgrs()) != 2 || plan.GetTopology().GetName() != c.topology {
		t.Errorf("physical plan of %q with %d stream managers: %v", plan.GetTopology().GetName(), len(plan.GetStmgrs()), err)
	}
	c.want(c.submit(), 5, "already exists")
	c.want(c.kill(), 0, "topology "+c.topology+" killed")
	c.nothingLeft()
	for _, path := range c.files(folder) {
		if strings.Contains(filepath.Base(path), c.topology) {
			t.Errorf("%s is left", path)
		}
	}
	c.want(c.kill(), 4)
}
