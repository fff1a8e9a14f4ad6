package commandbench

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// definition is that of a topology with so many containers of two instances
// each, one of a spout and one of a bolt.
func definition(b *testing.B, name string, containers int) []byte {
	b.Helper()
	stream := &heronpb.StreamId{Id: proto.String("default"), ComponentName: proto.String("word")}
	schema := &heronpb.StreamSchema{Keys: []*heronpb.StreamSchema_KeyType{{Key: proto.String("word"), Type: heronpb.Type_OBJECT.Enum()}}}
	parallelism := strconv.Itoa(containers)
	data, err := proto.Marshal(&heronpb.Topology{
		Id: proto.String(name + "-id"), Name: proto.String(name), State: heronpb.TopologyState_RUNNING.Enum(),
		Spouts: []*heronpb.Spout{{
			Comp: component("word", parallelism), Outputs: []*heronpb.OutputStream{{Stream: stream, Schema: schema}},
		}},
		Bolts: []*heronpb.Bolt{{
			Comp:   component("count", parallelism),
			Inputs: []*heronpb.InputStream{{Stream: stream, Gtype: heronpb.Grouping_FIELDS.Enum(), GroupingFields: schema}},
		}},
		TopologyConfig: settings("topology.name", name, "topology.stmgrs", parallelism, "topology.container.cpu", "0.1"),
	})
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func component(name, parallelism string) *heronpb.Component {
	return &heronpb.Component{
		Name: proto.String(name), Spec: heronpb.ComponentObjectSpec_JAVA_CLASS_NAME.Enum(), ClassName: proto.String("bench." + name),
		Config: settings("topology.component.parallelism", parallelism),
	}
}

// settings makes a configuration of keys and values in turn.
func settings(pairs ...string) *heronpb.Config {
	config := &heronpb.Config{}
	for i := 0; i+1 < len(pairs); i += 2 {
		config.Kvs = append(config.Kvs, &heronpb.Config_KeyValue{
			Key: proto.String(pairs[i]), Value: proto.String(pairs[i+1]), Type: heronpb.ConfigValueType_STRING_VALUE.Enum(),
		})
	}
	return config
}

// noise does not compress, like most of a jar.
func noise(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

// folder is a new one.
func folder(b *testing.B, parts ...string) string {
	b.Helper()
	dir := filepath.Join(parts...)
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	return dir
}

func write(b *testing.B, path string, data []byte) {
	b.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
}
