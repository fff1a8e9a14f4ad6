package conf

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

// check reads one value as one type. The original's string and boolean
// getters are casts and its number getters fail on a missing key; ours read
// what can be read and tell a missing key apart.
func (g getterCase) check(t *testing.T, c *Config) {
	t.Helper()
	key := g.Key
	kind, byName := strings.CutPrefix(g.Getter, "key_")
	if byName {
		var ok bool
		if key, ok = keyNamed(g.Key); !ok {
			t.Errorf("no key is named %s", g.Key)
			return
		}
	}
	value, found, err := get(c, kind, key)
	what := g.Getter + " " + g.Key
	failure, failed := g.Result["error"].(map[string]any)
	switch {
	case failed:
		g.checkFailure(t, what, value, found, err, failure["exception"].(string), c.values[key])
	case kind == "integer" && isLong(c, key):
		// The original cuts a number of 64 bits down to 32.
		wantError(t, what, err)
	case err != nil:
		t.Errorf("%s: %v", what, err)
	default:
		if !found {
			value = g.fallback(kind)
		}
		if d, isSpan := value.(time.Duration); isSpan {
			value = javaSpan(d)
		}
		if diff := cmp.Diff(g.Result["v"], asJSON(value)); diff != "" {
			t.Errorf("%s (-original +ours):\n%s", what, diff)
		}
	}
}

// checkFailure goes over what the original cannot read.
func (g getterCase) checkFailure(t *testing.T, what string, value any, found bool, err error, exception string, e *entry) {
	t.Helper()
	switch exception {
	case "java.lang.ClassCastException":
		want, readable := scalarText(e.value)
		if strings.HasSuffix(g.Getter, "boolean") {
			_, notBool := parseYAMLBool(want)
			_, isText := e.value.(string)
			readable = isText && notBool == nil
		}
		if !readable {
			wantError(t, what, err)
		} else if err != nil || !found || !strings.EqualFold(fmt.Sprint(value), e.text) {
			t.Errorf("%s: %v (%v), want %s", what, value, err, e.text)
		}
	case "java.lang.NullPointerException":
		if err != nil || found {
			t.Errorf("%s: %v, %v, want that it is missing", what, value, err)
		}
	default:
		_, isSize := parseSize(e.text)
		_, notSpan := time.ParseDuration(e.text)
		if strings.HasSuffix(g.Getter, "bytes") && isSize || strings.HasPrefix(g.Getter, "duration") && notSpan == nil {
			if err != nil || !found {
				t.Errorf("%s: %v, want what the unit says", what, err)
			}
			return
		}
		wantError(t, what, err)
	}
}

// javaSpan writes a span of time as Java does: PT1M30S.
func javaSpan(d time.Duration) string {
	s := strings.ToUpper(d.String())
	if d >= time.Minute {
		s = strings.TrimSuffix(s, "0S")
	}
	if d >= time.Hour {
		s = strings.TrimSuffix(s, "0M")
	}
	return "PT" + s
}

func get(c *Config, kind, key string) (value any, ok bool, err error) {
	switch kind {
	case "string":
		return unpack(c.String(key))
	case "boolean":
		return unpack(c.Bool(key))
	case "integer":
		return unpack(c.Int(key))
	case "long":
		return unpack(c.Int64(key))
	case "double":
		return unpack(c.Float64(key))
	case "bytes":
		return unpack(c.Bytes(key))
	case "duration_s":
		return unpack(c.Duration(key, time.Second))
	}
	return nil, false, fmt.Errorf("getter %s of the vectors is not mapped", kind)
}

func unpack[T any](v T, ok bool, err error) (any, bool, error) { return v, ok, err }

func (g getterCase) fallback(kind string) any {
	if n, ok := g.Default.(float64); ok && kind == "duration_s" {
		return time.Duration(n) * time.Second
	}
	return g.Default
}

func isLong(c *Config, key string) bool {
	_, long := c.values[key].value.(int64)
	return long
}

func asJSON(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	}
	return v
}

// check replaces the tokens of one text once, in the raw configuration.
func (s substituteCase) check(t *testing.T, dir string, l *Loaded, v *vector) {
	t.Helper()
	tok := tokens{userHome: v.UserHome, javaHome: v.JavaHome, values: l.values}
	got, err := tok.replace("input", newEntry(s.Input, Source{}), s.Input)
	if err != nil {
		t.Errorf("%q: %v", s.Input, err)
		return
	}
	want, ok := s.Result["v"].(string)
	if !ok {
		// The original crashes on a path of slashes only, and on a token that
		// stands for something other than a string.
		want = "/"
		if strings.Trim(s.Input, "/ ") != "" {
			tok.values = quoted(l.values)
			want, _ = tok.replace("input", newEntry(s.Input, Source{}), s.Input)
		}
	}
	got = strings.Replace(got, dir, heronHome, 1)
	if got != want {
		t.Errorf("%q: %q, want %q", s.Input, got, want)
	}
}

// overridesVector is a recorded run of the API server's override handling.
type overridesVector struct {
	ServerProperties map[string]string `json:"server_properties"`
	SubmitOverrides  map[string]string `json:"submit_overrides"`
	StatemgrText     string            `json:"statemgr_text"`
	OverrideText     *string           `json:"override_file_text"`
	Expected         struct {
		Server        any            `json:"server_override_file_parsed"`
		Merged        any            `json:"override_after_submit_parsed"`
		MergedError   any            `json:"override_after_submit_error"`
		Statemgr      any            `json:"statemgr_after_submit_parsed"`
		StatemgrError any            `json:"statemgr_after_submit_error"`
		BaseNotBuilt  map[string]any `json:"base_configuration_keys_not_default"`
		BaseError     any            `json:"base_configuration_error"`
	}
}

func TestGoldenServerOverrides(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(testenv.Golden(t), "config", "apiserver-overrides-*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors of kind apiserver-overrides (%v)", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			var v overridesVector
			readJSON(t, path, &v)
			v.check(t)
		})
	}
}

func (v *overridesVector) check(t *testing.T) {
	override := ServerOverrides(v.ServerProperties)
	wantYAML(t, "server's overrides", override, v.Expected.Server)
	if v.OverrideText != nil {
		override = []byte(*v.OverrideText)
	}
	merged, err := MergeOverrides("override.yaml", override, v.SubmitOverrides)
	// The original cannot add to an empty file; to us it is an empty map.
	emptyFile := v.OverrideText != nil && *v.OverrideText == ""
	if v.Expected.MergedError != nil && !emptyFile {
		wantError(t, "merging", err)
		_, err = ReplaceOverridden("statemgr.yaml", []byte(v.StatemgrText), "override.yaml", override)
		wantError(t, "replacing", err)
	} else {
		if err != nil {
			t.Fatal(err)
		}
		if emptyFile {
			wantYAML(t, "merged", merged, typed(textMapping(v.SubmitOverrides)))
		} else {
			wantYAML(t, "merged", merged, v.Expected.Merged)
		}
		statemgr, err := ReplaceOverridden("statemgr.yaml", []byte(v.StatemgrText), "override.yaml", merged)
		if err != nil {
			t.Fatal(err)
		}
		if !emptyFile {
			wantYAML(t, "statemgr", statemgr, v.Expected.Statemgr)
		}
		override = merged
	}
	if emptyFile {
		override = nil
	}
	v.checkBase(t, override)
}

// checkBase loads the configuration that the server builds from the files.
func (v *overridesVector) checkBase(t *testing.T, override []byte) {
	dir := t.TempDir()
	text := string(override)
	writeFiles(t, dir, map[string]*string{"conf/statemgr.yaml": &v.StatemgrText, "ov.yaml": &text})
	l, err := loadFiles(Options{Home: dir, Dir: filepath.Join(dir, "conf")}, filepath.Join(dir, "ov.yaml"))
	if v.Expected.BaseError != nil {
		wantError(t, "base configuration", err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*entry{"heron.apiserver.file.override.yaml": newEntry(heronHome+"/ov.yaml", Source{})}
	for k, e := range l.values {
		if e.source.Kind != DefaultSource || k == keyHome || k == keyConf {
			got[k] = e
		}
	}
	compare(t, "base configuration", dir, got, v.Expected.BaseNotBuilt)
}

// wantYAML compares what a text says, not its order, which is a Java hash
// map's in the original.
func wantYAML(t *testing.T, what string, text []byte, want any) {
	t.Helper()
	m, err := parseYAML(what, text)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if diff := cmp.Diff(byKey(want), byKey(typed(m))); diff != "" {
		t.Errorf("%s (-original +ours):\n%s", what, diff)
	}
}

func byKey(typedMap any) map[string]any {
	out := map[string]any{}
	for _, p := range typedMap.(map[string]any)["v"].([]any) {
		key := p.([]any)[0].(map[string]any)["v"].(string)
		out[key] = p.([]any)[1]
	}
	return out
}
