package packing

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

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
	Error       *goldenError

	// Of a repack only.
	Case       string
	Current    int           `json:"current_from_case"`
	Changes    goldenChanges `json:"component_changes"`
	Containers *int
}

type goldenError struct {
	Exception, Message, Stage string

	Cause        string
	CauseMessage string `json:"cause_message"`
}

// crash says that the original did not mean to refuse; the text is Java's.
func (e *goldenError) crash() bool {
	switch strings.TrimPrefix(e.Exception, "java.lang.") {
	case "NullPointerException", "NumberFormatException", "ClassCastException", "ArithmeticException",
		"IndexOutOfBoundsException", "ArrayIndexOutOfBoundsException", "StringIndexOutOfBoundsException":
		return true
	}
	return false
}

// goldenChanges keeps the order of an object's keys.
type goldenChanges []Change

func (g *goldenChanges) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(strings.NewReader(string(data)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("changes begin with %v: %w", t, err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		change := Change{Component: name.(string)}
		if err := d.Decode(&change.Delta); err != nil {
			return err
		}
		*g = append(*g, change)
	}
	return nil
}

type goldenPlan struct {
	ID         string
	Containers []struct {
		ID        int32
		Required  Resource
		Scheduled *Resource
		Instances []goldenInstance
	}
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

// stored is the plan as it is read from where the original stored it.
func (g *goldenPlan) stored(t *testing.T) *Plan {
	t.Helper()
	p, err := Decode(g.Proto)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// goldenTest is a case with what it refers to.
type goldenTest struct {
	goldenCase
	def *topology.Definition
	alg Algorithm
	// current is the plan to repack, as the original stored it.
	current *Plan
}

// eachGolden calls f with every case made with op.
func eachGolden(t *testing.T, op string, f func(t *testing.T, c goldenTest)) {
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
		readJSON(t, file, &g)
		for i, c := range g.Cases {
			if c.Op != op {
				continue
			}
			n++
			t.Run(fmt.Sprintf("%s/%d-%s", name, i, c.Case), func(t *testing.T) {
				test := goldenTest{goldenCase: c, def: def}
				test.alg, err = New(c.Algorithm, Settings{
					InstanceCPU: c.Config.CPU, InstanceRAM: c.Config.RAM, InstanceDisk: c.Config.Disk,
				})
				if err != nil {
					t.Fatal(err)
				}
				if op == "repack" {
					test.current = g.Cases[c.Current].Plan.stored(t)
				}
				f(t, test)
			})
		}
	}
	if n == 0 {
		t.Errorf("no case of %s in %d files", op, len(files))
	}
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", file, err)
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

func TestPlansAreTheOriginals(t *testing.T) {
	eachGolden(t, "pack", func(t *testing.T, c goldenTest) {
		got, err := c.alg.Pack(c.def)
		if c.Error != nil {
			wantError(t, err, c.Error)
			return
		}
		if reason := noNodeGives(c.def); reason != "" {
			if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Error(), reason) {
				t.Errorf("error %v, want one about %s, which no node can give", err, reason)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.Plan.plan(), got); diff != "" {
			t.Fatalf("plan (-original +ours):\n%s", diff)
		}
		checkDerived(t, c.Plan, got)
		checkStored(t, "homogeneous", c.Homogeneous, got.Homogeneous())
	})
}

// noNodeGives names the key by which a definition asks for what the original
// puts into a plan and no node can give; "" for none.
func noNodeGives(def *topology.Definition) string {
	impossible := func(text string) bool {
		n, err := strconv.ParseFloat(text, 64)
		return err == nil && (math.IsNaN(n) || math.IsInf(n, 0) || n < 0)
	}
	for _, key := range []string{topology.KeyContainerCPU, topology.KeyContainerDisk, topology.KeyComponentCPUMap, topology.KeyComponentDiskMap} {
		text, _ := def.Config(key)
		for _, piece := range strings.Split(text, ",") {
			value := piece[strings.LastIndex(piece, ":")+1:]
			// -1 of a container says that nothing is asked for.
			ofContainer := key == topology.KeyContainerCPU || key == topology.KeyContainerDisk
			unset := ofContainer && strings.TrimRight(strings.TrimRight(value, "0"), ".") == "-1"
			if !unset && impossible(value) {
				return key
			}
		}
	}
	return ""
}

// wantError wants the refusal of the original, or any where that crashed.
func wantError(t *testing.T, err error, want *goldenError) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v (%T), want a *Error with %q", err, err, want.Message)
	}
	message := want.Message
	if want.crash() {
		message = ""
	}
	if string(e.Stage) != want.Stage || !strings.Contains(e.Error(), message) || e.Kind() != outcome.Usage {
		t.Errorf("stage %s, kind %s, %q; want stage %s, kind usage and %q",
			e.Stage, e.Kind(), e, want.Stage, message)
	}
	if !strings.Contains(e.Error(), want.CauseMessage) {
		t.Errorf("%q does not say %q", e, want.CauseMessage)
	}
	for cause, kind := range map[string]error{
		"ResourceExceededException": ErrExceeded, "MinResourceNotSatisfiedException": ErrMinimum,
	} {
		if strings.HasSuffix(want.Cause, "."+cause) && !errors.Is(err, kind) {
			t.Errorf("kind %v of %q, want %v", e.Class, e, kind)
		}
	}
	if unsupported := want.Exception == "java.lang.UnsupportedOperationException"; errors.Is(err, ErrUnsupported) != unsupported {
		t.Errorf("kind %v of %q, which the original says with %s", e.Class, e, want.Exception)
	}
}

func checkDerived(t *testing.T, want *goldenPlan, got *Plan) {
	t.Helper()
	if got.Max() != want.Max {
		t.Errorf("largest container %v, want %v", got.Max(), want.Max)
	}
	ram, wantRAM := strings.Split(got.ComponentRAM(), ","), strings.Split(want.Distribution, ",")
	slices.Sort(ram)
	slices.Sort(wantRAM)
	if !slices.Equal(ram, wantRAM) {
		t.Errorf("RAM of components %q, want %q", ram, wantRAM)
	}
	checkStored(t, "as packed", want.Proto, got)
}

func checkStored(t *testing.T, what string, want []byte, got *Plan) {
	t.Helper()
	stored, err := Decode(want)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if diff := cmp.Diff(stored, FromProto(got.Proto())); diff != "" {
		t.Errorf("stored plan %s (-original +ours):\n%s", what, diff)
	}
	data, err := proto.Marshal(got.Proto())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(data, want) {
		t.Errorf("the plan %s is stored in another order", what)
	}
}
