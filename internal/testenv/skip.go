package testenv

import (
	"os"
	"testing"
)

// skipUnlessCI ends a test that cannot run on this machine. In CI that is a
// failure.
func skipUnlessCI(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
