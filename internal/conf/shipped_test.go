package conf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

func shippedDir() string { return filepath.Join(testenv.Root(), "conf", "nomad") }

func loadShipped(t *testing.T, properties ...string) *Loaded {
	t.Helper()
	l, err := Load(Options{
		Home: "/opt/heron", Dir: shippedDir(), Properties: properties,
		Cluster: "nomad", Role: "ads", Environ: "prod", User: "alice",
		UserHome: "/home/alice",
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestShippedDirectoryGivesWorkingSettings(t *testing.T) {
	l := loadShipped(t)
	if err := l.Check(); err != nil {
		t.Error(err)
	}
	s, err := l.Settings()
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"driver":     {s.Nomad.Driver, "raw_exec"},
		"address":    {s.Nomad.Address, "http://127.0.0.1:4646"},
		"script":     {s.Nomad.Script, filepath.Join(shippedDir(), "heron_nomad.sh")},
		"work dir":   {s.Nomad.WorkingDir, ""},
		"state":      {s.State.Kind, "zookeeper"},
		"servers":    {strings.Join(s.State.Servers, " "), "127.0.0.1:2181"},
		"root":       {s.State.Root, "/heron"},
		"uploader":   {s.Upload.Kind, "localfs"},
		"upload dir": {s.Upload.LocalDir, "/home/alice/.herondata/repository"},
		"packing":    {s.Packing.Algorithm, "roundrobin"},
		"java":       {s.Executor.JavaHome, "$JAVA_HOME"},
		"core":       {s.Core.URI, "file:///opt/heron/dist/heron-core.tar.gz"},
		"executor":   {s.Executor.ExecutorBinary, "./heron-core/bin/heron-executor"},
		"internals":  {s.Executor.InternalsFile, "./heron-conf/heron_internals.yaml"},
		"port file":  {s.Executor.MetricsPortFile, "port_file"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	if s.Nomad.RegisterMetrics {
		t.Error("metrics services are registered, but one machine has no Consul")
	}
	override, err := l.OverrideYAML()
	if err != nil || string(override) != "{}\n" {
		t.Errorf("override.yaml: %q, %v", override, err)
	}
}

// TestShippedDirectoryIsComplete goes through what Heron's processes read.
func TestShippedDirectoryIsComplete(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "engine-keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]mapping{}
	checked := 0
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		file, path, _ := strings.Cut(line, "\t")
		if files[file] == nil {
			if files[file], err = readFile(filepath.Join(shippedDir(), file)); err != nil {
				t.Fatal(err)
			}
		}
		if !hasPath(files[file], strings.Split(path, " > ")) {
			t.Errorf("%s: no %s", file, path)
		}
		checked++
	}
	if checked != 159 {
		t.Errorf("testdata lists %d keys, want 159", checked)
	}
}

func hasPath(m mapping, path []string) bool {
	v, ok := m.get(path[0])
	if !ok || len(path) == 1 {
		return ok
	}
	inner, isMap := v.(mapping)
	return isMap && hasPath(inner, path[1:])
}

func TestEveryShippedKeyIsKnownAndExplained(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(shippedDir(), "*.yaml"))
	if err != nil || len(paths) != 10 {
		t.Fatalf("%d files in conf/nomad, want 10 (%v)", len(paths), err)
	}
	known := knownKeys()
	for _, path := range paths {
		m, err := readFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(data), "\n")
		for _, p := range m {
			if name := p.key.(string); unknown(known, name) {
				t.Errorf("%s:%d: %s is not known", path, p.line, name)
			}
			// The explanation stands above the key or above the group it is in.
			above := slices.Clone(lines[:p.line-1])
			for len(above) > 0 && above[len(above)-1] != "" && !strings.HasPrefix(above[len(above)-1], "#") {
				above = above[:len(above)-1]
			}
			if len(above) == 0 || above[len(above)-1] == "" {
				t.Errorf("%s:%d: %s is not explained", path, p.line, p.key)
			}
		}
	}
}
