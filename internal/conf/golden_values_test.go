package conf

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
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
		if !g.weRead(e) {
			wantError(t, what, err)
		} else if err != nil || !found {
			t.Errorf("%s: %v, want what the text says", what, err)
		}
	}
}

// unitForm is a number with a unit.
var unitForm = regexp.MustCompile(`^\s*[0-9].*[A-Za-z]\s*$`)

// weRead says whether ours reads a number that the original cannot: text with
// a unit or with blanks around it, and a size as a plain number.
func (g getterCase) weRead(e *entry) bool {
	s, isText := e.value.(string)
	if _, isSize := e.value.(byteAmount); isSize {
		return true
	}
	if !isText {
		return false
	}
	_, notSpan := time.ParseDuration(strings.TrimSpace(s))
	_, isSize := parseSize(s)
	_, notNumber := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	_, notFloat := strconv.ParseFloat(strings.TrimSpace(s), 64)
	isPadded := strings.TrimSpace(s) != s
	switch {
	case strings.HasSuffix(g.Getter, "bytes"):
		return isSize && (unitForm.MatchString(s) || isPadded)
	case strings.Contains(g.Getter, "duration"):
		return unitForm.MatchString(s) && notSpan == nil || isPadded && notNumber == nil
	case strings.HasSuffix(g.Getter, "double"):
		return isPadded && notFloat == nil
	}
	return isPadded && notNumber == nil
}

// javaSpan writes a span of time as Java does: PT1M30S.
func javaSpan(d time.Duration) string {
	var b strings.Builder
	for _, part := range []struct {
		n    time.Duration
		unit string
	}{{d / time.Hour, "H"}, {d % time.Hour / time.Minute, "M"}, {d % time.Minute / time.Second, "S"}} {
		if part.n != 0 || part.unit == "S" && b.Len() == 0 {
			fmt.Fprintf(&b, "%d%s", part.n, part.unit)
		}
	}
	return "PT" + b.String()
}

func TestJavaSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "PT0S", 42 * time.Second: "PT42S", 110 * time.Second: "PT1M50S", time.Minute: "PT1M", 70 * time.Minute: "PT1H10M",
		10 * time.Hour: "PT10H", time.Hour + 10*time.Second: "PT1H10S", -5 * time.Second: "PT-5S",
	} {
		if got := javaSpan(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
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
	case float64:
		return typed(v)["v"]
	}
	return v
}

// check replaces the tokens of one text once, in the raw configuration.
func (s substituteCase) check(t *testing.T, dir string, l *Loaded, v *vector) {
	t.Helper()
	tok := tokens{userHome: v.UserHome, javaHome: v.JavaHome, values: l.values}
	got, err := tok.replace("input", newEntry(s.Input, fileSource("input", 0)), s.Input)
	want, ok := s.Result["v"].(string)
	if err != nil {
		if ok {
			t.Errorf("%q: %v, want %q", s.Input, err, want)
			return
		}
		wantError(t, s.Input, err)
		return
	}
	if !ok {
		// The original crashes on a path of slashes only, and on a token that
		// stands for something other than a string.
		want = "/"
		if strings.Trim(s.Input, "/ ") != "" {
			tok.values = quoted(l.values)
			want, _ = tok.replace("input", newEntry(s.Input, Source{}), s.Input)
		}
	}
	if got = putBack(dir, got); got != want {
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
	base := override
	merged, err := MergeOverrides("override.yaml", override, v.SubmitOverrides)
	// The original crashes on a file without content; to us it is an empty map.
	noOverride, noStatemgr := isEmptyYAML(override), isEmptyYAML([]byte(v.StatemgrText))
	switch {
	case v.Expected.MergedError != nil && !noOverride:
		wantError(t, "merging", err)
	case err != nil:
		t.Fatalf("merging: %v", err)
	case noOverride:
		wantYAML(t, "merged", merged, typed(textMapping(v.SubmitOverrides)))
		override, base = merged, nil
	default:
		wantYAML(t, "merged", merged, v.Expected.Merged)
		override, base = merged, merged
	}
	statemgr, err := ReplaceOverridden("statemgr.yaml", []byte(v.StatemgrText), "override.yaml", override)
	switch {
	case v.Expected.StatemgrError != nil && !noOverride && !noStatemgr:
		wantError(t, "replacing", err)
	case err != nil:
		t.Fatalf("replacing: %v", err)
	case noStatemgr:
		wantYAML(t, "statemgr", statemgr, typed(mapping{}))
	case !noOverride:
		wantYAML(t, "statemgr", statemgr, v.Expected.Statemgr)
	}
	v.checkBase(t, base)
}

func isEmptyYAML(text []byte) bool {
	m, err := parseYAML("text", text)
	return err == nil && len(m) == 0 && !bytes.Contains(text, []byte("{"))
}

// checkBase loads the configuration that the server builds from the files.
func (v *overridesVector) checkBase(t *testing.T, override []byte) {
	dir := t.TempDir()
	text := string(override)
	writeFiles(t, dir, map[string]*string{"conf/statemgr.yaml": &v.StatemgrText, "ov.yaml": &text})
	l, err := loadFiles(Options{Home: dir, Dir: filepath.Join(dir, "conf")}, "", filepath.Join(dir, "ov.yaml"))
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
