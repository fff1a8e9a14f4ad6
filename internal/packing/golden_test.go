package packing

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

const roundRobinClass = "org.apache.heron.packing.roundrobin.RoundRobinPacking"

type goldenFile struct {
	Topology string
	Cases    []goldenCase
}

type goldenCase struct {
	Op        string
	Algorithm string
	Config    struct {
		RAM  int64   `json:"heron.resources.instance.ram"`
		CPU  float64 `json:"heron.resources.instance.cpu"`
		Disk int64   `json:"heron.resources.instance.disk"`
	}
	Plan        *goldenPlan
	Homogeneous []byte `json:"homogeneous_proto_base64"`
	Error       *struct{ Exception, Message, Stage string }
}

type goldenPlan struct {
	ID         string
	Containers []struct {
		ID        int32
		Required  Resource
		Scheduled *Resource
		Instances []goldenInstance
		Order     []int32 `json:"iteration_order_task_ids"`
	}
	Order        []int32  `json:"iteration_order_container_ids"`
	Distribution string   `json:"component_ram_distribution"`
	Max          Resource `json:"max_container_resources"`
	Proto        []byte   `json:"proto_base64"`
}

type goldenInstance Instance

func (g *goldenInstance) UnmarshalJSON(data []byte) error {
	fields := []any{&g.Component, &g.TaskID, &g.Index, &g.Resource.CPU, &g.Resource.RAM, &g.Resource.Disk}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	if len(fields) != 6 {
		return fmt.Errorf("an instance of %d fields: %s", len(fields), data)
	}
	return nil
}

func (g *goldenPlan) plan() *Plan {
	p := &Plan{ID: g.ID}
	for _, c := range g.Containers {
		to := Container{ID: c.ID, Required: c.Required, Scheduled: c.Scheduled}
		for _, in := range c.Instances {
			to.Instances = append(to.Instances, Instance(in))
		}
		p.Containers = append(p.Containers, to)
	}
	return p
}

// goldenCases calls f with every case that algorithm class made with op.
func goldenCases(t *testing.T, op, class string, f func(t *testing.T, def *topology.Definition, c goldenCase)) {
	t.Helper()
	dir := testenv.Golden(t)
	files, err := filepath.Glob(filepath.Join(dir, "packing", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no packing vectors in %s: %v", dir, err)
	}
	n := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		def := goldenDefinition(t, dir, name)
		var g goldenFile
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &g); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for i, c := range g.Cases {
			if c.Op == op && c.Algorithm == class {
				n++
				t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) { f(t, def, c) })
			}
		}
	}
	if n < len(files) {
		t.Errorf("%d cases in %d files: less than one each", n, len(files))
	}
}

func goldenDefinition(t *testing.T, dir, name string) *topology.Definition {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "topologies", name+".defn"))
	if err != nil {
		t.Fatal(err)
	}
	def, err := topology.Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return def
}

func TestRoundRobinIsTheOriginals(t *testing.T) {
	goldenCases(t, "pack", roundRobinClass, func(t *testing.T, def *topology.Definition, c goldenCase) {
		alg, err := New(c.Algorithm, Settings{
			InstanceCPU: c.Config.CPU, InstanceRAM: c.Config.RAM, InstanceDisk: c.Config.Disk,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := alg.Pack(def)
		if c.Error != nil {
			wantError(t, err, c.Error.Stage, c.Error.Message)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.Plan.plan(), got); diff != "" {
			t.Fatalf("plan (-original +ours):\n%s", diff)
		}
		checkDerived(t, c, got)
		checkOrder(t, c.Plan, got)
	})
}

func wantError(t *testing.T, err error, stage, message string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T), want a *Error with %q", err, err, message)
	}
	if string(e.Stage) != stage || !strings.Contains(e.Error(), message) || e.ExitCode() != 2 {
		t.Errorf("stage %s, exit code %d, %q; want stage %s, exit code 2 and %q",
			e.Stage, e.ExitCode(), e, stage, message)
	}
}

func checkDerived(t *testing.T, c goldenCase, got *Plan) {
	t.Helper()
	want := c.Plan
	if got.Max() != want.Max {
		t.Errorf("largest container %v, want %v", got.Max(), want.Max)
	}
	ram, wantRAM := strings.Split(got.ComponentRAM(), ","), strings.Split(want.Distribution, ",")
	slices.Sort(ram)
	slices.Sort(wantRAM)
	if !slices.Equal(ram, wantRAM) {
		t.Errorf("RAM of components %q, want %q", ram, wantRAM)
	}
	for what, c := range map[string]struct {
		stored []byte
		plan   *Plan
	}{
		"as packed":   {want.Proto, got},
		"homogeneous": {c.Homogeneous, got.Homogeneous()},
	} {
		stored, err := Decode(c.stored)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(stored, FromProto(c.plan.Proto())); diff != "" {
			t.Errorf("stored plan %s (-original +ours):\n%s", what, diff)
		}
	}
}

// The order of hash sets decides which of several faults is named.
func checkOrder(t *testing.T, want *goldenPlan, got *Plan) {
	t.Helper()
	tasks := map[int32][]int32{}
	for _, c := range want.Containers {
		tasks[c.ID] = c.Order
	}
	var order []int32
	for _, c := range got.hashOrder() {
		order = append(order, c.ID)
		var of []int32
		for _, in := range c.Instances {
			of = append(of, in.TaskID)
		}
		if !slices.Equal(of, tasks[c.ID]) {
			t.Errorf("order of container %d: %v, want %v", c.ID, of, tasks[c.ID])
		}
	}
	if !slices.Equal(order, want.Order) {
		t.Errorf("order of containers %v, want %v", order, want.Order)
	}
}
