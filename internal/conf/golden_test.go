package conf

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

// vector is a recorded run of the original's configuration reader.
type vector struct {
	HeronHome    string             `json:"heron_home"`
	ConfigPath   string             `json:"config_path"`
	ReleaseFile  string             `json:"release_file"`
	OverrideFile string             `json:"override_file"`
	Files        map[string]*string `json:"files"`
	Put          map[string]any     `json:"put"`
	JavaHome     string             `json:"env_JAVA_HOME"`
	UserHome     string             `json:"user_home"`
	YAMLOnly     []string           `json:"yaml_only"`
	Expected     struct {
		Raw, Local, Cluster map[string]any
		LoadError           any `json:"load_error"`
		Getters             []getterCase
		Substitute          []substituteCase
		YAMLFiles           map[string]any `json:"yaml_files"`
		// ClusterThenLocal is true where both views can be had from one
		// configuration, in any order.
		ClusterThenLocal any `json:"cluster_then_local"`
	}
}

type getterCase struct {
	Getter, Key string
	Default     any
	Result      map[string]any
}

type substituteCase struct {
	Input  string
	Result map[string]any
}

// heronHome is where the vectors' files lay; tests put them elsewhere and
// write results back.
const heronHome = "/opt/heron"

func TestGoldenConfig(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(testenv.Golden(t), "config", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors of kind config (%v)", err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if strings.HasPrefix(name, "apiserver-overrides-") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var v vector
			readJSON(t, path, &v)
			v.check(t)
		})
	}
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func (v *vector) check(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, v.Files)
	for _, file := range v.YAMLOnly {
		m, err := readFile(filepath.Join(dir, file))
		checkYAMLFile(t, file, m, err, v.Expected.YAMLFiles[file])
	}
	move := func(path string) string { return strings.Replace(path, heronHome, dir, 1) }
	loaded, err := loadFiles(Options{
		Home: move(v.HeronHome), Dir: move(v.ConfigPath), ReleaseFile: move(v.ReleaseFile),
		UserHome: v.UserHome, JavaHome: v.JavaHome,
	}, move(v.OverrideFile))
	if v.Expected.LoadError != nil {
		wantError(t, "load", err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	put := layer{rank: rankSet, values: map[string]*entry{}}
	for k, value := range v.Put {
		put.values[k] = newEntry(value, "put")
	}
	if loaded, err = loaded.with(put); err != nil {
		t.Fatal(err)
	}
	compare(t, "raw", dir, loaded.values, v.Expected.Raw)

	local, localErr := loaded.Local()
	cluster, clusterErr := loaded.Cluster()
	v.checkView(t, "local", dir, local, localErr, v.Expected.Local)
	v.checkView(t, "cluster", dir, cluster, clusterErr, v.Expected.Cluster)
	if v.Expected.ClusterThenLocal == true {
		if again, err := loaded.Local(); err != nil || !cmp.Equal(typedMap(dir, again.values), typedMap(dir, local.values)) {
			t.Errorf("the local view changed after the cluster view was taken (%v)", err)
		}
	}
	for _, g := range v.Expected.Getters {
		g.check(t, local)
	}
	for _, s := range v.Expected.Substitute {
		s.check(t, dir, loaded, v)
	}
}

func writeFiles(t *testing.T, dir string, files map[string]*string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if text == nil {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(*text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func wantError(t *testing.T, what string, err error) {
	t.Helper()
	e, ok := err.(*Error)
	if !ok {
		t.Errorf("%s: error %v, want an *Error", what, err)
		return
	}
	if e.ExitCode() != 2 || e.File == "" || e.Msg == "" {
		t.Errorf("%s: %v does not say where and what", what, e)
	}
}

func checkYAMLFile(t *testing.T, file string, m mapping, err error, want any) {
	t.Helper()
	if fields, ok := want.(map[string]any); ok && fields["error"] != nil {
		wantError(t, file, err)
		return
	}
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	if diff := cmp.Diff(want, any(typed(m))); diff != "" {
		t.Errorf("%s (-original +ours):\n%s", file, diff)
	}
}

// checkView compares what substitution makes of the whole configuration.
func (v *vector) checkView(t *testing.T, what, dir string, c *Config, err error, want map[string]any) {
	t.Helper()
	failure, ok := want["error"].(map[string]any)
	if !ok || failure["exception"] == nil {
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		compare(t, what, dir, c.values, want)
		return
	}
	// The original casts what a token stands for to a string, and crashes
	// where it is none. We take numbers and booleans as they are written.
	for k, e := range v.tokensForScalars(dir) {
		got, _, getErr := c.String(k)
		if err != nil || getErr != nil || got != e {
			t.Errorf("%s: %s is %q (%v, %v), want %q", what, k, got, err, getErr, e)
		}
		return
	}
	wantError(t, what, err)
}

// tokensForScalars are the values of the vectors in which a token stands for
// a number, as we replace it.
func (v *vector) tokensForScalars(string) map[string]string {
	for _, text := range v.Files {
		switch {
		case text == nil:
		case strings.Contains(*text, "${STMGR_RAM}/y"):
			return map[string]string{"x": "1073741824/y"}
		case strings.Contains(*text, "heron.config.role: 5"):
			return map[string]string{"x": "/a/5"}
		}
	}
	return nil
}

func compare(t *testing.T, what, dir string, values map[string]*entry, want map[string]any) {
	t.Helper()
	if diff := cmp.Diff(want, typedMap(dir, values)); diff != "" {
		t.Errorf("%s (-original +ours):\n%s", what, diff)
	}
}

func typedMap(dir string, values map[string]*entry) map[string]any {
	out := make(map[string]any, len(values))
	for k, e := range values {
		value := e.value
		if s, ok := value.(string); ok {
			value = strings.Replace(s, dir, heronHome, 1)
		}
		out[k] = typed(value)
	}
	return out
}

// typed writes a value in the vectors' form.
func typed(v any) map[string]any {
	form := func(kind string, value any) map[string]any { return map[string]any{"t": kind, "v": value} }
	switch v := v.(type) {
	case nil:
		return map[string]any{"t": "null"}
	case bool:
		return form("Boolean", v)
	case int32:
		return form("Integer", float64(v))
	case int64:
		return form("Long", float64(v))
	case byteAmount:
		return form("ByteAmount", float64(v))
	case *big.Int:
		return form("BigInteger", v.String())
	case float64:
		if text, special := map[string]string{"+Inf": "Infinity", "-Inf": "-Infinity", "NaN": "NaN"}[fmt.Sprint(v)]; special {
			return form("Double", text)
		}
		return form("Double", v)
	case string:
		return form("String", v)
	case []byte:
		return form("bytes", base64.StdEncoding.EncodeToString(v))
	case time.Time:
		return form("Date", v.Format("2006-01-02T15:04:05.999Z07:00"))
	case []any:
		items := []any{}
		for _, item := range v {
			items = append(items, typed(item))
		}
		return form("List", items)
	case mapping:
		pairs := []any{}
		for _, p := range v {
			pairs = append(pairs, []any{typed(p.key), typed(p.value)})
		}
		return form("Map", pairs)
	}
	return form(fmt.Sprintf("%T", v), nil)
}
