package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// build says what it does and how long that usually takes, and puts the binary
// in place only when it is whole.
func (t tool) build(ctx context.Context, module, binary string) error {
	title := t.title
	if version := t.version(module); version != "" {
		title += " " + version
	}
	fmt.Fprintf(os.Stderr, "building %s (about %s, once per machine)\n", title, t.takes)
	begin := time.Now()
	part := binary + ".part"
	args := append([]string{"build", "-trimpath", "-o", part}, t.flags...)
	if t.own {
		args = append(args, ".")
	} else {
		args = append(args, "tool")
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = module
	cgo := "CGO_ENABLED=0"
	if t.cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(os.Environ(), cgo, "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off", "GOOS=", "GOARCH=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build it in %s: %w\n%s", module, err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(part, binary); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "built %s in %s\n", title, time.Since(begin).Round(time.Second))
	return nil
}

// version is the one that the module pins, without its "v", or nothing where
// that cannot be found out.
func (t tool) version(module string) string {
	text, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == t.from {
			return strings.TrimPrefix(words[1], "v")
		}
	}
	return ""
}

// moduleKey tells apart what different modules build.
func moduleKey(module string) (string, error) {
	names, err := filepath.Glob(filepath.Join(module, "*.go"))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range append([]string{filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum")}, names...) {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}
