package conf

import (
	"strings"
	"testing"
)

func TestYAMLMistakesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb:\n\tc: 2\n":                         "x.yaml:3: a tab is used for indenting; indent with spaces",
		"a:\n  b: 1\n\tc: 2\n":                       "x.yaml:3: a tab is used for indenting",
		"a: 1\n\tb: 2\n":                             "x.yaml:2: a tab is used for indenting",
		"\ta: 1\n":                                   "x.yaml:1: a tab is used for indenting",
		"a: 1\n \t b: 2\nc: 3\n":                     "x.yaml:2: a tab is used for indenting",
		"heron.nomad.driver:raw_exec\n":              "x.yaml:1: heron.nomad.driver: there is no blank between the colon and the value; write it as heron.nomad.driver: value",
		"# c\nheron.nomad.driver:raw_exec\nb: 1\n":   "x.yaml:2: heron.nomad.driver: there is no blank",
		"a: 1\nheron.nomad.driver:raw_exec\n":        "x.yaml:2: heron.nomad.driver: there is no blank",
		"a: 1\nheron.nomad.driver:raw_exec\nb: 2\n":  "x.yaml:2: heron.nomad.driver: there is no blank",
		"a: 1\nheron.nomad.token:sesame\n# c\nb: 2":  "x.yaml:2: heron.nomad.token: there is no blank",
		"a: 1\n'my.key':2\nb: 2\n":                   "x.yaml:2: my.key: there is no blank",
		"a: {b\n":                                    "not valid YAML",
		"a: @x\n":                                    "not valid YAML",
		"a: http://h/x\nb http://x\n":                "not valid YAML",
		"just words\n":                               "x.yaml:1: holds a string",
		"\xff\xfea\x00:\x00 \x001\x00":               "x.yaml:1: is in UTF-16 or UTF-32, and Heron's processes read UTF-8 only; save it as UTF-8",
		"\xfe\xff\x00a\x00:\x00 \x001":               "is in UTF-16 or UTF-32",
		"a\x00:\x00 \x001\x00":                       "is in UTF-16 or UTF-32",
		"\x00\x00\xfe\xff\x00\x00\x00a":              "is in UTF-16 or UTF-32",
		"\xff\xfe\x00\x00a\x00\x00\x00:\x00\x00\x00": "is in UTF-16 or UTF-32",
		"a: 1\nb: caf\xe9\n":                         "x.yaml:2: is not in UTF-8",
	} {
		_, err := parseYAML("x.yaml", []byte(text))
		wantError(t, text, err)
		if err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sesame")) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
}

func TestYAMLThatLooksLikeAMistake(t *testing.T) {
	for text, want := range map[string]string{
		"a: b:c\n":                   "b:c",
		"a: 'x:y'\n":                 "x:y",
		"\xef\xbb\xbfa: with a mark": "with a mark",
		"~: nothing\na: v\n":         "v",
	} {
		m, err := parseYAML("x.yaml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got, _ := m.get("a"); got != want {
			t.Errorf("%q: a is %v, want %s", text, got, want)
		}
	}
}

// The original ignores a key without a name.
func TestAKeyWithoutANameSaysNothing(t *testing.T) {
	l := resolved(t, with(map[string]string{"heron_internals.yaml": internals(t), "client.yaml": "~: x\nnull: y\nmy.key: z\n"}))
	if err := l.Check(); err != nil {
		t.Error(err)
	}
	local, err := l.Local()
	if err != nil {
		t.Fatal(err)
	}
	if v, _, err := local.String("my.key"); err != nil || v != "z" {
		t.Errorf("my.key is %q, %v", v, err)
	}
	if _, err := l.Settings(); err != nil {
		t.Error(err)
	}
}
