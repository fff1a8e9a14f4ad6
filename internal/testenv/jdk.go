package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// JDK is the path of javac. Without one the test is skipped, except in
// CI, where it fails.
func JDK(t testing.TB) string {
	t.Helper()
	javac, err := exec.LookPath("javac")
	if err == nil {
		return javac
	}
	const hint = "find a Java compiler: %v; apt-get install default-jdk-headless"
	if os.Getenv("CI") == "true" {
		t.Fatalf(hint, err)
	}
	t.Skipf(hint, err)
	return ""
}
