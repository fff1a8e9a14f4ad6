package submit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// Whatever a definition says, there is a deployment with a place for every
// instance, or an error that tells what to change.
func TestDecideAnyTopology(t *testing.T) {
	settings := clustertest.Settings(t, t.TempDir())
	random := rand.New(rand.NewPCG(7, 11))
	decided, refused := 0, 0
	for i := range 400 {
		def := randomTopology(random, i%4 == 0)
		before, err := def.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewManifest(plainInput(settings, def))
		after, bytesErr := def.Bytes()
		if bytesErr != nil || string(before) != string(after) {
			t.Fatalf("topology %d: deciding changed its definition", i)
		}
		if err != nil {
			refused++
			if outcome.KindOf(err) != outcome.Usage {
				t.Errorf("topology %d: kind %s, error %v\n%v", i, outcome.KindOf(err), err, def.Proto())
			}
			continue
		}
		decided++
		if problem := misplaced(d, def); problem != "" {
			t.Errorf("topology %d: %s\n%v", i, problem, def.Proto())
		}
	}
	if decided < 100 || refused < 20 {
		t.Errorf("%d deployments and %d refusals: too few to tell", decided, refused)
	}
}

// randomTopology is one that is well-formed or, with odd, may say anything.
func randomTopology(r *rand.Rand, odd bool) *topology.Definition {
	pick := func(usual []string, strange ...string) string {
		if odd && r.IntN(3) == 0 {
			return strange[r.IntN(len(strange))]
		}
		return usual[r.IntN(len(usual))]
	}
	config := func(kvs ...string) *heronpb.Config {
		c := &heronpb.Config{}
		for i := 0; i < len(kvs); i += 2 {
			if kvs[i+1] != "" {
				c.Kvs = append(c.Kvs, &heronpb.Config_KeyValue{Key: proto.String(kvs[i]), Value: proto.String(kvs[i+1])})
			}
		}
		return c
	}
	numbers := []string{"1", "2", "3", "5", "17", "64"}
	pb := &heronpb.Topology{
		Id: proto.String("any1"), Name: proto.String("any"), State: heronpb.TopologyState_RUNNING.Enum(),
	}
	names := []string{}
	for i := range 1 + r.IntN(6) {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		c := &heronpb.Component{
			Name:             proto.String(name),
			Config:           config(topology.KeyParallelism, pick(numbers, "0", "-1", "many", "", "99999999999")),
			SerializedObject: []byte{byte(i)},
		}
		if i == 0 || r.IntN(2) == 0 {
			pb.Spouts = append(pb.Spouts, &heronpb.Spout{Comp: c})
		} else {
			pb.Bolts = append(pb.Bolts, &heronpb.Bolt{Comp: c})
		}
	}
	of := names[r.IntN(len(names))]
	pb.TopologyConfig = config(
		topology.KeyStmgrs, pick([]string{"", "1", "2", "3"}, "0", "-4", "1000000", "two"),
		topology.KeyComponentRAMMap, pick([]string{"", of + ":536870912"}, "nobody:1", of, of+":much", of+":1", of+":9223372036854775807"),
		topology.KeyComponentCPUMap, pick([]string{"", of + ":0.5"}, of+":-1", of+":NaN", of+":1e300"),
		topology.KeyContainerCPU, pick([]string{"", "", "400"}, "-1", "Infinity", "x"),
		topology.KeyContainerRAM, pick([]string{"", "", "1099511627776"}, "1", "-1", "9223372036854775807"),
		topology.KeyContainerDisk, pick([]string{"", "10737418240"}, "-1", "all"),
		topology.KeyReliabilityMode, pick([]string{"", "ATLEAST_ONCE", "EFFECTIVELY_ONCE"}, "MAYBE"),
	)
	return topology.FromProto(pb)
}

// misplaced says what is wrong with a deployment's stored plan, "" if every
// instance has its place in it once, with the job's count and the stored
// definition to match.
func misplaced(d *Manifest, def *topology.Definition) string {
	layout := statemgr.Layout{Root: d.in.Settings.State.Root}
	var plan *packing.Plan
	var stored *topology.Definition
	for _, op := range d.State {
		var err error
		switch op.Path {
		case layout.PackingPlan(def.Name()):
			plan, err = packing.Decode(op.Data)
		case layout.Topology(def.Name()):
			stored, err = topology.Decode(op.Data)
		}
		if err != nil {
			return err.Error()
		}
	}
	if plan == nil || stored == nil {
		return "no plan or no definition is stored"
	}
	components, err := def.Components()
	if err != nil {
		return err.Error()
	}
	missing := map[string]bool{}
	for _, c := range components {
		for i := range c.Parallelism {
			missing[fmt.Sprintf("%s/%d", c.Name, i)] = true
		}
	}
	tasks := map[int32]bool{}
	for i, c := range plan.Containers {
		if int(c.ID) != i+1 || c.Scheduled == nil || *c.Scheduled != plan.Max() {
			return fmt.Sprintf("container %d is the plan's number %d with %v of %v", c.ID, i+1, c.Scheduled, plan.Max())
		}
		for _, in := range c.Instances {
			name := fmt.Sprintf("%s/%d", in.Component, in.Index)
			if !missing[name] || tasks[in.TaskID] {
				return "instance " + name + " is there twice, or of no component"
			}
			delete(missing, name)
			tasks[in.TaskID] = true
		}
	}
	if len(missing) > 0 {
		return fmt.Sprintf("%d instances have no place", len(missing))
	}
	if count := *d.Job.TaskGroups[0].Count; count != len(plan.Containers)+1 {
		return fmt.Sprintf("the job has %d containers, the plan %d", count, len(plan.Containers))
	}
	if n, err := stored.Stmgrs(); err != nil || n != len(plan.Containers) {
		return fmt.Sprintf("the stored definition has %d stream managers (%v), the plan %d containers", n, err, len(plan.Containers))
	}
	data, err := stored.Bytes()
	if err != nil {
		return err.Error()
	}
	if def.ID() != stored.ID() || strings.Contains(fmt.Sprint(stored.Proto()), "serialized_object") {
		return fmt.Sprintf("the stored definition is not the trimmed one: %q", data)
	}
	return ""
}
