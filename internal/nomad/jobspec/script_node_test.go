package jobspec

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
)

// scriptTimeout bounds one run of the start script.
const scriptTimeout = time.Minute

// shells are those that the start script must run under.
func shells() map[string][]string {
	return map[string][]string{"dash": {"dash"}, "busybox": {"busybox", "sh"}}
}

// inEveryShell runs a test under each shell; one that is missing fails it.
func inEveryShell(t *testing.T, test func(t *testing.T, n *node)) {
	t.Helper()
	for name, argv := range shells() {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(argv[0])
			if err != nil {
				t.Fatalf("%v; install the package %s", err, argv[0])
			}
			test(t, newNode(t, append([]string{path}, argv[1:]...)))
		})
	}
}

// recordingExecutor writes down how it was started and where.
const recordingExecutor = `#!/bin/sh
for arg; do printf '%s\n' "$arg"; done >args
ls >files
`

// node is a machine that has a core package and a topology's package.
type node struct {
	t     *testing.T
	shell []string
	dir   string
	// env is the script's environment; tests change it.
	env map[string]string
}

func newNode(t *testing.T, shell []string) *node {
	t.Helper()
	n := &node{t: t, shell: shell, dir: t.TempDir()}
	n.env = map[string]string{
		"PATH":              os.Getenv("PATH"),
		EnvWorkingDir:       n.path("work", "container-1"),
		envUseCoreURI:       "true",
		envCoreURI:          "file://" + n.path("core.tar.gz"),
		envCoreFile:         n.path("core.tar.gz"),
		envPackageFile:      n.path("topology.tar.gz"),
		envPackageSHA256:    "",
		"METRICS_PORT_FILE": "",
	}
	n.core(recordingExecutor)
	n.env[envPackageSHA256] = n.pack("topology.tar.gz", map[string]string{"wc.defn": "definition", "heron-conf/override.yaml": ""})
	return n
}

func (n *node) path(parts ...string) string {
	return filepath.Join(append([]string{n.dir}, parts...)...)
}

// core makes a core package whose executor is this script.
func (n *node) core(executor string) {
	n.t.Helper()
	n.env[envCoreSHA256] = n.pack("core.tar.gz", map[string]string{"heron-core/bin/heron-executor": executor})
}

// pack writes a gzipped tar and returns its SHA-256.
func (n *node) pack(name string, files map[string]string) string {
	n.t.Helper()
	data, err := testenv.Tarball(files)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(n.path(name), data, 0o644); err != nil {
		n.t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// shippedScript is the start script as it is installed.
func shippedScript() string {
	return filepath.Join(testenv.Root(), "conf", "nomad", "heron_nomad.sh")
}

func (n *node) command(args ...string) *exec.Cmd {
	argv := append(append(n.shell[1:len(n.shell):len(n.shell)], shippedScript()), args...)
	cmd := exec.CommandContext(n.t.Context(), n.shell[0], argv...)
	cmd.Dir = n.dir
	cmd.WaitDelay = time.Second
	for key, value := range n.env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	return cmd
}

// run runs the script and returns its standard error and exit code.
func (n *node) run(args ...string) (stderr string, code int) {
	n.t.Helper()
	cmd := n.command(args...)
	var buf bytes.Buffer
	cmd.Stderr = &buf
	timer := time.AfterFunc(scriptTimeout, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		n.t.Fatal(err)
	}
	return buf.String(), cmd.ProcessState.ExitCode()
}

func (n *node) mustRun(args ...string) {
	n.t.Helper()
	if stderr, code := n.run(args...); code != 0 {
		n.t.Fatalf("exit code %d: %s", code, stderr)
	}
}

// mustFail runs the script and checks that it fails with a message that
// holds every one of the texts, and never got as far as the executor.
func (n *node) mustFail(args []string, texts ...string) {
	n.t.Helper()
	_ = os.Remove(n.path("work", "container-1", "args"))
	stderr, code := n.run(args...)
	if code == 0 {
		n.t.Fatalf("exit code 0, want a failure about %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(stderr, text) {
			n.t.Errorf("message %q does not say %q", stderr, text)
		}
	}
	if _, err := os.Stat(n.path("work", "container-1", "args")); err == nil {
		n.t.Errorf("the executor was started")
	}
}

// read is a file of the working directory, or a failure.
func (n *node) read(name string) string {
	n.t.Helper()
	data, err := os.ReadFile(n.path("work", "container-1", name))
	if err != nil {
		n.t.Fatal(err)
	}
	return string(data)
}

// tools is a PATH with only these programs.
func (n *node) tools(names ...string) string {
	n.t.Helper()
	dir, err := os.MkdirTemp(n.dir, "tools")
	if err != nil {
		n.t.Fatal(err)
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			n.t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			n.t.Fatal(err)
		}
	}
	return dir
}
