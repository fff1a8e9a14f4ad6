package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BuildDownloader builds this project's program under the name
// heron-downloader, which decides what it does.
func BuildDownloader(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "heron-downloader")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", path, "./cmd/heron")
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build heron: %v\n%s", err, out)
	}
	return path
}
