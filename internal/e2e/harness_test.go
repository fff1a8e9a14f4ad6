package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/testenv/jsondoc"
)

// patience is how long a test waits for something that should happen soon. It
// only shows where something is broken.
const patience = 2 * time.Minute

// built is what all tests run, made once in TestMain.
type built struct {
	heron, sample, core string
}

var bin built

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "heron-e2e")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build what the tests run:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(dir string) error {
	bin = built{
		heron:  filepath.Join(dir, "heron"),
		sample: filepath.Join(dir, "sample-topology"),
		core:   filepath.Join(dir, "heron-core.tar.gz"),
	}
	for _, args := range [][]string{
		{"go", "build", "-o", bin.heron, "./cmd/heron"},
		{"go", "build", "-o", bin.sample, "./scripts/sample-topology"},
		{"scripts/standin-core", bin.core},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = testenv.Root()
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// cluster is a user with an installation, and servers.
type cluster struct {
	t *testing.T
	// nomad and zookeeper are the real servers; the user may be given others.
	nomad, zookeeper string
	// credentials are those for the real ZooKeeper, "" for none.
	credentials    string
	home, packages string
	// core is the engine that is installed there.
	core      string
	tmp, root string
	// topology is a name that no other test uses.
	topology string
	// net, unless nil, is the network that the servers are in.
	net        *testenv.PrivateNet
	properties map[string]string
	env        []string
	client     *api.Client
}

// newCluster installs heron for one test, with a state root and a topology
// name of its own.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	return newClusterAt(t, testenv.Nomad(t), testenv.ZooKeeper(t), nil)
}

// newClusterAt is newCluster for servers of the test's own, in a network of
// its own if that is not nil.
func newClusterAt(t *testing.T, nomad, zookeeper string, net *testenv.PrivateNet) *cluster {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", " ", "-").Replace(t.Name()))
	if len(name) > 38 {
		name = name[len(name)-38:]
	}
	dir := t.TempDir()
	c := &cluster{
		t:         t,
		nomad:     nomad,
		zookeeper: zookeeper,
		net:       net,
		home:      filepath.Join(dir, "home"),
		core:      bin.core,
		packages:  filepath.Join(dir, "packages"),
		tmp:       filepath.Join(dir, "tmp"),
		root:      fmt.Sprintf("/e2e-%s-%d", name, os.Getpid()),
		topology:  strings.Trim(name, "-"),
	}
	if err := os.Mkdir(c.tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	c.properties = map[string]string{
		"heron.nomad.scheduler.uri":                      c.nomad,
		"heron.nomad.request.timeout":                    "5s",
		"heron.statemgr.connection.string":               c.zookeeper,
		"heron.statemgr.root.path":                       c.root,
		"heron.statemgr.zookeeper.session.timeout.ms":    "6000",
		"heron.statemgr.zookeeper.connection.timeout.ms": "5000",
		"heron.uploader.localfs.file.system.directory":   c.packages,
	}
	c.env = []string{
		"HOME=" + dir, "USER=ann", "HERON_HOME=" + c.home, "TMPDIR=" + c.tmp, "PATH=" + os.Getenv("PATH"),
		"JAVA_HOME=" + os.Getenv("JAVA_HOME"),
	}
	if r := c.heron("init", "--prefix", c.home, "--core", bin.core); r.code != 0 {
		t.Fatalf("heron init: %s", r)
	}
	t.Cleanup(c.removeState)
	return c
}

// result is one finished run of heron.
type result struct {
	code        int
	out, errOut string
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\nstdout:\n%s\nstderr:\n%s", r.code, r.out, r.errOut)
}

// checkJSON holds a result in JSON against the schema of the command. What a
// test kills prints nothing.
func (r result) checkJSON(t *testing.T, args []string) {
	t.Helper()
	command, asked, stream := jsondoc.Asked(args)
	if !asked || r.code < 0 {
		return
	}
	if err := jsondoc.Check(command, r.out, stream); err != nil {
		t.Errorf("%v: %s", err, r)
	}
}

// running is a run of heron that has not ended.
type running struct {
	args        []string
	cmd         *exec.Cmd
	out, errOut lockedBuffer
	done        chan struct{}
}

// lockedBuffer can be read while a process still writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start runs heron with the test's configuration.
func (c *cluster) start(args ...string) *running {
	c.t.Helper()
	line := args[:1:1]
	switch args[0] {
	case "submit", "plan", "kill", "unlock", "doctor", "activate", "deactivate", "restart", "update", "gc", "status", "topologies", "logs", "history", "rollback":
		for key, value := range c.properties {
			line = append(line, "--config-property", key+"="+value)
		}
	}
	r := &running{args: args, cmd: exec.Command(bin.heron, append(line, args[1:]...)...), done: make(chan struct{})}
	r.cmd.Env = c.env
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.errOut
	if err := r.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait()
	}()
	c.t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.done
	})
	return r
}

// wait returns when the run has ended.
func (r *running) wait(t *testing.T) result {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		_ = r.cmd.Process.Signal(syscall.SIGQUIT)
		<-r.done
		t.Fatalf("heron did not end in %s:\n%s", patience, r.errOut.String())
	}
	ended := result{code: r.cmd.ProcessState.ExitCode(), out: r.out.String(), errOut: r.errOut.String()}
	ended.checkJSON(t, r.args)
	return ended
}

func (r *running) interrupt(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
}

func (c *cluster) heron(args ...string) result {
	c.t.Helper()
	return c.start(args...).wait(c.t)
}

// submit submits the sample topology; flags go before the positionals.
func (c *cluster) submit(flags ...string) result {
	c.t.Helper()
	return c.startSubmit(flags...).wait(c.t)
}

func (c *cluster) startSubmit(flags ...string) *running {
	c.t.Helper()
	args := append([]string{"submit"}, flags...)
	return c.start(append(args, "nomad", bin.sample, "-", "--name", c.topology, "--stmgrs", "2")...)
}

func (c *cluster) kill(flags ...string) result {
	c.t.Helper()
	return c.heron(append(append([]string{"kill"}, flags...), "nomad", c.topology)...)
}

// want fails the test unless a run ended with a code and said something.
func (c *cluster) want(r result, code int, says ...string) {
	c.t.Helper()
	if r.code != code {
		c.t.Fatalf("want exit code %d: %s", code, r)
	}
	for _, text := range says {
		if !strings.Contains(r.out+r.errOut, text) {
			c.t.Errorf("want output with %q: %s", text, r)
		}
	}
}
