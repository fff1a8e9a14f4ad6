// Package testenv gives tests what they need from outside the process: real
// servers on loopback, faults between a client and a server, and the golden
// vectors. No code of the product imports it.
package testenv

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Root is the top folder of the checkout.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Golden is the folder of vectors recorded from the original: HERON_GOLDEN,
// else shared/golden beside the checkout. Where there is none the test is
// skipped, except in CI, where it fails.
func Golden(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("HERON_GOLDEN")
	if dir == "" {
		dir = filepath.Join(Root(), "..", "shared", "golden")
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("golden vectors: %v; set HERON_GOLDEN to their folder", err)
		}
		t.Skipf("no golden vectors in %s; set HERON_GOLDEN to their folder", dir)
	}
	return dir
}
