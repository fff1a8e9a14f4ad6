package conf

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/outcome"
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
	move := func(path string) string { return strings.ReplaceAll(path, heronHome, dir) }
	loaded, err := loadFiles(Options{
		Home: move(v.HeronHome), Dir: move(v.ConfigPath), ReleaseFile: move(v.ReleaseFile),
		UserHome: v.UserHome, JavaHome: v.JavaHome,
	}, move(v.ReleaseFile), move(v.OverrideFile))
	if v.Expected.LoadError != nil {
		wantError(t, "load", err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	put := layer{rank: rankSet, values: map[string]*entry{}}
	for k, value := range v.Put {
		put.values[k] = newEntry(javaValue(value), Source{Kind: PropertySource})
	}
	if loaded, err = loaded.with(put); err != nil {
		t.Fatal(err)
	}
	compare(t, "raw", dir, loaded.values, v.Expected.Raw)

	checkView(t, "local", dir, loaded, (*Loaded).Local, v.Expected.Local)
	checkView(t, "cluster", dir, loaded, (*Loaded).Cluster, v.Expected.Cluster)
	if v.Expected.ClusterThenLocal == true {
		checkView(t, "local after cluster", dir, loaded, (*Loaded).Local, v.Expected.Local)
	}
	for _, g := range v.Expected.Getters {
		local, err := loaded.Local()
		if err != nil {
			t.Fatal(err)
		}
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
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("%s: error %v, want an *Error", what, err)
		return
	}
	if e.Kind() != outcome.Usage || e.Source.Name == "" && !e.Source.fromCaller() || e.Msg == "" {
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
func checkView(t *testing.T, what, dir string, loaded *Loaded, view func(*Loaded) (*Config, error), want map[string]any) {
	t.Helper()
	c, err := view(loaded)
	failure, ok := want["error"].(map[string]any)
	if !ok || failure["exception"] == nil {
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		compare(t, what, dir, c.values, want)
		return
	}
	if err != nil || oddKeys(loaded.values) {
		wantError(t, what, err)
		return
	}
	if !namesNumber(loaded.values) {
		t.Errorf("%s: the original fails with %v, and no difference explains why ours does not", what, failure)
	}
	asQuoted, err := view(&Loaded{opts: loaded.opts, values: quoted(loaded.values)})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	for k, e := range c.values {
		if s, ok := e.value.(string); ok && s != asQuoted.values[k].text {
			t.Errorf("%s: %s is %q, but %q where all values are quoted", what, k, s, asQuoted.values[k].text)
		}
	}
}

// quoted is a configuration in which every number and boolean is a string.
// The original casts what a token stands for to a string and crashes where it
// is none; ours takes the text as it is written.
func quoted(values map[string]*entry) map[string]*entry {
	out := make(map[string]*entry, len(values))
	for k, e := range values {
		out[k] = e
		if _, ok := scalarText(e.value); ok {
			out[k] = &entry{value: e.text, text: e.text}
		}
	}
	return out
}

// namesNumber says whether a token stands for a number or a boolean, which the
// original cannot put in its place.
func namesNumber(values map[string]*entry) bool {
	for _, e := range values {
		s, _ := e.value.(string)
		for _, part := range strings.Split(s, "/") {
			m := tokenForm.FindStringSubmatch(part)
			if m == nil {
				continue
			}
			key, _ := keyNamed(m[1])
			if found, ok := values[key]; ok {
				_, isText := found.value.(string)
				if _, isScalar := scalarText(found.value); isScalar && !isText {
					return true
				}
			}
		}
	}
	return false
}

func oddKeys(values map[string]*entry) bool {
	for _, e := range values {
		if e.oddKey {
			return true
		}
	}
	return false
}

func compare(t *testing.T, what, dir string, values map[string]*entry, want map[string]any) {
	t.Helper()
	if diff := cmp.Diff(want, typedMap(dir, values)); diff != "" {
		t.Errorf("%s (-original +ours):\n%s", what, diff)
	}
}

// putBack writes a value as it would be where the original ran.
func putBack(dir, text string) string { return strings.ReplaceAll(text, dir, heronHome) }

// javaValue is a value that a vector sets in the type that it had: JSON has
// one type for all numbers.
func javaValue(v any) any {
	switch v := v.(type) {
	case float64:
		if n := int32(v); float64(n) == v {
			return n
		}
	case map[string]any:
		if n, ok := v["byte_amount"].(float64); ok {
			return byteAmount(n)
		}
	}
	return v
}

func typedMap(dir string, values map[string]*entry) map[string]any {
	out := make(map[string]any, len(values))
	for k, e := range values {
		value := e.value
		if s, ok := value.(string); ok {
			value = putBack(dir, s)
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
