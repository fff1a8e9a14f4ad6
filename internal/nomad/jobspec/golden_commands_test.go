package jobspec

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/topology"
)

// expectedCommands are command lines, each a list of words or an error.
type expectedCommands struct {
	NomadPorts   json.RawMessage `json:"executor_args_nomad_ports_container_3"`
	DebugPorts   json.RawMessage `json:"executor_args_debug_ports_container_0"`
	NumericPorts json.RawMessage `json:"executor_args_numeric_ports_no_container"`
	MissingPort  json.RawMessage `json:"executor_args_missing_port"`
	Command      json.RawMessage `json:"executor_command_container_7"`
}

func TestExecutorArgsAreTheOriginals(t *testing.T) {
	for name, v := range vectors(t, "commands") {
		t.Run(name, func(t *testing.T) {
			packageType, err := topology.PackageType(v.Inputs.Binary)
			if v.Expected.Error != nil {
				if err == nil {
					t.Errorf("package type of %q is %q, want an error as the original's %s", v.Inputs.Binary, packageType, v.Expected.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			in := v.install(t)
			inContainer := v.commandSpec(t, in, packageType)
			checkCommands(t, in, inContainer, v.Inputs.DebugPorts, v.Expected.Cluster)
			for driver, want := range map[string]string{"raw_exec": v.Expected.FetchLocalConf, "docker": v.Expected.FetchClusterCon} {
				inContainer.Settings.Nomad.Driver = driver
				if got := original(t, in, inContainer.downloadCommand()); got != want {
					t.Errorf("download command under %s %q, want %q", driver, got, want)
				}
			}

			// In the original's other mode everything lies below the home of
			// the submitter.
			in.opts.Properties = []string{
				"heron.directory.cluster.home=" + in.home,
				"heron.directory.cluster.conf=" + in.opts.Dir,
			}
			checkCommands(t, in, v.commandSpec(t, in, packageType), v.Inputs.DebugPorts, v.Expected.Local)
		})
	}
}

func (v vector) commandSpec(t *testing.T, in installed, packageType string) Spec {
	t.Helper()
	opts := in.opts
	opts.Cluster, opts.Role, opts.Environ, opts.User = v.Inputs.Cluster, v.Inputs.Role, v.Inputs.Environ, "alice"
	loaded, err := conf.Load(opts)
	if err != nil {
		t.Fatal(err)
	}
	def := v.definition(t)
	settings, err := loaded.ForTopology(conf.Topology{Name: def.Name(), ID: def.ID()}).Settings()
	if err != nil {
		t.Fatal(err)
	}
	algorithm, err := packing.New(settings.Packing.Algorithm, packing.Settings{
		InstanceCPU: settings.Packing.InstanceCPU, InstanceRAM: settings.Packing.InstanceRAM, InstanceDisk: settings.Packing.InstanceDisk,
	})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := algorithm.Pack(def)
	if err != nil {
		t.Fatal(err)
	}
	return Spec{
		Settings: settings, Definition: def, Plan: plan,
		DefinitionFile: filepath.Base(v.Inputs.Definition), BinaryFile: v.Inputs.Binary, PackageType: packageType,
		PackageURI: v.Inputs.PackageURI,
	}
}

func checkCommands(t *testing.T, in installed, s Spec, debugPorts string, want expectedCommands) {
	t.Helper()
	numeric, missing, debug := map[string]string{}, map[string]string{}, VariablePorts()
	for i, p := range portFlags() {
		numeric[p.port] = strconv.Itoa(6000 + i)
		if p.port != PortShell {
			missing[p.port] = numeric[p.port]
		}
	}
	debug[PortDebugger] = debugPorts
	for _, c := range []struct {
		what, shard string
		ports       map[string]string
		program     []string
		want        json.RawMessage
	}{
		{"nomad ports", "3", VariablePorts(), nil, want.NomadPorts},
		{"debugger ports", "0", debug, nil, want.DebugPorts},
		{"numeric ports, no shard", "", numeric, nil, want.NumericPorts},
		{"command", "7", numeric, []string{s.Settings.Executor.ExecutorBinary}, want.Command},
	} {
		var words []string
		if err := json.Unmarshal(c.want, &words); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		args, err := ExecutorArgs(s, c.shard, c.ports)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		got := original(t, in, append(c.program, args...))
		for i := range got {
			got[i] = sortRAMMap(got[i])
		}
		for i := range words {
			words[i] = sortRAMMap(words[i])
		}
		if diff := cmp.Diff(words, got); diff != "" {
			t.Errorf("%s (-original +ours):\n%s", c.what, diff)
		}
	}
	var input *InputError
	if _, err := ExecutorArgs(s, "0", missing); !errors.As(err, &input) || !strings.Contains(err.Error(), PortShell) {
		t.Errorf("without the shell's port: got %v, want an *InputError that names it, as the original's %s", err, want.MissingPort)
	}
}
