package topology

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
