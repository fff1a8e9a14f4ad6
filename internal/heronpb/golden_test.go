package heronpb

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/heron-nomad/heron/internal/testenv"
)

// roundTrip decodes data and wants the same bytes back: the original writes
// fields in the order of their numbers, as this package does. With extra
// fields of a later version behind them, those must come back too.
func roundTrip(t *testing.T, what string, data []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(data, m); err != nil {
		t.Errorf("%s is no %s: %v", what, m.ProtoReflect().Descriptor().FullName(), err)
		return
	}
	wantBytes(t, what, m, data)
	if unknown := firstUnknown(m.ProtoReflect()); unknown != "" {
		t.Errorf("%s: %s has fields that its .proto file lacks", what, unknown)
	}

	later := append(bytes.Clone(data), 0xfa, 0x7f, 5, 'l', 'a', 't', 'e', 'r')
	if err := proto.Unmarshal(later, m); err != nil {
		t.Errorf("%s with a field more: %v", what, err)
		return
	}
	wantBytes(t, what+" with a field more", m, later)
}

func wantBytes(t *testing.T, what string, m proto.Message, want []byte) {
	t.Helper()
	got, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes became %d other ones", what, len(want), len(got))
	}
}

// firstUnknown names a message inside m that has fields it does not know.
func firstUnknown(m protoreflect.Message) string {
	if len(m.GetUnknown()) > 0 {
		return string(m.Descriptor().FullName())
	}
	found := ""
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := 0; i < v.List().Len() && found == ""; i++ {
				found = firstUnknown(v.List().Get(i).Message())
			}
		default:
			found = firstUnknown(v.Message())
		}
		return found == ""
	})
	return found
}

// vectors lists the golden files of a pattern; there must be some.
func vectors(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testenv.Golden(t), pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors %s: %v", pattern, err)
	}
	return files
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func TestDefinitions(t *testing.T) {
	for _, file := range vectors(t, "topologies/*.defn") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, filepath.Base(file), data, &Topology{})

		// The JSON beside it names every field and enum value.
		text, err := os.ReadFile(strings.TrimSuffix(file, ".defn") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var fromJSON, fromWire Topology
		if err := protojson.Unmarshal(text, &fromJSON); err != nil {
			t.Errorf("%s as JSON: %v", filepath.Base(file), err)
		}
		if err := proto.Unmarshal(data, &fromWire); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(&fromJSON, &fromWire) {
			t.Errorf("%s: JSON and wire form differ", filepath.Base(file))
		}
	}
}

func TestPackingPlans(t *testing.T) {
	plans := 0
	for _, file := range vectors(t, "packing/*.json") {
		var f struct {
			Cases []struct {
				Plan struct {
					Proto []byte `json:"proto_base64"`
				}
				Homogeneous []byte `json:"homogeneous_proto_base64"`
			}
		}
		readJSON(t, file, &f)
		for _, c := range f.Cases {
			for _, data := range [][]byte{c.Plan.Proto, c.Homogeneous} {
				if len(data) > 0 {
					plans++
					roundTrip(t, filepath.Base(file), data, &PackingPlan{})
				}
			}
		}
	}
	if plans == 0 {
		t.Error("no packing plan in any vector")
	}
}

func TestNodesOfARunningTopology(t *testing.T) {
	var nodes []struct {
		Path  string
		Value []byte `json:"value_base64"`
		Proto string
		JSON  json.RawMessage
	}
	readJSON(t, filepath.Join(testenv.GoldenRuntime(t), "running", "znodes.json"), &nodes)
	seen := map[string]bool{}
	for _, n := range nodes {
		if n.Proto == "" {
			continue
		}
		seen[n.Proto] = true
		typ, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(n.Proto))
		if err != nil {
			t.Errorf("%s holds a %s: %v", n.Path, n.Proto, err)
			continue
		}
		roundTrip(t, n.Path, n.Value, typ.New().Interface())

		fromJSON, fromWire := typ.New().Interface(), typ.New().Interface()
		if err := protojson.Unmarshal(n.JSON, fromJSON); err != nil {
			t.Errorf("%s as JSON: %v", n.Path, err)
		}
		if err := proto.Unmarshal(n.Value, fromWire); err != nil || !proto.Equal(fromJSON, fromWire) {
			t.Errorf("%s: JSON and wire form differ, or %v", n.Path, err)
		}
	}
	if len(seen) < 5 {
		t.Errorf("only %d kinds of messages: %v", len(seen), seen)
	}
}

// messageOf is what each directory of the state tree holds.
func messageOf(dir string) proto.Message {
	switch dir {
	case "topologies":
		return &Topology{}
	case "packingplans":
		return &PackingPlan{}
	case "executionstate":
		return &ExecutionState{}
	case "schedulers":
		return &SchedulerLocation{}
	case "tmanagers":
		return &TManagerLocation{}
	case "metricscaches":
		return &MetricsCacheLocation{}
	case "pplans":
		return &PhysicalPlan{}
	case "statefulcheckpoints":
		return &StatefulConsistentCheckpoints{}
	}
	return nil
}

func TestStateMessages(t *testing.T) {
	seen := map[string]bool{}
	for _, file := range vectors(t, "statemgr/*.json") {
		var f struct {
			Steps []struct {
				Tree    json.RawMessage
				Changes json.RawMessage `json:"tree_changes"`
			}
		}
		readJSON(t, file, &f)
		for _, step := range f.Steps {
			for _, tree := range []json.RawMessage{step.Tree, step.Changes} {
				for path, data := range nodes(tree) {
					dir := filepath.Base(filepath.Dir(path))
					if m := messageOf(dir); m != nil && len(data) > 0 {
						seen[dir] = true
						roundTrip(t, filepath.Base(file)+" "+path, data, m)
					}
				}
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("messages in %v only, want all 8 directories", seen)
	}
}

// nodes reads a tree of the vectors; the text "unchanged" is an empty one.
func nodes(tree json.RawMessage) map[string][]byte {
	var entries map[string]*struct{ Data string }
	if json.Unmarshal(tree, &entries) != nil {
		return nil
	}
	out := map[string][]byte{}
	for path, e := range entries {
		if e == nil {
			continue
		}
		if data, err := base64.StdEncoding.DecodeString(e.Data); err == nil {
			out[path] = data
		}
	}
	return out
}
