package dryrun

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

type goldenFile struct {
	Topology string
	Steps    []struct{ Args []string }
	Outputs  []goldenOutput
}

type goldenOutput struct {
	Result string
	Error  struct{ Message string }
	Text   string
	Plan   struct {
		ID         string
		Containers []goldenContainer
		Order      []int32 `json:"iteration_order_container_ids"`
	} `json:"packing_plan"`
	PackingError json.RawMessage `json:"packing_error"`
}

// plan is the original's plan in the order in which it printed it. Tables
// have containers by id, for ids are the keys of a hash map there.
func (g goldenOutput) plan(t *testing.T, f Format) *packing.Plan {
	t.Helper()
	p := &packing.Plan{ID: g.Plan.ID}
	for _, c := range g.Plan.Containers {
		p.Containers = append(p.Containers,
			packing.Container{ID: c.ID, Required: c.Required, Instances: c.instances(t)})
	}
	if f == Raw || f == JSON {
		slices.SortFunc(p.Containers, func(a, b packing.Container) int {
			return slices.Index(g.Plan.Order, a.ID) - slices.Index(g.Plan.Order, b.ID)
		})
	}
	return p
}

// goldenContainer is a container of a recorded plan.
type goldenContainer struct {
	ID        int32
	Required  packing.Resource
	Instances [][]any
	Order     []int32 `json:"iteration_order_task_ids"`
}

// instances lists a container's instances in the order of the original's set.
func (g goldenContainer) instances(t *testing.T) []packing.Instance {
	t.Helper()
	byTask := map[int32]packing.Instance{}
	for _, f := range g.Instances {
		in := packing.Instance{Component: f[0].(string), TaskID: int32(f[1].(float64)), Index: int32(f[2].(float64))}
		in.Resource = packing.Resource{CPU: f[3].(float64), RAM: int64(f[4].(float64)), Disk: int64(f[5].(float64))}
		byTask[in.TaskID] = in
	}
	var list []packing.Instance
	for _, id := range g.Order {
		list = append(list, byTask[id])
	}
	if len(list) != len(g.Instances) {
		t.Fatalf("container %d: an order of %d for %d instances", g.ID, len(list), len(g.Instances))
	}
	return list
}

// Given the plan in its own order, the original's text comes out.
func TestSubmitIsTheOriginals(t *testing.T) {
	seen := map[string]int{}
	for _, g := range testenv.ReadVectors[goldenFile](t, "dryrun/dryrun-submit-*.json") {
		for i, step := range g.Steps {
			asked := "table"
			if at := slices.Index(step.Args, "--dry_run_format"); at >= 0 {
				asked = step.Args[at+1]
			}
			seen[asked]++
			t.Run(fmt.Sprintf("%s/%d-%s", g.Topology, i, asked), func(t *testing.T) {
				checkOutput(t, asked, topologyName(t, g.Topology), g.Outputs[i])
			})
		}
	}
	for _, name := range Formats() {
		if seen[name] == 0 {
			t.Errorf("no vector for format %s", name)
		}
	}
}

func checkOutput(t *testing.T, asked, topology string, out goldenOutput) {
	t.Helper()
	format, err := ParseFormat(asked)
	if out.Result != "dry_run" {
		// The original refused the format, or failed before it had a plan.
		if refused := strings.HasPrefix(out.Error.Message, "No enum constant") && strings.Contains(out.Error.Message, "Format"); refused != (err != nil) {
			t.Errorf("format %q: %v, the original: %s", asked, err, out.Error.Message)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	in := SubmitInput{PackingClass: packingClass(t, out.Text), Topology: topology, Plan: out.plan(t, format)}
	var got bytes.Buffer
	if err := Submit(&got, format, in); err != nil {
		t.Fatal(err)
	}
	if got.String() != out.Text {
		t.Errorf("printed\n%q, want\n%q", got.String(), out.Text)
	}
}

func topologyName(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.Golden(t), "topologies", file))
	if err != nil {
		t.Fatal(err)
	}
	def, err := topology.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return def.Name()
}

// packingClass finds the class in a text; it is configuration, not rendering.
func packingClass(t *testing.T, text string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "org.apache.heron.packing.")
	end := strings.IndexAny(rest, "\n\"")
	if !ok || end < 0 {
		t.Fatalf("no packing class in %q", text)
	}
	return "org.apache.heron.packing." + rest[:end]
}

func TestParseFormat(t *testing.T) {
	for _, name := range []string{"raw", "table", "colored_table", "json"} {
		if f, err := ParseFormat(name); err != nil || string(f) != name {
			t.Errorf("ParseFormat(%q) = %q, %v", name, f, err)
		}
	}
	for _, name := range []string{"", "JSON", "yaml"} {
		_, err := ParseFormat(name)
		var e *FormatError
		if !errors.As(err, &e) || e.Name != name || e.Kind() != outcome.Usage || !strings.Contains(err.Error(), "colored_table") {
			t.Errorf("ParseFormat(%q) gives %v, want an error that lists the formats", name, err)
		}
	}
	if err := Submit(&bytes.Buffer{}, "yaml", SubmitInput{}); err == nil {
		t.Error("Submit took the format yaml")
	}
}

func TestOddNames(t *testing.T) {
	r := packing.Resource{CPU: 1e7, RAM: 1 << 19, Disk: 1}
	in := SubmitInput{PackingClass: `a"b\c`, Topology: "t\n\x01<é\u2028>", Plan: &packing.Plan{Containers: []packing.Container{{
		ID: 1, Required: r, Instances: []packing.Instance{
			{Component: "😀", TaskID: 1, Resource: r},
			{Component: "components", TaskID: 2, Index: 1, Resource: r},
		},
	}}}}
	for f, want := range map[Format]string{
		JSON: `{"packingClass":"a\"b\\c","topology":"t\n\u0001<é` + "\u2028" + `>","containers":[{"id":1,` +
			`"resources":{"cpu":1.0E7,"ram":524288,"disk":1},"components":[` +
			`{"component":"😀","id":1,"index":0,"resources":{"cpu":1.0E7,"ram":524288,"disk":1}},` +
			`{"component":"components","id":2,"index":1,"resources":{"cpu":1.0E7,"ram":524288,"disk":1}}]}]}`,
		Table: "Total number of containers: 1\nUsing packing class: a\"b\\c\nContainer 1\nCPU: 1.0E7, RAM: 1 MB, Disk: 0 MB\n" +
			"=======================================================\n" +
			"|  component | task ID |   CPU | RAM (MB) | disk (MB) |\n" +
			"-------------------------------------------------------\n" +
			"|         😀 |       1 | 1.0E7 |        1 |         0 |\n" +
			"| components |       2 | 1.0E7 |        1 |         0 |\n" +
			"=======================================================\n",
	} {
		var got bytes.Buffer
		if err := Submit(&got, f, in); err != nil {
			t.Error(err)
		}
		if got.String() != want {
			t.Errorf("%s:\n%s\nwant\n%s", f, got.String(), want)
		}
	}
	var doc any
	var text bytes.Buffer
	if err := Submit(&text, JSON, in); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text.Bytes(), &doc); err != nil {
		t.Errorf("not JSON: %v", err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestSubmitReportsWriteErrors(t *testing.T) {
	err := Submit(brokenPipe{}, JSON, SubmitInput{Plan: &packing.Plan{}})
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v, want that of the writer", err)
	}
}

// wordCount is a topology with so many containers, and instances of each of its
// two components.
func wordCount(t *testing.T, containers, instances int) *topology.Definition {
	t.Helper()
	config := func(key string, n int) *heronpb.Config {
		return &heronpb.Config{Kvs: []*heronpb.Config_KeyValue{{Key: &key, Value: proto.String(strconv.Itoa(n))}}}
	}
	component := func(name string) *heronpb.Component {
		return &heronpb.Component{
			Name: &name, Spec: heronpb.ComponentObjectSpec_JAVA_CLASS_NAME.Enum(),
			Config: config("topology.component.parallelism", instances),
		}
	}
	data, err := proto.Marshal(&heronpb.Topology{
		Id: proto.String("t-id"), Name: proto.String("t"), State: heronpb.TopologyState_RUNNING.Enum(),
		Spouts:         []*heronpb.Spout{{Comp: component("word")}},
		Bolts:          []*heronpb.Bolt{{Comp: component("count")}},
		TopologyConfig: config("topology.stmgrs", containers),
	})
	if err != nil {
		t.Fatal(err)
	}
	def, err := topology.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// A plan as the algorithms make it is printed by container id and task id,
// also where the original's sets have another order.
func TestSubmitPrintsByID(t *testing.T) {
	alg, err := packing.New("roundrobin", packing.Settings{InstanceCPU: 1, InstanceRAM: 1 << 30, InstanceDisk: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := alg.Pack(wordCount(t, 4, 16))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Submit(&text, JSON, SubmitInput{Topology: "t", Plan: plan}); err != nil {
		t.Fatal(err)
	}
	type item struct {
		ID         int
		Components []item
	}
	var doc struct{ Containers []item }
	if err := json.Unmarshal(text.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	byID := func(a, b item) int { return a.ID - b.ID }
	if len(doc.Containers) != 4 || !slices.IsSortedFunc(doc.Containers, byID) {
		t.Errorf("containers out of order: %s", text.String())
	}
	for _, c := range doc.Containers {
		if len(c.Components) < 4 || !slices.IsSortedFunc(c.Components, byID) {
			t.Errorf("instances of container %d out of order: %v", c.ID, c.Components)
		}
	}
}
