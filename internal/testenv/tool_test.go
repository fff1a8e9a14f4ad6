package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestToolPrefersTheNomadThatIsThere(t *testing.T) {
	bin := t.TempDir()
	onPath := filepath.Join(bin, "nomad")
	if err := os.WriteFile(onPath, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	t.Setenv("NOMAD_BIN", "")
	if got, err := Tool(t.Context(), "nomad"); err != nil || got != onPath {
		t.Errorf("%q, %v; want the one on PATH", got, err)
	}
	t.Setenv("NOMAD_BIN", "/opt/nomad")
	if got, err := Tool(t.Context(), "nomad"); err != nil || got != "/opt/nomad" {
		t.Errorf("%q, %v; want what NOMAD_BIN names", got, err)
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
