package conf

import "testing"

// FuzzYAML reads files of any bytes. What is read can be written and read again:
// packages hold what was written.
func FuzzYAML(f *testing.F) {
	for _, text := range []string{
		"a: 1\nb: [x, 'y']\nc: {d: true, e: null}\n", "- a\n", "a: &x 1\nb: *x\n", "a: |\n  b\n  c\n", "\ufeffa: 1\n", "a: \"\\u0000\"\n",
		"? a\n: b\n", "a: 0x1F\nb: 1_000\nc: 12:30:45\nd: .inf\ne: 2001-12-14\n", "<<: {a: 1}\n", "a: 1\na: 2\n", "1: a\ntrue: b\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseYAML("file", []byte(text))
		if err != nil {
			return
		}
		written := emit(m)
		again, err := parseYAML("file", written)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, written)
		}
		if twice := emit(again); string(twice) != string(written) {
			t.Errorf("written %q, then %q", written, twice)
		}
	})
}
