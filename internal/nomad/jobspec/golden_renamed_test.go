package jobspec

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
)

// The comparison does not depend on the names in the recorded tree: in a copy
// of it components have names with spaces, and files other names.
func TestContainersEqualThoseOfARenamedTree(t *testing.T) {
	golden, renamed := testenv.Golden(t), t.TempDir()
	for _, dir := range []string{"topologies", "nomad/submit"} {
		if err := os.MkdirAll(filepath.Join(renamed, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(renamed, "README.md"), nil)
	files, err := filepath.Glob(filepath.Join(golden, "nomad", "submit", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, file := range files {
		r := renaming{t: t, golden: golden, to: renamed}
		if r.vector(file) {
			changed++
		}
	}
	if changed < len(files)/2 {
		t.Errorf("only %d of %d vectors have other names", changed, len(files))
	}
	t.Setenv("HERON_GOLDEN", renamed)
	compareSubmissions(t)
}

// renaming copies a vector and its topology.
type renaming struct {
	t          *testing.T
	golden, to string
	names      []string
}

func (r *renaming) vector(file string) (changed bool) {
	var v map[string]any
	r.json(readFile(r.t, file), &v)
	name, _ := v["topology"].(string)
	definition := readFile(r.t, filepath.Join(r.golden, "topologies", name))
	// Packing goes by the hashes of names, so others may share RAM otherwise.
	if other, ok := r.topology(definition); ok && r.alike(v) {
		definition, changed = other, true
		r.outputs(v)
	}
	v["topology"] = "of " + filepath.Base(file) + ".defn"
	writeFile(r.t, filepath.Join(r.to, "topologies", v["topology"].(string)), definition)
	data, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	writeFile(r.t, filepath.Join(r.to, "nomad", "submit", "other "+filepath.Base(file)), data)
	return changed
}

// alike says whether all components of a vector have the same RAM.
func (r *renaming) alike(v map[string]any) bool {
	text, err := json.Marshal(v["outputs"])
	if err != nil {
		r.t.Fatal(err)
	}
	rams := map[string]bool{}
	for _, list := range ramMap.FindAllString(string(text), -1) {
		for part := range strings.SplitSeq(list, ",") {
			_, ram, _ := strings.Cut(part, ":")
			rams[ram] = true
		}
	}
	return len(rams) == 1
}

func (r *renaming) json(data []byte, v any) {
	r.t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		r.t.Fatal(err)
	}
}

// topology renames the components of a definition. One whose configuration
// speaks of components is left as it is.
func (r *renaming) topology(data []byte) ([]byte, bool) {
	def := &heronpb.Topology{}
	if err := proto.Unmarshal(data, def); err != nil {
		r.t.Fatal(err)
	}
	for _, kv := range def.GetTopologyConfig().GetKvs() {
		if key := kv.GetKey(); strings.HasSuffix(key, "map") || strings.Contains(key, "jvmoptions") {
			return nil, false
		}
	}
	var inputs []*heronpb.StreamId
	for _, s := range def.GetSpouts() {
		r.component(s.GetComp())
		for _, out := range s.GetOutputs() {
			inputs = append(inputs, out.GetStream())
		}
	}
	for _, b := range def.GetBolts() {
		r.component(b.GetComp())
		for _, in := range b.GetInputs() {
			inputs = append(inputs, in.GetStream())
		}
		for _, out := range b.GetOutputs() {
			inputs = append(inputs, out.GetStream())
		}
	}
	for _, stream := range inputs {
		stream.ComponentName = proto.String(other(stream.GetComponentName()))
	}
	out, err := proto.Marshal(def)
	if err != nil {
		r.t.Fatal(err)
	}
	return out, true
}

func other(component string) string { return component + " of ours" }

func (r *renaming) component(c *heronpb.Component) {
	r.names = append(r.names, c.GetName())
	c.Name = proto.String(other(c.GetName()))
}

var ramMap = regexp.MustCompile(`--component-ram-map=[^ "]*`)

// outputs renames the components in recorded jobs and plans.
func (r *renaming) outputs(v map[string]any) {
	for _, output := range v["outputs"].([]any) {
		o, _ := output.(map[string]any)
		if plan, ok := o["packing_plan"].(map[string]any); ok {
			plan["proto_base64"] = r.plan(plan["proto_base64"].(string))
		}
		text, err := json.Marshal(o["http"])
		if err != nil {
			r.t.Fatal(err)
		}
		text = ramMap.ReplaceAllFunc(text, func(found []byte) []byte {
			flag, list, _ := strings.Cut(string(found), "=")
			parts := strings.Split(list, ",")
			for i, part := range parts {
				if name, ram, ok := strings.Cut(part, ":"); ok && slices.Contains(r.names, name) {
					parts[i] = other(name) + ":" + ram
				}
			}
			return []byte(flag + "=" + strings.Join(parts, ","))
		})
		var requests any
		r.json(text, &requests)
		o["http"] = requests
	}
}

func (r *renaming) plan(encoded string) string {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		r.t.Fatal(err)
	}
	plan := &heronpb.PackingPlan{}
	if err := proto.Unmarshal(data, plan); err != nil {
		r.t.Fatal(err)
	}
	for _, c := range plan.GetContainerPlans() {
		for _, i := range c.GetInstancePlans() {
			i.ComponentName = proto.String(other(i.GetComponentName()))
		}
	}
	if data, err = proto.Marshal(plan); err != nil {
		r.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(data)
}

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
