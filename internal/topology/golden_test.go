package topology

import (
	"bytes"
	gocmp "cmp"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
)

// derived is what the original's helpers make of one definition. A field
// either has its value or says how the helper failed.
type derived struct {
	Parallelism      field[map[string]int]     `json:"component_parallelism"`
	Containers       field[int]                `json:"num_containers"`
	Instances        field[int]                `json:"total_instances"`
	WorkerOptions    field[string]             `json:"instance_jvm_options"`
	ComponentOptions field[string]             `json:"component_jvm_options"`
	EncodedWorker    field[string]             `json:"encoded_instance_jvm_options"`
	EncodedComponent field[string]             `json:"encoded_component_jvm_options"`
	Stateful         field[bool]               `json:"should_start_ckptmgr"`
	CheckpointRAM    field[int64]              `json:"checkpoint_manager_ram"`
	Classpath        field[string]             `json:"additional_classpath"`
	Debugging        field[bool]               `json:"remote_debugging"`
	Classpaths       map[string]string         `json:"make_classpath"`
	CPU              field[map[string]float64] `json:"cpu_map"`
	RAM              field[map[string]int64]   `json:"ram_map"`
	Disk             field[map[string]int64]   `json:"disk_map"`
	Verify           field[bool]               `json:"verify"`
	TrimmedDigest    field[string]             `json:"trimmed_topology_sha256"`
}

type field[T any] struct {
	value T
	fault *fault
}

type fault struct {
	Exception string  `json:"exception"`
	Message   *string `json:"message"`
}

func (f *field[T]) UnmarshalJSON(data []byte) error {
	var failed struct {
		Error *fault `json:"error"`
	}
	if json.Unmarshal(data, &failed) == nil && failed.Error != nil {
		f.fault = failed.Error
		return nil
	}
	return json.Unmarshal(data, &f.value)
}

// check compares a helper's answer: the same value, or an error that names
// what the original's message names.
func check[T any](t *testing.T, name string, want field[T], got T, err error) {
	t.Helper()
	if want.fault != nil {
		if err == nil {
			t.Errorf("%s: got %v, want an error as from the original: %s", name, got, want.fault.Exception)
			return
		}
		if subject := want.fault.subject(); !strings.Contains(err.Error(), subject) {
			t.Errorf("%s: error %q does not name %q, as the original's does", name, err, subject)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v, want %v", name, err, want.value)
		return
	}
	if diff := cmp.Diff(want.value, got); diff != "" {
		t.Errorf("%s differs from the original's (-want +got):\n%s", name, diff)
	}
}

// subject is the key, component or value that a message of the original is
// about; "" where its wording is not its own.
func (f *fault) subject() string {
	if f.Message == nil {
		return ""
	}
	for _, form := range [][2]string{
		{"Malformed component config ", ""},
		{"Invalid component. ", " not found"},
		{"Missing config for required key ", ""},
		{"For input string: \"", "\""},
	} {
		if rest, ok := strings.CutPrefix(*f.Message, form[0]); ok {
			if form[1] != "" {
				rest, _, _ = strings.Cut(rest, form[1])
			}
			return rest
		}
	}
	return ""
}

func readDerived(t *testing.T, dir string) map[string]derived {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "derived_values.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]derived
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no vectors")
	}
	return all
}

func readDefinition(t *testing.T, file string) (*Definition, []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d, data
}

// goldenFolders hold definitions that the original accepts, and others.
func goldenFolders(t *testing.T) []string {
	dir := filepath.Join(testenv.Golden(t), "topologies")
	return []string{dir, filepath.Join(dir, "invalid")}
}

func TestDerivedValues(t *testing.T) {
	for _, dir := range goldenFolders(t) {
		for file, want := range readDerived(t, dir) {
			t.Run(file, func(t *testing.T) {
				d, _ := readDefinition(t, filepath.Join(dir, file))
				components, err := d.Components()
				parallelism, instances := map[string]int{}, 0
				for _, c := range components {
					parallelism[c.Name] = c.Parallelism
					instances += c.Parallelism
				}
				check(t, "parallelism", want.Parallelism, parallelism, err)
				check(t, "instances", want.Instances, instances, err)
				stmgrs, err := d.Stmgrs()
				check(t, "containers", want.Containers, stmgrs, err)
				check(t, "worker options", want.WorkerOptions, d.WorkerOptions(), nil)
				check(t, "component options", want.ComponentOptions, d.ComponentOptions(), nil)
				check(t, "encoded worker options", want.EncodedWorker, EncodeOptions(d.WorkerOptions()), nil)
				check(t, "encoded component options", want.EncodedComponent, EncodeOptions(d.ComponentOptions()), nil)
				stateful, err := d.Stateful()
				check(t, "stateful", want.Stateful, stateful, err)
				ram, err := d.CheckpointRAM()
				check(t, "checkpoint manager RAM", want.CheckpointRAM, ram, err)
				check(t, "additional class path", want.Classpath, d.AdditionalClasspath(), nil)
				check(t, "remote debugging", want.Debugging, d.RemoteDebugging(), nil)
				for name, classpath := range want.Classpaths {
					if got := d.Classpath(name); got != classpath {
						t.Errorf("class path of %s: got %q, want %q", name, got, classpath)
					}
				}
				cpu, err := d.CPUMap()
				check(t, "CPU map", want.CPU, cpu, err)
				sizes, err := d.ResourceMap(KeyComponentRAMMap)
				check(t, "RAM map", want.RAM, sizes, err)
				sizes, err = d.ResourceMap(KeyComponentDiskMap)
				check(t, "disk map", want.Disk, sizes, err)
				digest, err := d.TrimmedDigest()
				check(t, "digest of the trimmed definition", want.TrimmedDigest, digest, err)
			})
		}
	}
}

// stricterReason says why we refuse what the original accepts, from the
// definition and from what the original derived of it; "" if we must not.
// These are the differences that docs/differences.md lists.
func stricterReason(pb *heronpb.Topology, d derived) string {
	return gocmp.Or(oddDefinition(pb), oddValues(d))
}

func oddDefinition(pb *heronpb.Topology) string {
	names := map[string]bool{}
	for _, c := range pb.GetSpouts() {
		if reason := oddName(names, c.GetComp().GetName()); reason != "" {
			return reason
		}
	}
	for _, c := range pb.GetBolts() {
		if reason := oddName(names, c.GetComp().GetName()); reason != "" {
			return reason
		}
	}
	switch {
	case len(pb.GetSpouts()) == 0:
		return "no spout"
	case pb.GetId() == "" || strings.Contains(pb.GetId(), "/") || strings.ContainsFunc(pb.GetId(), unicode.IsControl):
		return "an id that no path can have"
	case pb.GetState() != heronpb.TopologyState_RUNNING && pb.GetState() != heronpb.TopologyState_PAUSED:
		return "a state that no new topology has"
	}
	return ""
}

func oddValues(d derived) string {
	for _, n := range d.Parallelism.value {
		if n < 1 {
			return "a parallelism below 1"
		}
	}
	for _, m := range []map[string]int64{d.RAM.value, d.Disk.value} {
		for _, n := range m {
			if n < 0 {
				return "a negative size"
			}
		}
	}
	for _, n := range d.CPU.value {
		if !(n >= 0) || math.IsInf(n, 1) {
			return "a number of cores that no node has"
		}
	}
	switch {
	case d.CPU.fault != nil || d.Disk.fault != nil:
		return "a map that packing could not read"
	case d.Containers.fault != nil || d.Containers.value < 1:
		return "no container"
	case d.Stateful.fault != nil:
		return "an unknown reliability mode"
	case d.CheckpointRAM.fault != nil || d.CheckpointRAM.value < 0:
		return "no size for the checkpoint manager"
	}
	return ""
}

// oddName says what is wrong with the name of a component.
func oddName(seen map[string]bool, name string) string {
	twice := seen[name]
	seen[name] = true
	switch {
	case twice:
		return "two components of one name"
	case name == "":
		return "a component without a name"
	case strings.ContainsAny(name, ",:/") || strings.ContainsFunc(name, unicode.IsControl):
		return "a component's name that executors cannot read"
	}
	return ""
}

// The original refuses exactly what breaks an inherited rule. What required
// adds are deliberate differences.
func TestVerdicts(t *testing.T) {
	for _, dir := range goldenFolders(t) {
		for file, want := range readDerived(t, dir) {
			t.Run(file, func(t *testing.T) {
				d, _ := readDefinition(t, filepath.Join(dir, file))
				problems := inherited(d)
				accepted := want.Verify.fault == nil && want.Verify.value
				if accepted != (len(problems) == 0) {
					t.Fatalf("original accepts: %v; our reading of its rules: %q", accepted, problems)
				}
				if want.Verify.fault != nil && !strings.Contains(strings.Join(problems, "\n"), want.Verify.fault.subject()) {
					t.Errorf("problems %q do not name %q, as the original does", problems, want.Verify.fault.subject())
				}
				if !accepted || want.Parallelism.fault != nil {
					return
				}
				stricter := stricterReason(d.pb, want)
				if err := Validate(d, Rules{}); (stricter != "") != (err != nil) {
					t.Errorf("Validate: %v; reason to be stricter than the original: %q", err, stricter)
				}
			})
		}
	}
}

func TestExpectedVerdictsOfInvalidFolder(t *testing.T) {
	dir := filepath.Join(testenv.Golden(t), "topologies", "invalid")
	data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct{ Valid bool }
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	values := readDerived(t, dir)
	for file, want := range expected {
		t.Run(file, func(t *testing.T) {
			found, err := ReadDefinitionFile(filepath.Join(dir, file))
			stricter := ""
			if err == nil {
				err = Validate(found.Definition, Rules{})
				stricter = oddDefinition(found.Definition.pb)
				if derived, ok := values[file]; ok && stricter == "" {
					stricter = oddValues(derived)
				}
			}
			if accepted := want.Valid && stricter == ""; accepted != (err == nil) {
				t.Errorf("valid for the original: %v, reason to be stricter: %q; ours: %v", want.Valid, stricter, err)
			}
			if err != nil && outcome.KindOf(err) != outcome.Usage {
				t.Errorf("%T %v does not lead to exit code 2", err, err)
			}
		})
	}
}

func TestReencodingLosesNothing(t *testing.T) {
	for _, dir := range goldenFolders(t) {
		files, err := filepath.Glob(filepath.Join(dir, "*.defn"))
		if err != nil || len(files) == 0 {
			t.Fatalf("definitions in %s: %d, %v", dir, len(files), err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Decode(data)
			if err != nil && filepath.Base(dir) == "invalid" {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			again, err := d.Bytes()
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if !bytes.Equal(data, again) {
				t.Errorf("%s: %d bytes read, %d other bytes written", filepath.Base(file), len(data), len(again))
			}
		}
	}
}

func TestPackageTypesOfTheOriginal(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testenv.Golden(t), "nomad", "commands", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("vectors: %d, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var vector struct {
			Inputs struct {
				Binary string `json:"topology_bin"`
			}
			Expected struct {
				Error   *fault
				Cluster struct {
					Args []string `json:"executor_args_nomad_ports_container_3"`
				} `json:"with_cluster_config"`
			}
		}
		if err := json.Unmarshal(data, &vector); err != nil {
			t.Fatal(err)
		}
		want := ""
		for _, arg := range vector.Expected.Cluster.Args {
			if value, ok := strings.CutPrefix(arg, "--pkg-type="); ok {
				want = value
			}
		}
		unknown := vector.Expected.Error != nil && vector.Expected.Error.Message != nil && strings.Contains(*vector.Expected.Error.Message, "PackageType")
		if want == "" && !unknown {
			continue
		}
		got, err := PackageType(vector.Inputs.Binary)
		// A compressed tar is a deliberate difference: the original cannot
		// launch it.
		if unknown && strings.HasSuffix(strings.ToLower(vector.Inputs.Binary), ".tar.gz") {
			want, unknown = "tar", false
		}
		if got != want || unknown != (err != nil) {
			t.Errorf("%s: package type of %s is %q, %v; want %q", filepath.Base(file), vector.Inputs.Binary, got, err, want)
		}
	}
}
