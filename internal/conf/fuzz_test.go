package conf

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzYAML reads files of any bytes. What can be read is written so that it
// reads the same again: executors get what was written.
func FuzzYAML(f *testing.F) {
	for _, text := range []string{
		"", "a: 1\nb: [x, 'y', 0x1f]\n", "a: &x {b: c}\nd: *x\n", "a: &x [*x]\n", "<<: {a: 1}\na: 2\n", "a: !!binary aGk=\n",
		"a: 2001-12-14t21:59:43.10-05:00\n", "a: 1MB\nb: 1_000\nc: 1:30\nd: .inf\ne: ~\n", "a: |\n  x\n\n  y\n", "a: \"\\x01\\u2028\"\n",
		"---\na: 1\n---\nb: 2\n", "\ufeffa: 1\n", "{1: a, 1.0: b, true: c, null: d, [x]: e}\n", "a:1\n", "\ta: 1\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseYAML("file.yaml", data)
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) {
				t.Errorf("%v is not an *Error", err)
			}
			return
		}
		if complexKeys(m) {
			return
		}
		text := emit(m)
		again, err := parseYAML("file.yaml", text)
		if err != nil {
			t.Fatalf("%v, in what was written:\n%s", err, text)
		}
		if got := emit(again); !bytes.Equal(got, text) {
			t.Errorf("written:\n%s\nread again and written:\n%s", text, got)
		}
	})
}

// complexKeys says whether a map, or one in it, has a key that is a list or a map.
func complexKeys(v any) bool {
	switch v := v.(type) {
	case mapping:
		for _, p := range v {
			if _, ok := emitScalar(p.key); !ok || complexKeys(p.value) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if complexKeys(item) {
				return true
			}
		}
	}
	return false
}
