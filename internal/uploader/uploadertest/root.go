package uploadertest

import (
	"os"
	"os/exec"
	"testing"
)

// MountTmpfs mounts a file system of its own, with options of tmpfs, where the
// user may.
func MountTmpfs(t *testing.T, options string) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Logf("no tmpfs here: %v: %s", err, out)
		return "", false
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
	return dir, true
}

// SmallDisk is a folder with room for 1 MiB.
func SmallDisk(t *testing.T) string {
	t.Helper()
	dir, ok := MountTmpfs(t, "size=1m")
	if !ok {
		NeedRoot(t, "to mount a file system that is small")
		t.Fatal("root cannot mount a file system")
	}
	return dir
}

// NeedRoot skips a test elsewhere than in CI.
func NeedRoot(t *testing.T, why string) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatalf("this test needs root, %s", why)
	default:
		t.Skipf("this test needs root, %s", why)
	}
}
