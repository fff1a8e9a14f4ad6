package conf

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFileCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.yaml")
	cache := &FileCache{}
	value := func() any {
		t.Helper()
		m, err := cache.read(path)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := m.get("k")
		return v
	}
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, v any, kept int) {
		t.Helper()
		if got := value(); got != v || len(cache.files) != kept {
			t.Errorf("%s: %v, %d files kept; want %v, %d", what, got, len(cache.files), v, kept)
		}
	}
	want("missing", nil, 0)
	write("k: a", 0)
	want("just written", "a", 0)
	write("k: b", 0)
	want("written again", "b", 0)
	write("k: c", time.Hour)
	want("old", "c", 1)
	before, _ := cache.read(path)
	after, _ := cache.read(path)
	if &before[0] != &after[0] {
		t.Error("a file that did not change was parsed again")
	}
	write("k: dd", 2*time.Hour)
	want("changed", "dd", 1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want("removed", nil, 1)
	write("k: [", time.Hour)
	if _, err := cache.read(path); err == nil {
		t.Error("no error for broken YAML")
	}

	var none *FileCache
	write("k: e", time.Hour)
	if m, err := none.read(path); err != nil || len(m) != 1 {
		t.Errorf("%v, %v", m, err)
	}
}
