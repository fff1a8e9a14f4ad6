package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlainScalarsAreTypedByYAML11(t *testing.T) {
	form := func(kind string, v any) map[string]any { return map[string]any{"t": kind, "v": v} }
	for text, want := range map[string]map[string]any{
		"yes": form("Boolean", true), "Off": form("Boolean", false), "y": form("String", "y"), "tRUE": form("String", "tRUE"),
		"010": form("Integer", 8.0), "08": form("String", "08"), "0o10": form("String", "0o10"),
		"0x1F": form("Integer", 31.0), "-0b11": form("Integer", -3.0), "1_000": form("Integer", 1000.0), "+7": form("Integer", 7.0),
		"2147483648":           form("Long", 2147483648.0),
		"-2147483648":          form("Integer", -2147483648.0),
		"99999999999999999999": form("BigInteger", "99999999999999999999"),
		"1:30":                 form("Integer", 90.0), "1:60": form("String", "1:60"), "-1:30:00": form("Integer", -5400.0), "1:30.5": form("Double", 90.5),
		"1e3": form("Double", 1000.0), ".5": form("Double", 0.5), "1.": form("Double", 1.0), "1_0.5": form("Double", 10.5), "+.inf": form("Double", "Infinity"), "1e999": form("Double", "Infinity"),
		"~": {"t": "null"}, "Null": {"t": "null"}, "": {"t": "null"}, "nUll": form("String", "nUll"),
		"2001-12-14": form("Date", "2001-12-14T00:00:00Z"), "2001-1-1": form("String", "2001-1-1"),
		"2001-1-1 1:02:03.45 -05:30": form("Date", "2001-01-01T06:32:03.45Z"),
		"2001-12-14t21:59:43+1":      form("Date", "2001-12-14T20:59:43Z"),
		"!!str 12":                   form("String", "12"), "!!int \"12\"": form("Integer", 12.0), "!!float 1": form("Double", 1.0),
		"!!binary aGk=": form("bytes", "aGk="),
		"\"yes\"":       form("String", "yes"), "'1'": form("String", "1"), "|-\n  1": form("String", "1"),
	} {
		m, err := parseYAML("f.yaml", []byte("k: "+text+"\n"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		v, _ := m.get("k")
		if diff := cmp.Diff(want, typed(v)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestMapsMergeAndRepeatKeys(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: 2\na: 3\n":                                          "b: 2\na: 3\n",
		"x: &x {a: 1, b: 2}\nw: {b: 3, <<: *x, c: 4}\n":               "x:\n  a: 1\n  b: 2\nw:\n  b: 3\n  a: 1\n  c: 4\n",
		"x: &x {a: 1}\nz: &z {a: 2, b: 2}\nw: {<<: [*x, *z], b: 5}\n": "x:\n  a: 1\nz:\n  a: 2\n  b: 2\nw:\n  a: 1\n  b: 5\n",
		"x: {\"<<\": 1}\n":                                            "x:\n  '<<': 1\n",
		"l: [1, [2, {a: b}], {}]\ne: []\n":                            "l:\n  - 1\n  -\n    - 2\n    -\n      a: b\n  - {}\ne: []\n",
		"# nothing\n":                                                 "{}\n",
	} {
		m, err := parseYAML("f.yaml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := string(emit(m)); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestBrokenYAMLNamesFileAndLine(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for _, c := range []string{"b:a", "c:b", "d:c", "e:d", "f:e", "g:f"} {
		name, of, _ := strings.Cut(c, ":")
		bomb += name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+of+",", 10), ",") + "]\n"
	}
	for text, want := range map[string]string{
		"a: 1\nb: {c\n":           "f.yaml:1",
		"a: 1\n\tb: 2\n":          "f.yaml:2",
		"a: 1\n---\nb: 1\n":       "f.yaml:2",
		"- a\n":                   "f.yaml:1: holds a list",
		"a: &x\n  b: *x\n":        "f.yaml:2: alias *x refers to what contains it",
		"a:\n  b: !!int x\n":      "f.yaml:2",
		"a: !mine {}\n":           "f.yaml:1: tag !mine cannot be read",
		"a: 1\nb:\n  <<: 5\n":     "f.yaml:3",
		bomb:                      "too large",
		"a: \xff\n":               "f.yaml",
		"heron.x: [1\nheron.y: 2": "f.yaml:1",
	} {
		_, err := parseYAML("f.yaml", []byte(text))
		wantError(t, text, err)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text[:min(20, len(text))], err, want)
		}
	}
}

func TestEmittedTextReadsBackAsItWas(t *testing.T) {
	texts := []string{"", " ", "a", "yes", "y", "~", "12", "1e3", "0o7", "a: b", "a:", "#a", "a #b", "- x", "*a", "%x", "@x", "`x", "it's \"q\"", "l1\nl2\n", "\ttab", "café ☃", "\x07", "\u2028", "${HOME}/x", "{}", "[1]", "...", "---", "=", "<<", "2001-01-01", "null", "a,b", "!x", "x ", "host:80"}
	var m mapping
	for _, s := range texts {
		m = append(m, pair{key: "k" + s, value: s}, pair{key: s, value: mapping{{key: "in", value: []any{s, mapping{{key: s, value: s}}}}}})
	}
	for _, v := range []any{nil, true, int32(-3), int64(1 << 40), 1.5, 1e21, 3.0, 1e-7, []byte("hello")} {
		m = append(m, pair{key: "v" + floatText(float64(len(m))), value: v})
	}
	back, err := parseYAML("emitted", emit(m))
	if err != nil {
		t.Fatalf("%v in\n%s", err, emit(m))
	}
	if diff := cmp.Diff(typed(m), typed(back)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
