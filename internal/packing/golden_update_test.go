package packing

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

// goldenUpdates is a topology's life under the original's client.
type goldenUpdates struct {
	Files   map[string]*string `json:"conf_files"`
	Steps   []struct{ Args []string }
	Outputs []struct {
		Result string
		Error  *goldenError
		State  map[string]goldenNode `json:"state_after"`
	}
}

// goldenNode is a file's content, or that of a node of ZooKeeper.
type goldenNode []byte

func (g *goldenNode) UnmarshalJSON(data []byte) error {
	if data[0] == '{' {
		var node struct{ Data []byte }
		err := json.Unmarshal(data, &node)
		*g = node.Data
		return err
	}
	return json.Unmarshal(data, (*[]byte)(g))
}

// A golden step is an update of the parallelism or the number of containers:
// from the current plan, what the state was afterwards or the refusal.
type goldenUpdate struct {
	class                   string
	settings                Settings
	parallelism, containers string
	def                     *topology.Definition
	current                 *Plan
	after                   []byte
	err                     *goldenError
}

func TestUpdatesAreTheOriginals(t *testing.T) {
	dir := testenv.Golden(t)
	files, err := filepath.Glob(filepath.Join(dir, "update", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no updates in %s: %v", dir, err)
	}
	n := 0
	for _, file := range files {
		var g goldenUpdates
		readJSON(t, file, &g)
		for i, u := range g.updates(t) {
			n++
			t.Run(fmt.Sprintf("%s/%d", strings.TrimSuffix(filepath.Base(file), ".json"), i), u.check)
		}
	}
	if n < len(files) {
		t.Errorf("%d updates in %d files", n, len(files))
	}
}

// updates are the steps that ask for another plan.
func (g *goldenUpdates) updates(t *testing.T) []goldenUpdate {
	t.Helper()
	if len(g.Steps) != len(g.Outputs) {
		t.Fatalf("%d steps and %d outputs", len(g.Steps), len(g.Outputs))
	}
	conf := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(g.Files)) {
		if text := g.Files[name]; text != nil && path.Ext(name) == ".yaml" {
			if err := yaml.Unmarshal([]byte(*text), &conf); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	var updates []goldenUpdate
	state := map[string]goldenNode{}
	for i, step := range g.Steps {
		out := g.Outputs[i]
		before := state
		if out.State != nil {
			state = out.State
		}
		if argument(step.Args, "--command") != "update" || argument(step.Args, "--runtime_config") != "" ||
			slices.Contains(step.Args, "--runtime_config") {
			continue
		}
		u := goldenUpdate{
			class:       fmt.Sprint(conf["heron.class.repacking.algorithm"]),
			settings:    goldenSettings(t, conf),
			parallelism: argument(step.Args, "--component_parallelism"),
			containers:  argument(step.Args, "--container_number"),
			current:     goldenPlanIn(t, before),
			after:       nodeIn(t, state, "packingplans"),
			err:         out.Error,
		}
		var err error
		if u.def, err = topology.Decode(nodeIn(t, before, "topologies")); err != nil {
			t.Fatal(err)
		}
		updates = append(updates, u)
	}
	return updates
}

func goldenSettings(t *testing.T, conf map[string]any) Settings {
	t.Helper()
	s := plain
	for key, to := range map[string]any{
		"heron.resources.instance.cpu":  &s.InstanceCPU,
		"heron.resources.instance.ram":  &s.InstanceRAM,
		"heron.resources.instance.disk": &s.InstanceDisk,
	} {
		if v, ok := conf[key]; ok {
			if err := yaml.Unmarshal(fmt.Append(nil, v), to); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
		}
	}
	return s
}

func argument(args []string, flag string) string {
	if i := slices.Index(args, flag); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

func goldenPlanIn(t *testing.T, state map[string]goldenNode) *Plan {
	t.Helper()
	p, err := Decode(nodeIn(t, state, "packingplans"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// nodeIn is the content of the one node that lies in folder.
func nodeIn(t *testing.T, state map[string]goldenNode, folder string) []byte {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(state)) {
		if path.Base(path.Dir(name)) == folder {
			return state[name]
		}
	}
	t.Fatalf("no node in %s", folder)
	return nil
}

func (u goldenUpdate) check(t *testing.T) {
	target, err := ParseTarget(u.parallelism, u.containers)
	var got *Plan
	if err == nil {
		var alg Algorithm
		if alg, err = New(u.class, u.settings); err == nil {
			got, err = target.Repack(alg, u.def, u.current)
		}
	}
	kind := u.better(target)
	switch {
	case kind != nil:
		if !errors.Is(err, kind) {
			t.Errorf("plan %v, error %v, want %v", got, err, kind)
		}
	case u.err == nil:
		if err != nil {
			t.Fatal(err)
		}
		checkStored(t, "after the update", u.after, got)
	case u.proposed() != nil:
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(u.proposed(), printed(got.String())); diff != "" {
			t.Errorf("plan (-original +ours):\n%s", diff)
		}
	default:
		u.checkRefusal(t, got, err)
	}
}

// better is the kind of error that we give where the original takes a number
// of instances below 1, or takes a change that is none for one.
func (u goldenUpdate) better(target Target) error {
	instances := map[string]int{}
	for _, c := range u.current.Containers {
		for _, in := range c.Instances {
			instances[in.Component]++
		}
	}
	same := len(target.Parallelism) > 0
	for _, p := range target.Parallelism {
		if n := instances[p.Component]; n > 0 && p.Instances < 1 {
			return ErrParallelism
		}
		same = same && p.Instances == instances[p.Component]
	}
	if same && (target.Containers == nil || *target.Containers == len(u.current.Containers)) {
		return ErrUnchanged
	}
	return nil
}

func (u goldenUpdate) checkRefusal(t *testing.T, got *Plan, err error) {
	t.Helper()
	message := u.err.Message
	if u.err.crash() || strings.HasPrefix(message, "Failed to instantiate packing instance") {
		message = ""
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || !strings.Contains(err.Error(), message) || e.Kind() != outcome.Usage {
		t.Errorf("plan %v, error %v (%T), want a *Error with %q", got, err, err, message)
	}
}

// proposed are the containers of the plan that the original made, in its
// words, where it found only then that its scheduler cannot have it.
func (u goldenUpdate) proposed() []string {
	_, text, ok := strings.Cut(u.err.Message, ", proposed packing plan: ")
	if !ok {
		return nil
	}
	return printed(text)
}

// printed splits the text of a plan at its containers and instances, sorted:
// the original prints them in the order of hash sets.
func printed(plan string) []string {
	containers := regexp.MustCompile(`\{container-id: `).Split(plan, -1)[1:]
	for i, c := range containers {
		head, rest, _ := strings.Cut(c, "instances-list: [")
		list, tail, _ := strings.Cut(rest, "]")
		instances := strings.Split(list, ", {component-name: ")
		instances[0] = strings.TrimPrefix(instances[0], "{component-name: ")
		slices.Sort(instances)
		containers[i] = head + strings.Join(instances, " | ") + strings.TrimRight(tail, ",]} ")
	}
	slices.Sort(containers)
	return containers
}
