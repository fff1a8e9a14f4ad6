package jobspec

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

// docker says whether the vector's driver is docker, which is the default.
func (v vector) docker() bool { return v.Setting("heron.nomad.driver") != driverRawExec }

// forgotSink says whether the original overlooked the Prometheus sink, as it
// does without an override file.
func (v vector) forgotSink(got Container, theirs *api.Task) bool {
	_, ok := v.ConfFiles["conf/override.yaml"]
	return !ok && got.Env[envMetricsFile] != "" && theirs.Env[envMetricsFile] == ""
}

// compareDocker compares what the driver docker is given. The original joins
// three commands for a shell: the download, the port file and the executor.
// Ours are the start script's variables and arguments.
func compareDocker(t *testing.T, v vector, got, commands Container, task *api.Task) {
	t.Helper()
	theirs := map[string]any{}
	maps.Copy(theirs, task.Config)
	args := texts(theirs["args"])
	delete(theirs, "args")
	ours := map[string]any{"command": got.Command, "image": got.Image, "network_mode": got.NetworkMode}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("configuration of container %d (-original +ours):\n%s", got.Index, diff)
	}

	parts := strings.SplitN(args[1], " && ", 3)
	if len(args) != 2 || args[0] != "-c" || len(parts) != 3 {
		t.Fatalf("the original's arguments are not the expected ones: %q", args)
	}
	if parts[0] != commands.Env[EnvDownload] {
		t.Errorf("download command of container %d: %q, want %q", got.Index, commands.Env[EnvDownload], parts[0])
	}
	if want := "echo ${NOMAD_PORT_metrics_port} > ${METRICS_PORT_FILE}"; parts[1] != want {
		t.Errorf("the original writes its port file by %q, the start script as by %q", parts[1], want)
	}
	if diff := cmp.Diff(sortRAMMap(parts[2]), sortRAMMap(commands.Env[envExecutor])); diff != "" {
		t.Errorf("executor of container %d (-original +ours):\n%s", got.Index, diff)
	}
	if got.Args[0] != "${NOMAD_TASK_DIR}/run_heron_executor.sh" || strings.Join(got.Args[1:], " ") != got.Env[envExecutor] {
		t.Errorf("container %d: arguments %q are not the script and the executor's command %q", got.Index, got.Args, got.Env[envExecutor])
	}

	env := maps.Clone(task.Env)
	if v.forgotSink(got, task) {
		env[envMetricsFile] = got.Env[envMetricsFile]
	}
	extra := []string{EnvWorkingDir, envUseCoreURI, envCoreDir, EnvDownload, envExecutor, envPackageURI, envPackageFile, envPackageSHA256}
	rest := maps.Clone(got.Env)
	maps.DeleteFunc(rest, func(key, _ string) bool { return slices.Contains(extra, key) })
	if diff := cmp.Diff(env, rest); diff != "" {
		t.Errorf("environment of container %d (-original +ours):\n%s", got.Index, diff)
	}
}
