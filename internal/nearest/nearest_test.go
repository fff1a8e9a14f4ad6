package nearest

import (
	"slices"
	"testing"
)

func TestName(t *testing.T) {
	flags := []string{"output", "older-than", "dry-run", "wait", "quiet"}
	for word, want := range map[string]struct {
		name    string
		changes int
	}{
		"dryrun": {"dry-run", 1}, "wait": {"wait", 0}, "quite": {"quiet", 2}, "outptu": {"output", 2}, "oldr-than": {"older-than", 1},
	} {
		if name, changes := Name(word, slices.Values(flags)); name != want.name || changes != want.changes {
			t.Errorf("%s: %s with %d changes, want %s with %d", word, name, changes, want.name, want.changes)
		}
	}
	if name, _ := Name("b", slices.Values([]string{"c", "a"})); name != "a" {
		t.Errorf("of two at the same distance %s was taken", name)
	}
	if name, _ := Name("x", slices.Values([]string(nil))); name != "" {
		t.Errorf("%q of nothing", name)
	}
}
