package commandbench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// cluster is a user with an installation, a topology of one size, and servers
// of their own.
type cluster struct {
	p        programs
	size     int
	topology string
	dir      string
	env      []string
	flags    []string
	order    order
	state    *zk.Conn
	jobs     *api.Client
}

// order is what the program bare is given; see there.
type order struct {
	ZooKeeper, Nomad        string
	Nodes                   []node
	JobID, Job              string
	Package, Stored, Folder string
	Files, Get              []string
	Containers              int
}

type node struct {
	Path string
	Data []byte
}

// Roots of the state, of ours and of the bare requests.
const (
	root     = "/heron"
	bareRoot = "/bare"
)

// unplaceable is a constraint that no node meets.
const unplaceable = `
heron.nomad.constraints:
  - {attribute: "${attr.kernel.name}", value: "no-such-kernel"}
`

// newCluster has servers that nothing else uses: what one size leaves behind
// does not weigh on the next. Its containers have no place.
func newCluster(b *testing.B, p programs, size int) *cluster {
	b.Helper()
	return newClusterOf(b, p, size, unplaceable)
}

// newClusterOf is newCluster with other settings at the end of scheduler.yaml.
func newClusterOf(b *testing.B, p programs, size int, settings string) *cluster {
	b.Helper()
	dir := b.TempDir()
	c := &cluster{p: p, size: size, dir: dir, topology: fmt.Sprintf("bench-%d", size)}
	nomad, err := testenv.StartNomad(b.Context(), folder(b, dir, "nomad"), testenv.NomadOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stop(b, nomad) })
	zookeeper, err := testenv.StartZooKeeper(b.Context(), folder(b, dir, "zookeeper"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stop(b, zookeeper) })

	c.env = []string{
		"HOME=" + dir, "USER=ann", "HERON_HOME=" + filepath.Join(dir, "home"), "PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + folder(b, dir, "tmp"),
	}
	for _, property := range []string{
		"heron.nomad.scheduler.uri=" + nomad.Addr,
		"heron.statemgr.connection.string=" + zookeeper.Addr,
		"heron.statemgr.root.path=" + root,
		"heron.uploader.localfs.file.system.directory=" + filepath.Join(dir, "packages"),
	} {
		c.flags = append(c.flags, "--config-property", property)
	}
	c.must(b, "init", "--prefix", filepath.Join(dir, "home"), "--core", p.core)
	scheduler := filepath.Join(dir, "home", "conf", "nomad", "scheduler.yaml")
	shipped, err := os.ReadFile(scheduler)
	if err != nil {
		b.Fatal(err)
	}
	write(b, scheduler, append(shipped, settings...))
	write(b, filepath.Join(dir, "topology.defn"), definition(b, c.topology, size))
	write(b, filepath.Join(dir, "topology.jar"), noise(64<<10))

	c.order = order{
		ZooKeeper: zookeeper.Addr, Nomad: nomad.Addr, JobID: "bare-" + c.topology,
		Job: filepath.Join(dir, "job.json"), Package: filepath.Join(dir, "package.tar.gz"),
		Stored: filepath.Join(dir, "stored.tar.gz"), Folder: filepath.Join(dir, "unpacked"),
	}
	if c.state, _, err = zk.Connect([]string{zookeeper.Addr}, 10*time.Second, zk.WithLogInfo(false)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.state.Close)
	if c.jobs, err = api.NewClient(&api.Config{Address: nomad.Addr}); err != nil {
		b.Fatal(err)
	}
	return c
}

func stop(b *testing.B, s *testenv.Server) {
	if err := s.Stop(); err != nil {
		b.Error(err)
	}
}

// submitLine and killLine are the command lines that are measured.
func (c *cluster) submitLine() []string {
	line := append([]string{"submit"}, c.flags...)
	return append(line, "--topology-definition", filepath.Join(c.dir, "topology.defn"), "nomad/ads/prod", filepath.Join(c.dir, "topology.jar"))
}

func (c *cluster) killLine() []string {
	return append(append([]string{"kill"}, c.flags...), "nomad/ads/prod", c.topology)
}

// must runs ours without measuring it.
func (c *cluster) must(b *testing.B, args ...string) {
	b.Helper()
	cmd := exec.Command(c.p.heron, args...)
	cmd.Env = c.env
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("heron %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// measure runs ours and the bare requests by turns.
func (c *cluster) measure(b *testing.B) []row {
	b.Helper()
	// The first makes what is made once, and shows what is written.
	c.must(b, c.submitLine()...)
	c.copyRequests(b)
	c.must(b, c.killLine()...)

	file := filepath.Join(c.dir, "order.json")
	text, err := json.Marshal(c.order)
	if err != nil {
		b.Fatal(err)
	}
	write(b, file, text)
	ours := func(line []string) took { return c.p.run(b, c.env, append([]string{c.p.heron}, line...)...) }
	bare := func(what string) took { return c.p.run(b, c.env, c.p.bare, what, file) }
	var submits, kills, bareSubmits, bareKills, packs []took
	for range rounds {
		submits = append(submits, ours(c.submitLine()))
		c.unplaced(b)
		kills = append(kills, ours(c.killLine()))
		packs = append(packs, bare("pack"))
		bareSubmits = append(bareSubmits, bare("submit"))
		bareKills = append(bareKills, bare("kill"))
	}
	return []row{
		{command: fmt.Sprintf("submit %d", c.size), ours: median(submits), least: median(bareSubmits), pack: median(packs).wall},
		{command: fmt.Sprintf("kill %d", c.size), ours: median(kills), least: median(bareKills)},
	}
}

// unplaced makes sure that the job is there with all containers and that none
// of them was placed.
func (c *cluster) unplaced(b *testing.B) {
	b.Helper()
	job, _, err := c.jobs.Jobs().Info(c.jobID(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	if got := *job.TaskGroups[0].Count; got != c.size+1 {
		b.Fatalf("%d containers, want %d", got, c.size+1)
	}
	allocations, _, err := c.jobs.Jobs().Allocations(*job.ID, true, nil)
	if err != nil || len(allocations) > 0 {
		b.Fatalf("%d allocations, %v", len(allocations), err)
	}
}

// jobID is the only job's.
func (c *cluster) jobID(b *testing.B) string {
	b.Helper()
	jobs, _, err := c.jobs.Jobs().List(nil)
	if err != nil || len(jobs) != 1 {
		b.Fatalf("%d jobs, %v", len(jobs), err)
	}
	return jobs[0].ID
}

// copyRequests gives the bare requests the bytes that ours wrote.
func (c *cluster) copyRequests(b *testing.B) {
	b.Helper()
	job, _, err := c.jobs.Jobs().Info(c.jobID(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	job.ID = &c.order.JobID
	text, err := json.Marshal(job)
	if err != nil {
		b.Fatal(err)
	}
	write(b, c.order.Job, text)
	c.copyState(b, root)
	if len(c.order.Nodes) < 3 {
		b.Fatalf("the state has %d nodes with data", len(c.order.Nodes))
	}

	var packages []string
	err = filepath.WalkDir(filepath.Join(c.dir, "packages"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			packages = append(packages, path)
		}
		return err
	})
	if err != nil || len(packages) != 1 {
		b.Fatalf("packages %v, %v", packages, err)
	}
	data, err := os.ReadFile(packages[0])
	if err != nil {
		b.Fatal(err)
	}
	write(b, c.order.Package, data)
	folder(b, c.order.Folder)
	if out, err := exec.Command("tar", "-xzf", c.order.Package, "-C", c.order.Folder).CombinedOutput(); err != nil {
		b.Fatalf("unpack: %v\n%s", err, out)
	}
}

// copyState takes down the nodes with data, and makes the folders above their
// copies: those last from one submission to the next.
func (c *cluster) copyState(b *testing.B, path string) {
	b.Helper()
	data, _, err := c.state.Get(path)
	if err != nil {
		b.Fatal(err)
	}
	children, _, err := c.state.Children(path)
	if err != nil {
		b.Fatal(err)
	}
	copied := bareRoot + strings.TrimPrefix(path, root)
	if len(children) == 0 && len(data) > 0 {
		c.order.Nodes = append(c.order.Nodes, node{copied, data})
		return
	}
	if _, err := c.state.Create(copied, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		b.Fatal(err)
	}
	slices.Sort(children)
	for _, child := range children {
		c.copyState(b, path+"/"+child)
	}
}
