// Command sample-topology is the program of a small topology, as a user
// would write it with one of Heron's APIs: it writes its definition to the
// folder that HERON_OPTIONS names and ends. A spout "word" feeds a bolt
// "count". It asks for so little that several containers fit on a small
// machine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// Sizes in bytes; per instance and per container.
const (
	mebibyte     = 1 << 20
	instanceRAM  = 32 * mebibyte
	containerPad = 32 * mebibyte
	disk         = 16 * mebibyte
	containerCPU = "0.1"
)

// Keys of HERON_OPTIONS.
const (
	optionFolder = "cmdline.topologydefn.tmpdirectory"
	optionState  = "cmdline.topology.initial.state"
	optionRole   = "cmdline.topology.role"
	optionEnv    = "cmdline.topology.environment"
)

type shape struct {
	name                 string
	stmgrs, words, count int
	// grows: a container has as much memory as its instances need.
	grows bool
	// config is more of its configuration, key and value by turns.
	config []string
}

func main() {
	var s shape
	flag.StringVar(&s.name, "name", "sample", "the topology's `NAME`")
	flag.IntVar(&s.stmgrs, "stmgrs", 3, "`NUMBER` of containers beside the TManager's")
	flag.IntVar(&s.words, "words", 3, "`NUMBER` of instances of the spout")
	flag.IntVar(&s.count, "counts", 3, "`NUMBER` of instances of the bolt")
	flag.BoolVar(&s.grows, "grows", false, "give containers the memory that their instances need, instead of a fixed amount")
	flag.Func("config", "`KEY=VALUE` of its configuration; may be repeated", func(text string) error {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("want KEY=VALUE")
		}
		s.config = append(s.config, key, value)
		return nil
	})
	flag.Parse()
	if err := run(s, os.Getenv("HERON_OPTIONS")); err != nil {
		fmt.Fprintf(os.Stderr, "sample-topology: %v\n", err)
		os.Exit(1)
	}
}

func run(s shape, optionText string) error {
	options := parse(optionText)
	folder := options[optionFolder]
	if folder == "" {
		return errors.New("HERON_OPTIONS names no folder for the definition; this program is to be run by heron submit")
	}
	topology, err := define(s, options)
	if err != nil {
		return err
	}
	data, err := proto.Marshal(topology)
	if err != nil {
		return err
	}
	file := filepath.Join(folder, s.name+".defn")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return err
	}
	fmt.Printf("sample topology %s: %d word, %d count in %d containers\n", topology.GetId(), s.words, s.count, s.stmgrs)
	return nil
}

// parse reads key=value pairs with commas between; spaces are written %%%%.
func parse(text string) map[string]string {
	options := map[string]string{}
	for pair := range strings.SplitSeq(strings.ReplaceAll(text, "%%%%", " "), ",") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			options[key] = value
		}
	}
	return options
}

func define(s shape, options map[string]string) (*heronpb.Topology, error) {
	if s.name == "" || s.stmgrs < 1 || s.words < 1 || s.count < 1 || s.stmgrs > s.words+s.count {
		return nil, errors.New("want a name, at least one of each, and no more containers than instances")
	}
	state := heronpb.TopologyState_RUNNING
	switch v := options[optionState]; v {
	case "", "RUNNING":
	case "PAUSED":
		state = heronpb.TopologyState_PAUSED
	default:
		return nil, fmt.Errorf("%s=%s: want RUNNING or PAUSED", optionState, v)
	}
	// The fullest container holds this many instances.
	most := (s.words + s.count + s.stmgrs - 1) / s.stmgrs
	config := []string{
		"topology.name", s.name,
		"topology.stmgrs", strconv.Itoa(s.stmgrs),
		"topology.debug", "false",
		"topology.message.timeout.secs", "30",
		"topology.component.parallelism", "1",
		"topology.max.spout.pending", "100",
		"topology.reliability.mode", "ATMOST_ONCE",
		"topology.enable.message.timeouts", "true",
		"topology.stateful.spill.state", "false",
		"topology.stateful.spill.state.location", "./spilled-state/",
		"topology.component.rammap", fmt.Sprintf("word:%d,count:%d", instanceRAM, instanceRAM),
		"topology.container.ram.padding", strconv.Itoa(containerPad),
		"topology.container.cpu", containerCPU,
		"topology.container.disk", strconv.Itoa(disk),
	}
	if !s.grows {
		config = append(config, "topology.container.ram", strconv.Itoa(most*instanceRAM+containerPad))
	}
	if v := options[optionRole]; v != "" {
		config = append(config, "topology.team.name", v)
	}
	if v := options[optionEnv]; v != "" {
		config = append(config, "topology.team.environment", v)
	}
	config = append(config, s.config...)
	stream := &heronpb.StreamId{Id: proto.String("default"), ComponentName: proto.String("word")}
	fields := &heronpb.StreamSchema{Keys: []*heronpb.StreamSchema_KeyType{{Key: proto.String("word"), Type: heronpb.Type_OBJECT.Enum()}}}
	return &heronpb.Topology{
		Id: proto.String(s.name + uuid.NewString()), Name: proto.String(s.name), State: state.Enum(),
		Spouts: []*heronpb.Spout{{
			Comp:    component("word", s.words),
			Outputs: []*heronpb.OutputStream{{Stream: stream, Schema: fields}},
		}},
		Bolts: []*heronpb.Bolt{{
			Comp:   component("count", s.count),
			Inputs: []*heronpb.InputStream{{Stream: stream, Gtype: heronpb.Grouping_FIELDS.Enum(), GroupingFields: fields}},
		}},
		TopologyConfig: settings(config...),
	}, nil
}

func component(name string, parallelism int) *heronpb.Component {
	return &heronpb.Component{
		Name: proto.String(name), Spec: heronpb.ComponentObjectSpec_JAVA_CLASS_NAME.Enum(), ClassName: proto.String("sample." + name),
		Config: settings("topology.component.parallelism", strconv.Itoa(parallelism)),
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
