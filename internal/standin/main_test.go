package standin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test binary every program of the core under its link's
// name.
func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "heron-") {
		os.Exit(Main(os.Args, os.Stdout))
	}
	os.Exit(m.Run())
}
