package jobspec

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

const executor = "./heron-core/bin/heron-executor"

func TestScriptStartsTheExecutor(t *testing.T) {
	inEveryShell(t, func(t *testing.T, n *node) {
		args := []string{"--topology-name=wc", `--instance-jvm-opts="LVg(61)"`, "--role=data science", "--classpath=libs/*:wc.jar", "--empty=", "it's $HOME `x` \\n"}
		n.mustRun(append([]string{executor}, args...)...)
		if diff := cmp.Diff(strings.Join(args, "\n")+"\n", n.read("args")); diff != "" {
			t.Errorf("arguments (-given +seen):\n%s", diff)
		}
		// The executor sees package and core, and no port file.
		if got, want := n.read("files"), "args\nfiles\nheron-conf\nheron-core\nwc.defn\n"; got != want {
			t.Errorf("working directory has\n%s\nwant\n%s", got, want)
		}
	})
}

// A task that Nomad restarts in place finds nothing of its run before.
func TestScriptStartsAfresh(t *testing.T) {
	inEveryShell(t, func(t *testing.T, n *node) {
		n.mustRun(executor, "--run=1")
		left := n.path("work", "container-1", "leftover")
		if err := os.WriteFile(left, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		n.mustRun(executor, "--run=2")
		if got := n.read("args"); got != "--run=2\n" {
			t.Errorf("second run has arguments %q", got)
		}
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s outlived the restart", left)
		}
	})
}

func TestScriptPortFile(t *testing.T) {
	inEveryShell(t, func(t *testing.T, n *node) {
		n.env["METRICS_PORT_FILE"], n.env["NOMAD_PORT_metrics_port"] = "metrics/port_file", "23456"
		n.mustRun(executor)
		if got := n.read("metrics/port_file"); got != "23456\n" {
			t.Errorf("port file %q", got)
		}
		delete(n.env, "NOMAD_PORT_metrics_port")
		n.mustFail([]string{executor}, "NOMAD_PORT_metrics_port")
	})
}

func TestScriptTakesACoreDirectory(t *testing.T) {
	inEveryShell(t, func(t *testing.T, n *node) {
		core := n.path("installed core")
		if err := os.MkdirAll(filepath.Join(core, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(core, "bin", "heron-executor"), []byte(recordingExecutor), 0o755); err != nil {
			t.Fatal(err)
		}
		n.env[envUseCoreURI], n.env[envCoreDir] = "false", core
		n.mustRun(executor, "--x")
		// Emptying the working directory must not empty what it links to.
		n.mustRun(executor, "--y")
		if got := n.read("args"); got != "--y\n" {
			t.Errorf("arguments %q", got)
		}
		// In an image it lies below the folder in which the script is started.
		n.env[envCoreDir] = "installed core"
		n.mustRun(executor, "--z")
		if got := n.read("args"); got != "--z\n" {
			t.Errorf("arguments %q", got)
		}
		for _, dir := range []string{n.path("nowhere"), "nowhere"} {
			n.env[envCoreDir] = dir
			n.mustFail([]string{executor}, "heron-core is not on this node", n.path("nowhere"))
		}
	})
}

func TestScriptKeepsTheLogsOfTheRunBefore(t *testing.T) {
	inEveryShell(t, func(t *testing.T, n *node) {
		n.mustRun(executor)
		for _, text := range []string{"first", "second"} {
			for name, in := range map[string]string{"words.log.0": "log-files", "old": ".", "heron-executor-1.stdout": "."} {
				file := filepath.Join(n.env[EnvWorkingDir], in, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			n.mustRun(executor)
			for _, name := range []string{"words.log.0", "heron-executor-1.stdout"} {
				if got := n.read("log-files.previous/" + name); got != text {
					t.Errorf("the run before logged %q in %s, want %q", got, name, text)
				}
			}
			for _, gone := range []string{"log-files", "old", "log-files.previous/log-files.previous"} {
				if _, err := os.Stat(filepath.Join(n.env[EnvWorkingDir], gone)); err == nil {
					t.Errorf("%s is still there", gone)
				}
			}
		}
	})
}

func TestScriptFindsJava(t *testing.T) {
	inEveryShell(t, func(t *testing.T, n *node) {
		home := n.path("jdk 17")
		java := filepath.Join(home, "bin", "java")
		if err := os.MkdirAll(filepath.Dir(java), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(java, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		args := []string{executor, "--heron-java-home=$JAVA_HOME", "--x=$1 ${JAVA_HOME}/lib:$JAVA_HOME/x $"}
		want := fmt.Sprintf("--heron-java-home=%s\n--x=$1 %s/lib:%s/x $\n", home, home, home)

		n.env["JAVA_HOME"] = home
		n.mustRun(args...)
		if got := n.read("args"); got != want {
			t.Errorf("with JAVA_HOME: %q, want %q", got, want)
		}

		// Two links, the last one relative, as Debian's alternatives are.
		bin := n.path("bin")
		if err := os.Mkdir(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		for link, target := range map[string]string{"java": "java-alternative", "java-alternative": java} {
			if err := os.Symlink(target, filepath.Join(bin, link)); err != nil {
				t.Fatal(err)
			}
		}
		delete(n.env, "JAVA_HOME")
		path := n.env["PATH"]
		n.env["PATH"] = bin + ":" + path
		n.mustRun(args...)
		if got := n.read("args"); got != want {
			t.Errorf("with java on PATH: %q, want %q", got, want)
		}

		n.env["PATH"] = n.tools("tar", "gzip", "sha256sum", "rm", "mkdir", "cp")
		n.mustFail(args, "JAVA_HOME", "no java is on PATH")
		n.env["JAVA_HOME"] = n.path("nowhere")
		n.mustFail(args, n.path("nowhere"), "no bin/java")
		// An executor that is not told $JAVA_HOME needs no java.
		n.env["PATH"] = path
		n.mustRun(executor, "--heron-java-home=/usr")
	})
}

func TestScriptRefuses(t *testing.T) {
	bad := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		change func(n *node)
		says   []string
	}{
		"wrong package":          {func(n *node) { n.env[envPackageSHA256] = bad }, []string{"package", "topology.tar.gz", bad}},
		"wrong core":             {func(n *node) { n.env[envCoreSHA256] = bad }, []string{"heron-core", "core.tar.gz", bad}},
		"no package":             {func(n *node) { n.env[envPackageFile] = n.path("gone") }, []string{"package is not on this node", "/gone"}},
		"no core":                {func(n *node) { n.env[envCoreFile] = n.path("gone") }, []string{"heron-core is not on this node", "/gone"}},
		"package that is no tar": {func(n *node) { n.env[envPackageFile], n.env[envPackageSHA256] = shippedScript(), "" }, []string{"could not unpack"}},
		"core without heron-core": {func(n *node) {
			n.env[envCoreSHA256] = n.pack("core.tar.gz", map[string]string{"other/bin/heron-executor": recordingExecutor})
		}, []string{"no heron-core"}},
		"core without executor": {func(n *node) {
			n.env[envCoreSHA256] = n.pack("core.tar.gz", map[string]string{"heron-core/bin/heron-shell": ""})
		}, []string{executor}},
		"no directory":         {func(n *node) { delete(n.env, EnvWorkingDir) }, []string{EnvWorkingDir}},
		"relative directory":   {func(n *node) { n.env[EnvWorkingDir] = "work/container-1" }, []string{"absolute"}},
		"somebody's directory": {func(n *node) { n.env[EnvWorkingDir] = n.path("home") }, []string{"container-N", "/home"}},
		"directory that cannot be": {func(n *node) { n.env[EnvWorkingDir] = n.path("core.tar.gz") + "/container-1" },
			[]string{"working directory"}},
		"neither arguments nor command": {func(n *node) {}, []string{envExecutor}},
	} {
		t.Run(name, func(t *testing.T) {
			inEveryShell(t, func(t *testing.T, n *node) {
				c.change(n)
				args := []string{executor}
				if name == "neither arguments nor command" {
					args = nil
				}
				n.mustFail(args, c.says...)
			})
		})
	}
}

// Dash has no tools of its own; busybox brings them along.
func TestScriptNamesMissingTools(t *testing.T) {
	dash, err := exec.LookPath("dash")
	if err != nil {
		t.Fatalf("%v; install the package dash", err)
	}
	n := newNode(t, []string{dash})
	n.env["PATH"] = n.tools("gzip", "sha256sum", "rm", "mkdir", "cp")
	n.mustFail([]string{executor}, "no tar")
	n.env["PATH"] = n.tools("tar", "gzip", "rm", "mkdir", "cp")
	n.mustFail([]string{executor}, "sha256sum")
	for _, digester := range []string{"shasum", "openssl"} {
		if _, err := exec.LookPath(digester); err != nil {
			continue
		}
		n.env["PATH"] = n.tools("tar", "gzip", "rm", "mkdir", "cp", "ls", digester)
		n.mustRun(executor)
		sum := n.env[envCoreSHA256]
		n.env[envCoreSHA256] = strings.Repeat("0", 64)
		n.mustFail([]string{executor}, sum)
		n.env[envCoreSHA256] = sum
	}
}

// The configuration directory may be used by the original client, whose jobs
// have no arguments and fetch the package with heron-core's downloader.
func TestScriptRunsJobsOfTheOriginal(t *testing.T) {
	inEveryShell(t, func(t *testing.T, n *node) {
		for _, key := range []string{envCoreFile, envCoreSHA256, envPackageFile, envPackageSHA256} {
			delete(n.env, key)
		}
		n.env[EnvDownload] = "tar -xzf " + n.path("topology.tar.gz")
		n.env[envExecutor] = executor + ` --instance-jvm-opts="" --classpath=* --shard=1`
		n.mustRun()
		if got, want := n.read("args"), "--instance-jvm-opts=\"\"\n--classpath=*\n--shard=1\n"; got != want {
			t.Errorf("arguments %q, want %q", got, want)
		}
		n.env[EnvDownload] = "false"
		n.mustFail(nil, "could not fetch the topology's package")
	})
}

// Where the package lies others may write: what is unpacked is what was
// checked. Busybox has a digest program of its own, which cannot be replaced.
func TestScriptUnpacksWhatItChecked(t *testing.T) {
	dash, err := exec.LookPath("dash")
	if err != nil {
		t.Fatalf("%v; install the package dash", err)
	}
	real, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, []string{dash})
	n.pack("other.tar.gz", map[string]string{"wc.defn": "changed"})
	// The digest program changes the package once it has read it.
	bin := n.path("bin")
	swap := "#!/bin/sh\n" + real + "\ncp " + n.path("other.tar.gz") + " " + n.path("topology.tar.gz") + "\n"
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "sha256sum"), []byte(swap), 0o755); err != nil {
		t.Fatal(err)
	}
	n.env["PATH"] = bin + ":" + n.env["PATH"]
	delete(n.env, envCoreSHA256)
	n.mustRun(executor)
	if got := n.read("wc.defn"); got != "definition" {
		t.Errorf("what was unpacked is %q", got)
	}
	n.mustFail([]string{executor}, "is not the right one", "topology.tar.gz")
}

// heron-downloader checks the package that a job of ours hands to a start
// script of the original's kind.
func TestScriptWithOurDownloader(t *testing.T) {
	program := testenv.BuildDownloader(t)
	inEveryShell(t, func(t *testing.T, n *node) {
		downloader, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		n.env[envCoreSHA256] = n.pack("core.tar.gz", map[string]string{
			"heron-core/bin/heron-executor": recordingExecutor, "heron-core/bin/heron-downloader": string(downloader),
		})
		delete(n.env, envPackageFile)
		n.env[EnvDownload] = "heron-core/bin/heron-downloader -u file://" + n.path("topology.tar.gz") + " -f . -m local -p ./heron-conf -d ./heron-core"
		n.mustRun(executor)
		if got, want := n.read("files"), "args\nfiles\nheron-conf\nheron-core\nwc.defn\n"; got != want {
			t.Errorf("working directory has\n%s\nwant\n%s", got, want)
		}
		n.env[envPackageSHA256] = strings.Repeat("0", 64)
		n.mustFail([]string{executor}, "its SHA-256 is", n.env[envPackageSHA256], "could not fetch")
	})
}

// Signals reach the executor, and the script does not end before it.
func TestScriptHandsSignalsOn(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			inEveryShell(t, func(t *testing.T, n *node) {
				n.core(`#!/bin/sh
trap 'echo stopped >stopped; exit 7' TERM INT
echo ready
while :; do sleep 0.1; done
`)
				cmd := n.command(executor)
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				timer := time.AfterFunc(scriptTimeout, func() { _ = cmd.Process.Kill() })
				defer timer.Stop()
				if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
					t.Fatalf("the executor did not start: %v", err)
				}
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, out)
				_ = cmd.Wait()
				if code := cmd.ProcessState.ExitCode(); code != 7 {
					t.Errorf("exit code %d, want the executor's 7", code)
				}
				if got := n.read("stopped"); got != "stopped\n" {
					t.Errorf("the executor's handler left %q", got)
				}
			})
		})
	}
}

func TestScriptPassesShellcheck(t *testing.T) {
	path, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Fatalf("%v; install the package shellcheck", err)
	}
	out, err := exec.CommandContext(t.Context(), path, "-s", "sh", shippedScript()).CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
