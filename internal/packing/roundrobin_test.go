package packing

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

const gib = 1 << 30

var plain = Settings{InstanceCPU: 1, InstanceRAM: gib, InstanceDisk: gib}

// define makes a definition: components "name:parallelism name:parallelism",
// configuration "key=value" with keys below "topology.".
func define(t testing.TB, components string, config ...string) *topology.Definition {
	t.Helper()
	pb := &heronpb.Topology{
		Id: proto.String("t-id"), Name: proto.String("t"), State: heronpb.TopologyState_RUNNING.Enum(),
		TopologyConfig: &heronpb.Config{},
	}
	for _, c := range config {
		key, value, ok := strings.Cut(c, "=")
		if !ok {
			t.Fatalf("configuration %q has no value", c)
		}
		pb.TopologyConfig.Kvs = append(pb.TopologyConfig.Kvs, pair("topology."+key, value))
	}
	for _, c := range strings.Fields(components) {
		name, parallelism, ok := strings.Cut(c, ":")
		if !ok {
			t.Fatalf("component %q has no parallelism", c)
		}
		pb.Spouts = append(pb.Spouts, &heronpb.Spout{Comp: &heronpb.Component{
			Name:   proto.String(name),
			Config: &heronpb.Config{Kvs: []*heronpb.Config_KeyValue{pair(topology.KeyParallelism, parallelism)}},
		}})
	}
	return topology.FromProto(pb)
}

func pair(key, value string) *heronpb.Config_KeyValue {
	return &heronpb.Config_KeyValue{
		Key: proto.String(key), Value: proto.String(value), Type: heronpb.ConfigValueType_STRING_VALUE.Enum(),
	}
}

func pack(def *topology.Definition, s Settings) (*Plan, error) { return packBy("roundrobin", def, s) }

func packBy(algorithm string, def *topology.Definition, s Settings) (*Plan, error) {
	alg, err := New(algorithm, s)
	if err != nil {
		return nil, err
	}
	return alg.Pack(def)
}

// short prints a plan on a line: of each container its id, its instances with
// index, cores and MiB of RAM, then its cores, MiB of RAM and GiB of disk.
func short(p *Plan) string {
	var parts []string
	for _, c := range p.Containers {
		var in []string
		for _, i := range c.Instances {
			in = append(in, fmt.Sprintf("%s%d=%gc/%d", i.Component, i.Index, i.Resource.CPU, i.Resource.RAM>>20))
		}
		parts = append(parts, fmt.Sprintf("%d[%s] %gc/%d/%d", c.ID, strings.Join(in, " "),
			c.Required.CPU, c.Required.RAM>>20, c.Required.Disk>>30))
	}
	return strings.Join(parts, " | ")
}

func TestRoundRobinRules(t *testing.T) {
	for _, c := range []struct {
		rule       string
		components string
		config     []string
		want       string
	}{
		{"one container unless more are asked for", "a:2", nil,
			"1[a0=1c/1024 a1=1c/1024] 3c/4096/14"},
		{"a less full container's instances share what a full one gets", "a:3", []string{"stmgrs=2"},
			"1[a0=1c/1024 a2=1c/1024] 3c/4096/14 | 2[a1=2c/2048] 3c/4096/14"},
		{"components with more RAM of their own come first", "a:1 b:1 c:1",
			[]string{"stmgrs=3", "component.rammap=b:1048576000,c:2097152000"},
			"1[c0=1c/2000] 2c/4048/13 | 2[b0=1c/1000] 2c/3048/13 | 3[a0=1c/1024] 2c/3072/13"},
		{"a component of no instances is in no container", "a:0 b:1", nil,
			"1[b0=1c/1024] 2c/3072/13"},
		{"a component named twice counts once, as the last says", "a:3 a:1", nil,
			"1[a0=1c/1024] 2c/3072/13"},
		{"numbers may have blanks around them", "a:1", []string{"stmgrs= 1 "},
			"1[a0=1c/1024] 2c/3072/13"},
		{"what the container gets is divided", "a:2",
			[]string{"container.ram=8589934592", "container.cpu=4", "container.disk=5368709120"},
			"1[a0=1.5c/3072 a1=1.5c/3072] 4c/8192/5"},
		{"-1 leaves an amount open", "a:1",
			[]string{"container.ram=-1", "container.cpu=-1", "container.disk=-1"},
			"1[a0=1c/1024] 2c/3072/13"},
		{"padding gives way to what components ask for", "a:1 b:1",
			[]string{"container.ram=3221225472", "component.rammap=a:2147483648"},
			"1[a0=1c/2048 b0=1c/1024] 3c/3072/14"},
		{"and where the container is smaller than the padding", "a:1", []string{"container.cpu=0.5"},
			"1[a0=0.5c/1024] 0.5c/3072/13"},
		{"daemons' RAM is the padding", "a:1",
			[]string{"stmgr.ram=1048576", "metricsmgr.ram=2097152"},
			"1[a0=1c/1024] 2c/1027/13"},
		{"an effectively-once topology has a checkpoint manager", "a:1",
			[]string{"reliability.mode=EFFECTIVELY_ONCE"},
			"1[a0=1c/1024] 2c/4096/13"},
		{"its RAM counts wherever it is set", "a:1",
			[]string{"stateful.checkpointmanager.ram=1048576"},
			"1[a0=1c/1024] 2c/3073/13"},
		{"set padding replaces that of the daemons", "a:1",
			[]string{"container.ram.padding=1048576", "stmgr.ram=5368709120"},
			"1[a0=1c/1024] 2c/1025/13"},
		{"CPU of components is taken from the container's", "a:1 b:2",
			[]string{"component.cpumap=a:0.5", "component.diskmap=a:1"},
			"1[a0=0.5c/1024 b0=1.25c/1024 b1=1.25c/1024] 4c/5120/15"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p, err := pack(define(t, c.components, c.config...), plain)
			if err != nil {
				t.Fatal(err)
			}
			if got := short(p); got != c.want {
				t.Errorf("plan\n %s, want\n %s", got, c.want)
			}
		})
	}
}

func TestRoundRobinRefuses(t *testing.T) {
	for _, c := range []struct {
		components, config string
		settings           Settings
		stage              Stage
		want               string
	}{
		{"a:1", "stmgrs=0", plain, StagePack, "Invlaid number of container: 0"},
		{"a:1", "stmgrs=2", plain, StagePack, "More containers (2) allocated than instances (1)."},
		{"a:0", "stmgrs=1", plain, StagePack, "More containers (1) allocated than instances (0)."},
		{"a:-1 b:2", "stmgrs=1", plain, StagePack, `component "a": topology.component.parallelism is -1`},
		{"a:x", "stmgrs=1", plain, StagePack, `component "a": topology.component.parallelism is "x"`},
		{"a:1", "stmgr.ram=1G", plain, StageInitialize, `topology.stmgr.ram is "1G", not a whole number of bytes`},
		{"a:1", "reliability.mode=SOMETIMES", plain, StageInitialize, `topology.reliability.mode is "SOMETIMES"`},
		{"a:1", "component.rammap=b:5", plain, StagePack, `component "b"`},
		{"a:1", "component.rammap=a:16777215", plain, StagePack,
			"A minimum of ByteAmount{16.0 MB (16777216 bytes)} RAM is required, but InstancePlan for component 'a' has ByteAmount{16.0 MB (16777215 bytes)}"},
		{"a:1", "component.cpumap=a:-2", plain, StagePack, `topology.component.cpumap: component "a" has -2.0`},
		{"a:1", "component.cpumap=a:NaN", plain, StagePack, `topology.component.cpumap: component "a" has NaN`},
		{"a:1", "container.cpu=many", plain, StagePack, `topology.container.cpu is "many", not a number of cores`},
		{"a:1", "container.disk=-2", plain, StagePack, "topology.container.disk is -2"},
		{"a:1", "container.cpu=1", plain, StagePack, "No enough CPU to allocate for unspecified instances"},
		{"a:1", "container.ram=2147483648", plain, StagePack, "No enough RAM to allocate for unspecified instances"},
		{"a:1", "container.ram=-7", plain, StagePack,
			"Total instance RAM (ByteAmount{0 bytes}) in container#1 have exceeded the container-level constraint of ByteAmount{-7 bytes}."},
		{"a:1", "component.rammap=a:9223372036854775807", plain, StagePack,
			"Adding ByteAmount{2.0 GB (2147483648 bytes)} to ByteAmount{8589934592.0 GB (9223372036854775807 bytes)} would exceed Long.MAX_LONG"},
		{"a:2", "stmgrs=1", Settings{InstanceCPU: 1, InstanceRAM: 1 << 62, InstanceDisk: 1}, StagePack,
			"Multiplying ByteAmount{4294967296.0 GB (4611686018427387904 bytes)} by 2 would exceed Long.MAX_LONG"},
		{"a:1", "component.cpumap=a:1.5", Settings{InstanceCPU: 1, InstanceRAM: 1 << 20, InstanceDisk: 1}, StagePack,
			"component 'a' has ByteAmount{1.0 MB (1048576 bytes)}"},
	} {
		t.Run(c.components+" "+c.config, func(t *testing.T) {
			p, err := pack(define(t, c.components, c.config), c.settings)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("plan %v, error %v, want a *Error", p, err)
			}
			if e.Stage != c.stage || !strings.Contains(e.Error(), c.want) || e.Kind() != outcome.Usage {
				t.Errorf("%s: %s, want %s: %s", e.Stage, e, c.stage, c.want)
			}
		})
	}
}

func TestNew(t *testing.T) {
	for class, short := range map[string]string{
		"org.apache.heron.packing.roundrobin.RoundRobinPacking":          "roundrobin",
		"org.apache.heron.packing.roundrobin.RoundRobinPackingV2":        "roundrobinv2",
		"org.apache.heron.packing.roundrobin.ResourceCompliantRRPacking": "resourcecompliant",
		"org.apache.heron.packing.binpacking.FirstFitDecreasingPacking":  "firstfit",
	} {
		want, err := New(class, plain)
		if err != nil {
			t.Fatalf("New(%q): %v", class, err)
		}
		for _, name := range []string{short, strings.ToUpper(short)} {
			if got, err := New(name, plain); err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
				t.Errorf("New(%q) = %#v, %v; want %#v", name, got, err, want)
			}
		}
	}
	for _, name := range []string{"", "com.example.Mine"} {
		_, err := New(name, plain)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), strconv.Quote(name)) ||
			!strings.Contains(err.Error(), "roundrobin") || e.Kind() != outcome.Usage {
			t.Errorf("New(%q) = %v, want an error that names it and what there is", name, err)
		}
	}
}

func TestRoundRobinKeepsItsPromises(t *testing.T) {
	for seed := range uint64(testenv.Times(200, 200_000)) {
		random := rand.New(rand.NewPCG(seed, 1))
		components, want, total := randomComponents(random)
		n := 1 + random.IntN(total)
		def := define(t, components, fmt.Sprintf("stmgrs=%d", n))
		p, err := pack(def, plain)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkPlan(t, seed, p, n, total, want)
		again, err := pack(def, plain)
		if err != nil || !cmp.Equal(p, again) {
			t.Errorf("seed %d: the same definition gave another plan, or %v", seed, err)
		}
	}
}

// randomComponents are components for define, and how many instances each
// has and all have together.
func randomComponents(random *rand.Rand) (components string, instances map[string]int, total int) {
	instances = map[string]int{}
	var parts []string
	for range 1 + random.IntN(70) {
		name := fmt.Sprintf("%s-%d", []string{"a", "Aa", "BB", "é", "日本"}[random.IntN(5)], random.IntN(100))
		if _, twice := instances[name]; twice {
			continue
		}
		instances[name] = 1 + random.IntN(12)
		total += instances[name]
		parts = append(parts, fmt.Sprintf("%s:%d", name, instances[name]))
	}
	return strings.Join(parts, " "), instances, total
}

// checkPlan wants containers 1 to n, every instance in one of them, task ids
// 1 to total, and indexes of a component from 0 without a gap.
func checkPlan(t *testing.T, seed uint64, p *Plan, n, total int, want map[string]int) {
	t.Helper()
	tasks := map[int32]bool{}
	indexes := map[string]map[int32]bool{}
	for i, c := range p.Containers {
		if int(c.ID) != i+1 || len(c.Instances) < total/n || len(c.Instances) > (total+n-1)/n {
			t.Errorf("seed %d: container %d of id %d has %d of %d instances", seed, i+1, c.ID, len(c.Instances), total)
		}
		for _, in := range c.Instances {
			if tasks[in.TaskID] || in.TaskID < 1 || int(in.TaskID) > total {
				t.Errorf("seed %d: task id %d again, or beyond %d", seed, in.TaskID, total)
			}
			tasks[in.TaskID] = true
			of := indexes[in.Component]
			if of == nil {
				of = map[int32]bool{}
				indexes[in.Component] = of
			}
			if of[in.Index] || in.Index < 0 || int(in.Index) >= want[in.Component] {
				t.Errorf("seed %d: index %d of %s again, or beyond its %d", seed, in.Index, in.Component, want[in.Component])
			}
			of[in.Index] = true
		}
	}
	if len(p.Containers) != n || len(tasks) != total || len(indexes) != len(want) {
		t.Errorf("seed %d: %d containers, %d tasks, %d components; want %d, %d, %d",
			seed, len(p.Containers), len(tasks), len(indexes), n, total, len(want))
	}
}
