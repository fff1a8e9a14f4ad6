package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
)

// A verb is a command that changes a topology, as the matrices run it.
type verb struct {
	name string
	// on brings about what the command acts on.
	on func(c *cluster)
	// args of the command.
	args func(c *cluster) []string
	// again are the exit codes of the same command once it has done its work.
	again []int
}

// submitted submits the topology of the matrices.
func submitted(c *cluster) { c.want(c.submit("--wait"), 0) }

// sampleArgs are the arguments that define the topology, with a number of
// instances of the bolt.
func sampleArgs(c *cluster, counts int) []string {
	return []string{"nomad", bin.sample, "-", "--name", c.topology, "--stmgrs", "2", "--counts", fmt.Sprint(counts)}
}

func replaceArgs(c *cluster) []string {
	return append([]string{"submit", "--replace"}, sampleArgs(c, 4)...)
}

// verbs are those of the crash matrix.
func verbs() []verb {
	return []verb{
		{
			name: "submit", on: func(*cluster) {},
			args:  func(c *cluster) []string { return append([]string{"submit", "--wait"}, sampleArgs(c, 3)...) },
			again: []int{0, 5},
		},
		{
			name: "kill", on: submitted,
			args:  func(c *cluster) []string { return []string{"kill", "--ignore-missing", "nomad", c.topology} },
			again: []int{0},
		},
		{
			name: "restart", on: submitted,
			args:  func(c *cluster) []string { return []string{"restart", "--wait", "--batch", "2", "nomad", c.topology} },
			again: []int{0},
		},
		{
			name: "update", on: submitted,
			args: func(c *cluster) []string {
				return []string{"update", "--component-parallelism", "count:5", "--container-number", "3", "--wait", "nomad", c.topology}
			},
			again: []int{0},
		},
		{name: "replace", on: submitted, args: replaceArgs, again: []int{0}},
		{
			name: "rollback",
			on: func(c *cluster) {
				submitted(c)
				c.want(c.heron(replaceArgs(c)...), 0)
			},
			args:  func(c *cluster) []string { return []string{"rollback", "nomad", c.topology, "1"} },
			again: []int{0},
		},
	}
}

// endState is all that a command leaves, in words that are the same for every
// run and topology: without ids, names and numbers of processes.
func (c *cluster) endState() string {
	c.t.Helper()
	var b strings.Builder
	nodes := c.nodes()
	for i, node := range nodes {
		nodes[i] = strings.TrimPrefix(node, c.root+"/")
	}
	// Heron's processes make theirs when they like.
	nodes = slices.DeleteFunc(nodes, func(n string) bool {
		dir, _, _ := strings.Cut(n, "/")
		return slices.Contains([]string{"metricscaches", "tmanagers", "pplans"}, dir)
	})
	fmt.Fprintf(&b, "nodes: %s\n", strings.Join(nodes, " "))
	fmt.Fprintf(&b, "packages: %d\n", len(c.packageFiles()))
	fmt.Fprintf(&b, "temporary files: %v\n", c.files(c.tmp))
	fmt.Fprintf(&b, "containers: %v\n", c.liveContainers())
	if job := c.job(); job != nil {
		fmt.Fprintf(&b, "job: stopped %v, %d containers\n", *job.Stop, *job.TaskGroups[0].Count)
		fmt.Fprintf(&b, "definition: %s\n", c.shape())
	}
	return strings.ReplaceAll(b.String(), c.topology, "T")
}

// shape is what the stored definition and packing plan say.
func (c *cluster) shape() string {
	c.t.Helper()
	var topology heronpb.Topology
	if err := proto.Unmarshal(c.node(c.root+"/topologies/"+c.topology), &topology); err != nil {
		c.t.Fatal(err)
	}
	var plan heronpb.PackingPlan
	if err := proto.Unmarshal(c.node(c.root+"/packingplans/"+c.topology), &plan); err != nil {
		c.t.Fatal(err)
	}
	of := map[string]int{}
	for _, container := range plan.GetContainerPlans() {
		for _, instance := range container.GetInstancePlans() {
			of[instance.GetComponentName()]++
		}
	}
	return fmt.Sprintf("%s, %d containers, instances %v", topology.GetState(), len(plan.GetContainerPlans()), of)
}

// crashPoints are the calls of a command, of n, after which it is killed: all
// of them in a long run. They come in parts, for several topologies at a time.
func crashPoints(n int, seed uint64) [][]int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	random := rand.New(rand.NewPCG(seed, 10))
	random.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	parts := make([][]int, testenv.Times(1, 8))
	for i, at := range all[:testenv.Times(1, n)] {
		parts[i%len(parts)] = append(parts[i%len(parts)], at)
	}
	for _, part := range parts {
		slices.Sort(part)
	}
	return parts
}

// The client is killed after each of its calls to Nomad and ZooKeeper, when the
// server has done its part and before the client knows: then the same command
// again ends as if nothing had happened, and a kill leaves nothing. Which calls
// there are is counted in a run that is left alone, not listed here.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	seed := testenv.Seed(t, "HERON_CRASH_SEED")
	for _, v := range verbs() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			w := watchedCluster(t)
			v.on(w.cluster)
			r, calls := w.runs(v, 0)
			w.want(r, 0)
			want := w.endState()
			w.want(w.kill("--ignore-missing"), 0)
			w.nothingLeft()
			if calls < 10 {
				t.Fatalf("only %d calls pass the proxies", calls)
			}
			for i, points := range crashPoints(calls, seed) {
				t.Run(fmt.Sprint("part ", i+1), func(t *testing.T) {
					t.Parallel()
					t.Logf("%s makes %d calls; it is killed after: %v", v.name, calls, points)
					w := watchedCluster(t)
					for _, at := range points {
						w.crash(v, at, want)
					}
				})
			}
		})
	}
}

// runs runs a command and returns how many calls it made. After call number at
// it is killed.
func (w *watched) runs(v verb, at int) (result, int) {
	w.t.Helper()
	return w.counted(func() *running { return w.start(v.args(w.cluster)...) }, at, killed)
}

// crash kills a command after one of its calls. want is what is there once the
// same command has been run again.
func (w *watched) crash(v verb, at int, want string) {
	w.t.Helper()
	v.on(w.cluster)
	r, _ := w.runs(v, at)
	if r.code != -1 && r.code != 0 {
		w.t.Fatalf("killed after call %d: %s", at, r)
	}
	w.emptyTmp()
	again := w.heron(v.args(w.cluster)...)
	if !slices.Contains(v.again, again.code) {
		w.t.Fatalf("the same again, after it was killed after call %d: %s", at, again)
	}
	w.settled(at, want)
	w.want(w.kill("--ignore-missing"), 0)
	w.nothingLeft()
}

// settled checks the state after a crash at a call. Containers that were
// replaced may take a moment to end.
func (w *watched) settled(at int, want string) {
	w.t.Helper()
	got := ""
	if !within(w.t, func() bool { got = w.endState(); return got == want }) {
		w.t.Errorf("killed after call %d, and the same again:\n%s\nwithout that:\n%s", at, got, want)
	}
}
