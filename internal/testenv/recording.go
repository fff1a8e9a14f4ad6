package testenv

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// RecordedHome is Heron's home in the vectors.
const RecordedHome = "/opt/heron"

// Recording is what went into an end-to-end vector: a topology, a cluster's
// configuration, and what the original was asked to do. Vectors embed it
// beside the outputs that they look at.
type Recording struct {
	// Topology is the definition's file in the folder topologies.
	Topology string
	// ConfFiles are texts by their path below RecordedHome.
	ConfFiles map[string]string `json:"conf_files"`
	Steps     []RecordedStep
}

// RecordedStep is one thing that the original was asked to do.
type RecordedStep struct {
	Op   string
	Args []string
}

// Flag is the value of a flag, "" if the step has none.
func (s RecordedStep) Flag(name string) string {
	if i := slices.Index(s.Args, name); i >= 0 && i+1 < len(s.Args) {
		return s.Args[i+1]
	}
	return ""
}

// ReadVectors reads all vectors that match one of the patterns below Golden,
// by their path there without its ending. A pattern that none matches fails
// the test.
func ReadVectors[T any](t testing.TB, patterns ...string) map[string]T {
	t.Helper()
	dir := Golden(t)
	all := map[string]T{}
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			t.Fatalf("no vectors %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v T
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			name, err := filepath.Rel(dir, strings.TrimSuffix(file, ".json"))
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.ToSlash(name)] = v
		}
	}
	return all
}

// Definition is the text of the recording's topology.
func (r Recording) Definition(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Golden(t), "topologies", r.Topology))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Setting is the text of a key in the first configuration file that has it,
// by name; "" if none has.
func (r Recording) Setting(key string) string {
	for _, name := range slices.Sorted(maps.Keys(r.ConfFiles)) {
		if value, ok := settings(r.ConfFiles[name])[key]; ok {
			return value
		}
	}
	return ""
}

// Properties are what a step's command line sets, key=value each: the
// original got them as a file.
func (r Recording) Properties(s RecordedStep) []string {
	var list []string
	name := strings.TrimPrefix(s.Flag("--override_config_file"), RecordedHome+"/")
	for key, value := range settings(r.ConfFiles[name]) {
		list = append(list, key+"="+value)
	}
	slices.Sort(list)
	return list
}

// settings are the plain top-level keys of a YAML text.
func settings(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if ok && key == strings.TrimSpace(key) && !strings.HasPrefix(key, "#") {
			values[key] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return values
}

// Install writes the recording's files into a home of the test, which stands
// in them for RecordedHome, and returns that home.
func (r Recording) Install(t testing.TB) string {
	t.Helper()
	home := t.TempDir()
	for name, text := range r.ConfFiles {
		path := filepath.Join(home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, RecordedHome, home)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return home
}
