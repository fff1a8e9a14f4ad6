package testenv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
)

// A tool is a program that only development needs. The module scripts/tools/NAME
// pins its version.
type tool struct {
	// title is its name for a person, and takes how long a build takes on two
	// cores with an empty build cache.
	title, takes string
	// from is the Go module that it comes from.
	from string
	// variable, where set, is the environment variable that names one to use.
	variable string
	// onPath uses the one on PATH, of any version, instead of building one.
	onPath bool
	// own says that our module is the program, with from as its library.
	own bool
	// cgo says that it does not compile without a C compiler.
	cgo bool
	// flags are more flags for go build.
	flags []string
}

// tools are all that there are. Nomad and Consul have a version that is open
// source (MPL-2.0): later lines have another licence, and nobody should have to
// accept it to run the tests.
func tools() map[string]tool {
	return map[string]tool{
		"nomad": {
			title: "Nomad", from: "github.com/hashicorp/nomad", takes: "4 minutes",
			variable: "NOMAD_BIN", onPath: true, cgo: true,
		},
		"consul": {
			title: "Consul", from: "github.com/hashicorp/consul", takes: "4 minutes",
			variable: "CONSUL_BIN", onPath: true,
		},
		// Not the one on PATH: distributions build it without discovery in
		// Consul and Nomad. Ours has no other discovery, because the libraries
		// of many clouds take most of the time.
		"prometheus": {
			title: "Prometheus", from: "github.com/prometheus/prometheus", takes: "2 minutes",
			variable: "PROMETHEUS_BIN", flags: []string{"-tags=remove_all_sd,enable_consul_sd,enable_nomad_sd"},
		},
		"versitygw": {
			title: "versitygw (an S3 server)", from: "github.com/versity/versitygw", takes: "2 minutes",
			variable: "VERSITYGW_BIN",
		},
		"toxiproxy":     {title: "toxiproxy", from: "github.com/Shopify/toxiproxy/v2", takes: "20 seconds", own: true},
		"golangci-lint": {title: "golangci-lint", from: "github.com/golangci/golangci-lint/v2", takes: "2 minutes"},
		"gotestsum":     {title: "gotestsum", from: "gotest.tools/gotestsum", takes: "10 seconds"},
	}
}

// ToolNames are all names that Tool takes.
func ToolNames() []string { return slices.Sorted(maps.Keys(tools())) }

// Tool is the path of a program that only development needs; see ToolNames.
// NOMAD_BIN, CONSUL_BIN, PROMETHEUS_BIN and VERSITYGW_BIN name those that are to
// be used, whatever their version; without them, a Nomad or Consul on PATH is.
// Otherwise it is built, once per version and machine, from the module that
// pins it, into the cache folder. That takes minutes and a network: a line on
// standard error says so. Others who want the same tool meanwhile wait.
func Tool(ctx context.Context, name string) (string, error) {
	t, known := tools()[name]
	if !known {
		return "", fmt.Errorf("get %s: no such tool", name)
	}
	if t.variable != "" {
		if path := os.Getenv(t.variable); path != "" {
			return path, nil
		}
	}
	if t.onPath {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	path, err := t.built(ctx, name)
	if err != nil {
		return "", fmt.Errorf("get %s: %w", name, err)
	}
	return path, nil
}

// Tools are the paths of several. What has to be built is built at the same
// time, as far as the machine has cores for it.
func Tools(ctx context.Context, names []string) ([]string, error) {
	paths, errs := make([]string, len(names)), make([]error, len(names))
	// One build does not keep all cores busy: it downloads, and it links.
	slots := make(chan struct{}, max(2, runtime.NumCPU()/2+1))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			paths[i], errs[i] = Tool(ctx, name)
		})
	}
	all.Wait()
	return paths, errors.Join(errs...)
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

// built is the tool in the cache folder, built first where it is not there.
func (t tool) built(ctx context.Context, name string) (string, error) {
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
	unlock, err := lockFile(filepath.Join(dir, "lock"), func() {
		fmt.Fprintf(os.Stderr, "waiting for another process that builds %s\n", t.title)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(binary); !errors.Is(err, fs.ErrNotExist) {
		return binary, err
	}
	return binary, t.build(ctx, module, binary)
}

// lockFile waits until no other process holds path, then holds it. Where it has
// to wait it says so first.
func lockFile(path string, waits func()) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		waits()
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}
