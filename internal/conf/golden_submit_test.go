package conf

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

// submitVector is a recorded submission, of which the configuration is
// compared here.
type submitVector struct {
	ConfFiles map[string]*string `json:"conf_files"`
	Steps     []struct {
		Args []string
		// APIOverride says that heron.apiserver.file.override.yaml was set, as
		// the API server does; where it is a path, to what.
		APIOverride any `json:"apiserver_override_file"`
	}
	Outputs []struct {
		Local   map[string]any `json:"local_config"`
		Cluster map[string]any `json:"cluster_config"`
	}
}

// TestGoldenSubmit compares all values of whole submissions, in both views.
func TestGoldenSubmit(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(testenv.Golden(t), "nomad", "submit", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors of kind nomad/submit (%v)", err)
	}
	compared := 0
	for _, path := range paths {
		var v submitVector
		readJSON(t, path, &v)
		if len(v.Outputs) == 0 || v.Outputs[0].Local == nil {
			continue
		}
		compared++
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), v.check)
	}
	if compared == 0 {
		t.Error("no vector has recorded its configuration")
	}
}

func (v submitVector) check(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, v.ConfFiles)
	args, want := v.Steps[0].Args, v.Outputs[0]
	flag := func(name string) string {
		if i := slices.Index(args, "--"+name); i >= 0 {
			return args[i+1]
		}
		return ""
	}
	move := func(path string) string { return strings.ReplaceAll(path, heronHome, dir) }
	opts := Options{
		Home: move(flag("heron_home")), Dir: move(flag("config_path")), ReleaseFile: move(flag("release_file")),
		Cluster: flag("cluster"), Role: flag("role"), Environ: flag("environment"), User: flag("submit_user"),
		UserHome: "/home/heron", JavaHome: "/usr/lib/jvm/java-home-test", VerboseGC: slices.Contains(args, "--verbose_gc"),
	}
	typed := opts.identity()
	apiOverride := ""
	switch file := v.Steps[0].APIOverride.(type) {
	case string:
		apiOverride = move(file)
	case bool:
		if file {
			apiOverride = move(flag("override_config_file"))
		}
	}
	if apiOverride != "" {
		typed.values["heron.apiserver.file.override.yaml"] = newEntry(apiOverride, typed.source)
	}
	load := func(override string) *Loaded {
		l, err := loadFiles(opts, opts.ReleaseFile, override)
		if err == nil {
			l, err = l.with(typed)
		}
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := load(move(flag("override_config_file")))
	topology := Topology{
		Name: want.Local["heron.topology.name"].(string), ID: want.Local["heron.topology.id"].(string),
		DefinitionFile: flag("topology_defn"), PackageFile: flag("topology_package"), BinaryFile: flag("topology_bin"),
		PackageType: strings.ToUpper(strings.TrimPrefix(filepath.Ext(flag("topology_bin")), ".")),
	}
	local, err := l.ForTopology(topology).Local()
	if err != nil {
		t.Fatal(err)
	}
	// The format of a dry run is not part of our configuration.
	delete(want.Local, "heron.config.dry_run_format_type")
	if diff := cmp.Diff(want.Local, plainMap(dir, local)); diff != "" {
		t.Errorf("local (-original +ours):\n%s", diff)
	}

	if flag("override_config_file") != "" && apiOverride == "" || want.Cluster == nil {
		// The original loses these overrides in the cluster's view; ours keeps
		// them, see TestPropertiesReachClientAndExecutor.
		return
	}
	// For the cluster's view the original reads the directory again, now with
	// the API server's overrides or else the directory's own, which ours has in
	// both.
	if apiOverride == "" {
		apiOverride = filepath.Join(opts.Dir, "override.yaml")
	}
	cluster, err := load(apiOverride).ForTopology(topology).Cluster()
	if err != nil {
		t.Fatal(err)
	}
	// It also loses --verbose-gc there, so that no container gets the flag.
	want.Cluster["heron.config.verbose_gc"] = opts.VerboseGC
	for k, value := range plainMap(dir, cluster) {
		if diff := cmp.Diff(want.Cluster[k], value); diff != "" {
			t.Errorf("cluster: %s (-original +ours):\n%s", k, diff)
		}
	}
}

func plainMap(dir string, c *Config) map[string]any {
	out := map[string]any{}
	for k, e := range c.values {
		out[k] = plain(dir, e.value)
	}
	return out
}

// plain writes a value in the form of these vectors.
func plain(dir string, v any) any {
	switch v := v.(type) {
	case string:
		return putBack(dir, v)
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case byteAmount:
		return map[string]any{"byte_amount": float64(v)}
	case []any:
		items := []any{}
		for _, item := range v {
			items = append(items, plain(dir, item))
		}
		return items
	case mapping:
		m := map[string]any{}
		for _, p := range v {
			m[p.key.(string)] = plain(dir, p.value)
		}
		return m
	}
	return v
}
