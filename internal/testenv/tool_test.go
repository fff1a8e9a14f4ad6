package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestToolPrefersTheServerThatIsThere(t *testing.T) {
	for name, variable := range map[string]string{"nomad": "NOMAD_BIN", "consul": "CONSUL_BIN", "prometheus": "PROMETHEUS_BIN"} {
		bin := t.TempDir()
		onPath := filepath.Join(bin, name)
		if err := os.WriteFile(onPath, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin)
		t.Setenv(variable, "")
		// A prometheus on PATH may not find services: one is built, or not,
		// for the cache is empty and there is no go.
		t.Setenv("HERON_CACHE", t.TempDir())
		switch got, err := Tool(t.Context(), name); {
		case name == "prometheus" && err == nil:
			t.Errorf("%q from PATH", got)
		case name != "prometheus" && (err != nil || got != onPath):
			t.Errorf("%q, %v; want the one on PATH", got, err)
		}
		t.Setenv(variable, "/opt/"+name)
		if got, err := Tool(t.Context(), name); err != nil || got != "/opt/"+name {
			t.Errorf("%q, %v; want what %s names", got, err, variable)
		}
	}
}

func TestToolIsTakenFromTheCache(t *testing.T) {
	t.Setenv("HERON_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir()) // no go: nothing can be built
	if got, err := Tool(t.Context(), "golangci-lint"); err == nil {
		t.Fatalf("%q from an empty cache and without go", got)
	}
	made, err := filepath.Glob(filepath.Join(os.Getenv("HERON_CACHE"), "golangci-lint-*"))
	if err != nil || len(made) != 1 {
		t.Fatalf("folders in the cache: %v, %v", made, err)
	}
	cached := filepath.Join(made[0], "golangci-lint")
	if err := os.WriteFile(cached, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Tool(t.Context(), "golangci-lint"); err != nil || got != cached {
		t.Errorf("%q, %v; want %q", got, err, cached)
	}
}

func TestUnknownToolIsAnError(t *testing.T) {
	t.Setenv("HERON_CACHE", t.TempDir())
	if _, err := Tool(t.Context(), "nosuch"); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("error %v, want one that names the tool", err)
	}
}
