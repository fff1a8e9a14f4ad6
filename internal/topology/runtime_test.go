package topology

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

func TestRuntimeValues(t *testing.T) {
	config := func(pairs ...string) *heronpb.Config {
		c := &heronpb.Config{}
		for i := 0; i < len(pairs); i += 2 {
			c.Kvs = append(c.Kvs, &heronpb.Config_KeyValue{Key: &pairs[i], Value: &pairs[i+1]})
		}
		return c
	}
	def := FromProto(&heronpb.Topology{
		Id: proto.String("t1"), Name: proto.String("t"), State: heronpb.TopologyState_RUNNING.Enum(), TopologyConfig: config("a", "1", "b:runtime", "2"),
		Spouts: []*heronpb.Spout{{Comp: &heronpb.Component{Name: proto.String("word"), Config: config("rate", "1")}}},
	})
	var values []RuntimeValue
	for _, text := range []string{"z:9", "b:3", "word:rate:5", "a:x y,z", "z:10"} {
		v, err := ParseRuntimeValue(text)
		if err != nil || v.String() != text {
			t.Fatalf("%q: %v, %v", text, v, err)
		}
		values = append(values, v)
	}
	now, err := def.WithRuntime(values)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(now.Runtime()), "[a:x y,z b:3 z:10 word:rate:5]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// As the TManager writes it: what is there changes its value, the rest is last.
	var keys []string
	for _, kv := range now.Proto().GetTopologyConfig().GetKvs() {
		keys = append(keys, kv.GetKey()+"="+kv.GetValue())
	}
	if got, want := fmt.Sprint(keys), "[a=1 b:runtime=3 a:runtime=x y,z z:runtime=10]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if fmt.Sprint(def.Runtime()) != "[b:2]" {
		t.Errorf("the definition itself was changed: %v", def.Runtime())
	}
	if _, err := def.WithRuntime([]RuntimeValue{{"bolt", "a", "b"}}); err == nil {
		t.Error("a component that is not there was configured")
	}
	for _, bad := range []string{"", "a", "a:", ":b", "a::b", "a:b:c:d", "c:a:"} {
		if v, err := ParseRuntimeValue(bad); err == nil {
			t.Errorf("%q is %+v", bad, v)
		}
	}
}
