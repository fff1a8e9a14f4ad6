package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Tool is the path of a program that only development needs: "nomad",
// "consul", "prometheus", "versitygw" or "golangci-lint". NOMAD_BIN,
// CONSUL_BIN, PROMETHEUS_BIN and VERSITYGW_BIN name those that are to be taken;
// without, a Nomad or Consul on PATH is. Otherwise it is built, once per version and machine, from the
// module below scripts/tools that pins it, into the cache folder; others who
// want it meanwhile wait. That takes minutes and a network.
func Tool(ctx context.Context, name string) (string, error) {
	switch name {
	case "nomad", "consul", "prometheus", "versitygw":
		if path := os.Getenv(strings.ToUpper(name) + "_BIN"); path != "" {
			return path, nil
		}
	}
	switch name {
	// Not prometheus: packages of distributions lack the discovery of services
	// in Consul and Nomad.
	case "nomad", "consul":
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	path, err := builtTool(ctx, name)
	if err != nil {
		return "", fmt.Errorf("get %s: %w", name, err)
	}
	return path, nil
}

// cacheDir is HERON_CACHE, else heron-nomad in the user's cache folder, else
// .cache in the checkout.
func cacheDir() string {
	if dir := os.Getenv("HERON_CACHE"); dir != "" {
		return dir
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "heron-nomad")
	}
	return filepath.Join(Root(), ".cache")
}

func builtTool(ctx context.Context, name string) (string, error) {
	module := filepath.Join(Root(), "scripts", "tools", name)
	key, err := moduleKey(module)
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(filepath.Join(cacheDir(), name+"-"+key))
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, name)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(binary); !errors.Is(err, fs.ErrNotExist) {
		return binary, err
	}
	return binary, buildTool(ctx, module, binary)
}

// buildTool puts the binary in place only when it is whole.
func buildTool(ctx context.Context, module, binary string) error {
	part := binary + ".part"
	args := []string{"build", "-trimpath", "-o", part}
	// Prometheus finds services in many clouds, whose libraries take most of
	// the time that building it takes.
	if filepath.Base(binary) == "prometheus" {
		args = append(args, "-tags=remove_all_sd,enable_consul_sd,enable_nomad_sd")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "tool")...)
	cmd.Dir = module
	// Nomad on Linux does not compile without cgo.
	cgo := "CGO_ENABLED=0"
	if filepath.Base(binary) == "nomad" {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(os.Environ(), cgo, "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build it in %s: %w\n%s", module, err, strings.TrimSpace(string(out)))
	}
	return os.Rename(part, binary)
}

// moduleKey tells apart what different module files build.
func moduleKey(module string) (string, error) {
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

// lockFile waits until no other process holds path, then holds it.
func lockFile(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}
