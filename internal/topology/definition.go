package topology

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// Configuration keys of a definition that the client reads. Sizes are in
// bytes.
const (
	KeyName              = "topology.name"
	KeyStmgrs            = "topology.stmgrs"
	KeyParallelism       = "topology.component.parallelism"
	KeyContainerCPU      = "topology.container.cpu"
	KeyContainerRAM      = "topology.container.ram"
	KeyContainerDisk     = "topology.container.disk"
	KeyContainerRAMPad   = "topology.container.ram.padding"
	KeyComponentRAMMap   = "topology.component.rammap"
	KeyComponentCPUMap   = "topology.component.cpumap"
	KeyComponentDiskMap  = "topology.component.diskmap"
	KeyStmgrRAM          = "topology.stmgr.ram"
	KeyMetricsmgrRAM     = "topology.metricsmgr.ram"
	KeyCkptmgrRAM        = "topology.stateful.checkpointmanager.ram"
	KeyReliabilityMode   = "topology.reliability.mode"
	KeyWorkerChildopts   = "topology.worker.childopts"
	KeyComponentJVMOpts  = "topology.component.jvmopts"
	KeyAdditionalClasses = "topology.additional.classpath"
	KeyRemoteDebugging   = "topology.remote.debugging.enable"
)

// Definition is a topology as its program defined it. It is a value: no
// method changes the receiver, and what a method returns shares nothing that
// the caller may change.
type Definition struct {
	pb *heronpb.Topology
}

// Component is a spout or a bolt with how many instances of it run.
type Component struct {
	Name        string
	Parallelism int
	Spout       bool
}

// Decode reads a serialized heron.proto.api.Topology. It checks the wire
// format and required fields only; see Validate for the rest.
func Decode(data []byte) (*Definition, error) {
	var pb heronpb.Topology
	if err := proto.Unmarshal(data, &pb); err != nil {
		return nil, fmt.Errorf("not a topology definition: %w", err)
	}
	return &Definition{pb: &pb}, nil
}

// FromProto makes a definition of a copy of pb.
func FromProto(pb *heronpb.Topology) *Definition {
	return &Definition{pb: proto.CloneOf(pb)}
}

// Proto returns a copy of the message.
func (d *Definition) Proto() *heronpb.Topology { return proto.CloneOf(d.pb) }

// Bytes serializes the definition; equal definitions give equal bytes, and
// fields this version does not know are kept.
func (d *Definition) Bytes() ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(d.pb)
}

// Name is the topology's name, ID the name with a random UUID behind it.
func (d *Definition) Name() string { return d.pb.GetName() }

// ID is different for every run of the user's program.
func (d *Definition) ID() string { return d.pb.GetId() }

// State says whether the topology starts running or paused.
func (d *Definition) State() heronpb.TopologyState { return d.pb.GetState() }

// Config looks a key of the topology's own configuration up; the first entry
// of a key counts. Values that are serialized objects are not text and read
// as absent.
func (d *Definition) Config(key string) (string, bool) {
	return lookup(d.pb.GetTopologyConfig(), key)
}

func lookup(c *heronpb.Config, key string) (string, bool) {
	if kv := entry(c, key); kv != nil {
		return kv.GetValue(), kv.Value != nil
	}
	return "", false
}

func entry(c *heronpb.Config, key string) *heronpb.Config_KeyValue {
	for _, kv := range c.GetKvs() {
		if kv.GetKey() == key {
			return kv
		}
	}
	return nil
}

// text is the value of a key as the original reads it: a key whose value is a
// serialized object is there, and empty.
func text(c *heronpb.Config, key, missing string) string {
	if kv := entry(c, key); kv != nil {
		return kv.GetValue()
	}
	return missing
}

// components calls f for every spout, then every bolt, in the order of the
// definition.
func (d *Definition) components(f func(c *heronpb.Component, spout bool)) {
	for _, s := range d.pb.GetSpouts() {
		f(s.GetComp(), true)
	}
	for _, b := range d.pb.GetBolts() {
		f(b.GetComp(), false)
	}
}

// Components lists spouts, then bolts, in the order of the definition. A
// component without a whole number of instances is an error.
func (d *Definition) Components() ([]Component, error) {
	var (
		list []Component
		bad  error
	)
	d.components(func(c *heronpb.Component, spout bool) {
		n, err := parallelism(c)
		if bad == nil {
			bad = err
		}
		list = append(list, Component{Name: c.GetName(), Parallelism: n, Spout: spout})
	})
	if bad != nil {
		return nil, bad
	}
	return list, nil
}

func parallelism(c *heronpb.Component) (int, error) {
	if entry(c.GetConfig(), KeyParallelism) == nil {
		return 0, fmt.Errorf("component %q: %s is not set", c.GetName(), KeyParallelism)
	}
	value := text(c.GetConfig(), KeyParallelism, "")
	n, err := strconv.ParseInt(javaTrim(value), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("component %q: %s is %q, not a whole number", c.GetName(), KeyParallelism, value)
	}
	return int(n), nil
}

// Stmgrs is the number of containers that the program asked for, 1 if it
// asked for none.
func (d *Definition) Stmgrs() (int, error) {
	value := text(d.pb.GetTopologyConfig(), KeyStmgrs, "1")
	n, err := strconv.ParseInt(javaTrim(value), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not a whole number", KeyStmgrs, value)
	}
	return int(n), nil
}

// Trimmed is the definition without the serialized objects of its
// components: what the state store keeps.
func (d *Definition) Trimmed() *Definition {
	t := FromProto(d.pb)
	t.components(func(c *heronpb.Component, _ bool) { c.SerializedObject = nil })
	return t
}

// WithStmgrs is the definition with another number of containers. As with
// the original, the key is only changed where the definition has it, and the
// changed entry has no type.
func (d *Definition) WithStmgrs(n int) *Definition {
	t := FromProto(d.pb)
	for _, kv := range t.pb.GetTopologyConfig().GetKvs() {
		if kv.GetKey() == KeyStmgrs {
			kv.Value, kv.Type = proto.String(strconv.Itoa(n)), nil
		}
	}
	return t
}

// WithID is the definition under another id: a repeated submit takes the id of
// the one that it continues.
func (d *Definition) WithID(id string) *Definition {
	t := FromProto(d.pb)
	t.pb.Id = proto.String(id)
	return t
}

// WithState is the definition in another initial state.
func (d *Definition) WithState(s heronpb.TopologyState) *Definition {
	t := FromProto(d.pb)
	t.pb.State = s.Enum()
	return t
}
