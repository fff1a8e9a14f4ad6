package topology

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// sample is a topology of a spout "word" and a bolt "count" that reads it.
func sample(name string) *heronpb.Topology {
	return &heronpb.Topology{
		Id:    proto.String(name + "0c9006ef-b524-42dc-aedd-0fb4cfc9e250"),
		Name:  proto.String(name),
		State: heronpb.TopologyState_RUNNING.Enum(),
		Spouts: []*heronpb.Spout{{
			Comp: component("word", "2"),
			Outputs: []*heronpb.OutputStream{{
				Stream: stream("word", "default"),
				Schema: &heronpb.StreamSchema{Keys: []*heronpb.StreamSchema_KeyType{{Key: proto.String("w"), Type: heronpb.Type_OBJECT.Enum()}}},
			}},
		}},
		Bolts: []*heronpb.Bolt{{
			Comp: component("count", "3"),
			Inputs: []*heronpb.InputStream{{
				Stream: stream("word", "default"), Gtype: heronpb.Grouping_SHUFFLE.Enum(),
			}},
		}},
		TopologyConfig: config(KeyStmgrs, "2"),
	}
}

func component(name, parallelism string) *heronpb.Component {
	return &heronpb.Component{Name: &name, Config: config(KeyParallelism, parallelism), SerializedObject: []byte("object of " + name)}
}

func stream(component, id string) *heronpb.StreamId {
	return &heronpb.StreamId{ComponentName: &component, Id: &id}
}

// config makes a configuration of keys and values in turn.
func config(pairs ...string) *heronpb.Config {
	c := &heronpb.Config{}
	for i := 0; i < len(pairs); i += 2 {
		c.Kvs = append(c.Kvs, &heronpb.Config_KeyValue{
			Key: &pairs[i], Value: &pairs[i+1], Type: heronpb.ConfigValueType_STRING_VALUE.Enum(),
		})
	}
	return c
}

func with(pairs ...string) *Definition {
	pb := sample("t")
	pb.TopologyConfig = config(append([]string{KeyStmgrs, "2"}, pairs...)...)
	return FromProto(pb)
}

func TestUnknownFieldsSurvive(t *testing.T) {
	unknown := protowire.AppendTag(nil, 1000, protowire.BytesType)
	unknown = protowire.AppendString(unknown, "of a later version")
	unknown = protowire.AppendTag(unknown, 1001, protowire.VarintType)
	unknown = protowire.AppendVarint(unknown, 7)
	pb := sample("t")
	places := map[string]proto.Message{
		"topology":      pb,
		"configuration": pb.TopologyConfig,
		"entry":         pb.TopologyConfig.Kvs[0],
		"spout":         pb.Spouts[0],
		"component":     pb.Spouts[0].Comp,
		"key type":      pb.Spouts[0].Outputs[0].Schema.Keys[0],
		"input":         pb.Bolts[0].Inputs[0],
		"stream":        pb.Bolts[0].Inputs[0].Stream,
	}
	for _, m := range places {
		m.ProtoReflect().SetUnknown(unknown)
	}
	data, err := proto.Marshal(pb)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(data, unknown); n != len(places) {
		t.Fatalf("the definition has unknown fields in %d places, want %d", n, len(places))
	}
	d, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string]*Definition{
		"as read":                        d,
		"trimmed":                        d.Trimmed(),
		"other containers, id and state": d.WithStmgrs(9).WithID("x").WithState(heronpb.TopologyState_PAUSED),
	} {
		again, err := changed.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(again, unknown); n != len(places) {
			t.Errorf("%s: unknown fields in %d places, want %d", name, n, len(places))
		}
	}
	if again, _ := d.Bytes(); !bytes.Equal(again, data) {
		t.Error("decoding and encoding changes the bytes")
	}
}

func TestDefinitionIsAValue(t *testing.T) {
	d := FromProto(sample("t"))
	before, _ := d.Bytes()
	d.WithStmgrs(7)
	d.WithID("other")
	d.WithState(heronpb.TopologyState_PAUSED)
	d.Trimmed()
	d.Proto().Name = proto.String("changed")
	if after, _ := d.Bytes(); !bytes.Equal(before, after) {
		t.Error("a method changed its receiver")
	}
}

func TestNumbersAreReadAsInJava(t *testing.T) {
	pb := sample("t")
	pb.Spouts[0].Comp = component("word", " 2\t")
	pb.TopologyConfig = config(KeyStmgrs, " 4 ")
	d := FromProto(pb)
	components, err := d.Components()
	want := []Component{{Name: "word", Parallelism: 2, Spout: true}, {Name: "count", Parallelism: 3}}
	if diff := cmp.Diff(want, components); diff != "" || err != nil {
		t.Errorf("components: %v\n%s", err, diff)
	}
	if n, err := d.Stmgrs(); n != 4 || err != nil {
		t.Errorf("containers: %d, %v", n, err)
	}
	if _, err := with(KeyCkptmgrRAM, " 1").CheckpointRAM(); err == nil {
		t.Error("a number of bytes with a space is read")
	}
	// Of a key that stands twice the first counts; serialized values are empty.
	if got := with(KeyWorkerChildopts, "-Da", KeyWorkerChildopts, "-Db").WorkerOptions(); got != "-Da" {
		t.Errorf("options %q", got)
	}
	pb.TopologyConfig.Kvs[0].Value, pb.TopologyConfig.Kvs[0].SerializedValue = nil, []byte("object")
	if n, err := FromProto(pb).Stmgrs(); err == nil {
		t.Errorf("a serialized object is read as %d containers", n)
	}
}

func TestComponentMaps(t *testing.T) {
	for _, test := range []struct {
		text string
		want map[string]int64
	}{
		{"", map[string]int64{}},
		{",, ,", map[string]int64{}},
		{"word:1", map[string]int64{"word": 1}},
		{"word:1,count:-2,", map[string]int64{"word": 1, "count": -2}},
		{"word:1,word:2", map[string]int64{"word": 2}},
		{"word:1::", map[string]int64{"word": 1}},
		{"word", nil},
		{"word:", nil},
		{":1", nil},
		{"word:1:2", nil},
		{" word:1", nil},
		{"word: 1", nil},
		{"word:1.5", nil},
		{"other:1", nil},
		{"word:9223372036854775808", nil},
	} {
		got, err := with(KeyComponentRAMMap, test.text).ResourceMap(KeyComponentRAMMap)
		if diff := cmp.Diff(test.want, got); diff != "" || (test.want == nil) != (err != nil) {
			t.Errorf("%q: %v\n%s", test.text, err, diff)
		}
	}
}

func TestCoresAreReadAsInJava(t *testing.T) {
	for text, want := range map[string]float64{
		"1": 1, " 0.5 ": 0.5, ".5": .5, "2.": 2, "1e3": 1000, "1.5d": 1.5, "2F": 2, "-1": -1,
		"Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "1e999": math.Inf(1),
	} {
		got, err := with(KeyComponentCPUMap, "word:"+text).CPUMap()
		if err != nil || got["word"] != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	if got, err := with(KeyComponentCPUMap, "word:NaN").CPUMap(); err != nil || !math.IsNaN(got["word"]) {
		t.Errorf("NaN: %v, %v", got, err)
	}
	for _, text := range []string{"one", "1_0", "inf", "nan", "1,5", "1 0", "1dd", "e3", "."} {
		if got, err := with(KeyComponentCPUMap, "word:"+text).CPUMap(); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestReliability(t *testing.T) {
	for mode, stateful := range map[string]bool{"": false, "ATMOST_ONCE": false, "ATLEAST_ONCE": false, "EFFECTIVELY_ONCE": true} {
		if got, err := with(KeyReliabilityMode, mode).Stateful(); got != stateful || err != nil {
			t.Errorf("%q: stateful %v, %v", mode, got, err)
		}
	}
	if _, err := with(KeyReliabilityMode, "effectively_once").Stateful(); err == nil {
		t.Error("an unknown mode is accepted")
	}
}
