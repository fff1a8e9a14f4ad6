package clustertest

import (
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

// Settings are those of a cluster of folders below dir.
func Settings(t *testing.T, dir string) *conf.Settings {
	t.Helper()
	loaded, err := conf.Load(conf.Options{
		Home: dir, Dir: filepath.Join(testenv.Root(), "conf", "nomad"),
		Properties: []string{
			"heron.class.state.manager=org.apache.heron.statemgr.localfs.LocalFileSystemStateManager",
			"heron.statemgr.connection.string=LOCALMODE",
			"heron.statemgr.root.path=" + filepath.Join(dir, "state"),
			"heron.uploader.localfs.file.system.directory=" + filepath.Join(dir, "packages"),
		},
		Cluster: "nomad", Role: "ads", Environ: "prod", User: "ann", UserHome: dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	settings, err := loaded.Settings()
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// Words is a small topology of two containers.
func Words(id string) *topology.Definition {
	component := func(name string) *heronpb.Component {
		return &heronpb.Component{
			Name: proto.String(name),
			Config: &heronpb.Config{Kvs: []*heronpb.Config_KeyValue{
				{Key: proto.String(topology.KeyParallelism), Value: proto.String("2")},
			}},
			SerializedObject: []byte("an object of the user's"),
		}
	}
	stream := &heronpb.StreamId{Id: proto.String("default"), ComponentName: proto.String("spout")}
	return topology.FromProto(&heronpb.Topology{
		Id:    proto.String(id),
		Name:  proto.String("words"),
		State: heronpb.TopologyState_RUNNING.Enum(),
		Spouts: []*heronpb.Spout{{
			Comp:    component("spout"),
			Outputs: []*heronpb.OutputStream{{Stream: stream, Schema: &heronpb.StreamSchema{}}},
		}},
		Bolts: []*heronpb.Bolt{{
			Comp:   component("bolt"),
			Inputs: []*heronpb.InputStream{{Stream: stream, Gtype: heronpb.Grouping_SHUFFLE.Enum()}},
		}},
		TopologyConfig: &heronpb.Config{Kvs: []*heronpb.Config_KeyValue{
			{Key: proto.String(topology.KeyStmgrs), Value: proto.String("2")},
		}},
	})
}
