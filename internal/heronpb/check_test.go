package heronpb

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// The code that is checked in is what the pinned generator makes.
func TestGeneratedCodeIsUpToDate(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), filepath.Join(testenv.Root(), "scripts", "proto"), "--check")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd, err, out)
	}
}
