// Package testenv gives tests what they need from outside the process: real
// servers on loopback, faults between a client and a server, and the golden
// vectors. No code of the product imports it.
package testenv

import (
	"cmp"
	"fmt"
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
// else shared/golden beside the checkout. Without one the test is
// skipped, except in CI, where it fails.
//
// Tests must hold on any tree of the same form: they find their vectors by
// folder and content, never by the name of a case.
func Golden(t testing.TB) string {
	t.Helper()
	return firstWith(t, "README.md", cmp.Or(os.Getenv(goldenVariable), besideCheckout()))
}

// GoldenRuntime is the folder of what was recorded from a running topology of
// the original; see its README.md. Not every tree has one: then it is that of
// the tree beside the checkout.
func GoldenRuntime(t testing.TB) string {
	t.Helper()
	return filepath.Join(firstWith(t, "runtime/README.md", os.Getenv(goldenVariable), besideCheckout()), "runtime")
}

// goldenVariable names the folder of the vectors.
const goldenVariable = "HERON_GOLDEN"

func besideCheckout() string { return filepath.Join(Root(), "..", "shared", "golden") }

// firstWith is the first folder that has a file.
func firstWith(t testing.TB, file string, dirs ...string) string {
	t.Helper()
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(file))); err == nil {
			return dir
		}
	}
	skipUnlessCI(t, fmt.Sprintf("no golden vectors: no %s in %q; set %s to their folder", file, dirs, goldenVariable))
	return ""
}
