package nomad

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// builtHeron builds the program, for tests that call it as heron-downloader.
func builtHeron(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "heron-downloader")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", path, "./cmd/heron")
	cmd.Dir = testenv.Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build heron: %v\n%s", err, out)
	}
	return path
}

// ownScript is a start script of the original's kind: it has the package
// fetched by heron-core's downloader, with the command that the job names.
const ownScript = `#!/bin/sh
set -e -x
rm -rf "$HERON_NOMAD_WORKING_DIR"
mkdir -p "$HERON_NOMAD_WORKING_DIR"
cd "$HERON_NOMAD_WORKING_DIR"
tar -xzf "${HERON_CORE_PACKAGE_URI#file://}"
$HERON_TOPOLOGY_DOWNLOAD_CMD
trap 'kill -TERM "$!"' TERM
$HERON_EXECUTOR_CMD &
wait "$!"
`

// refusal is a way for a package to get to a container.
type refusal struct {
	// uri is that of the file topology.tar.gz in a folder.
	uri func(t *testing.T, dir string) string
	// script is the user's own start script, "" for the shipped one.
	script string
	says   func(*testing.T, *Client, *api.Allocation) string
}

func nomadSays(_ *testing.T, _ *Client, alloc *api.Allocation) string {
	var text string
	for _, event := range alloc.TaskStates[TaskName].Events {
		text += event.DisplayMessage + "\n"
	}
	return text
}

func containerSays(t *testing.T, c *Client, alloc *api.Allocation) string {
	return readFile(t, c, alloc, "alloc/logs/executor.stderr.0")
}

func onTheNode(_ *testing.T, dir string) string { return "file://" + dir + "/topology.tar.gz" }

func overHTTP(t *testing.T, dir string) string {
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL + "/topology.tar.gz"
}

// ownSpec is a topology whose core has our downloader, and this executor.
func ownSpec(t *testing.T, dir, script, downloader, executor string) Spec {
	t.Helper()
	program, err := os.ReadFile(downloader)
	if err != nil {
		t.Fatal(err)
	}
	s := realSpec(t, dir)
	n := node{t: t, dir: dir}
	s.Settings.Core.SHA256 = n.pack("core.tar.gz", map[string]string{
		"heron-core/bin/heron-executor": executor, "heron-core/bin/heron-downloader": string(program),
	})
	e := &s.Settings.Executor
	e.DownloaderBinary, e.LocalConf, e.ClusterHome = "./heron-core/bin/heron-downloader", "./heron-conf", "./heron-core"
	// The original's script splits at spaces.
	s.Settings.Role = "ads"
	if script != "" {
		s.Script = script
	}
	return s
}

// A package that is another one than submit recorded never gets as far as the
// executor, whichever way it came, and what Nomad shows of the container says
// why.
func TestRealContainersRefuseAChangedPackage(t *testing.T) {
	downloader := builtHeron(t)
	for name, test := range map[string]refusal{
		"fetched by Nomad":                  {overHTTP, "", nomadSays},
		"on the node":                       {onTheNode, "", containerSays},
		"fetched by Nomad, script of users": {overHTTP, ownScript, nomadSays},
		"on the node, script of users":      {onTheNode, ownScript, containerSays},
	} {
		t.Run(name, func(t *testing.T) {
			c := realClient(t)
			dir := t.TempDir()
			// Whatever is run leaves a mark.
			mark := "#!/bin/sh\n>'" + dir + "'/ran-"
			s := ownSpec(t, dir, test.script, downloader, mark+"core\n")
			s.PackageURI = test.uri(t, dir)
			job := mustBuild(t, s)
			n := node{t: t, dir: dir}
			changed := n.pack("topology.tar.gz", map[string]string{"heron-core/bin/heron-executor": mark + "package\n"})
			job.TaskGroups[0].RestartPolicy.Attempts = ptr(0)
			job.TaskGroups[0].ReschedulePolicy.Unlimited = ptr(false)
			register(t, c, job)
			awaitFailed(t, c, job)
			for i, alloc := range byIndex(t, c, job) {
				text := test.says(t, c, alloc)
				if !strings.Contains(text, s.PackageSHA256) || !strings.Contains(text, changed) {
					t.Errorf("container %d does not say that the package has the digest %s, not %s: %s", i, changed, s.PackageSHA256, text)
				}
			}
			if ran, _ := filepath.Glob(dir + "/ran-*"); len(ran) > 0 {
				t.Errorf("something was run: %v", ran)
			}
		})
	}
}

// The same script starts the containers where the package is the right one.
func TestRealContainersOfUsersOwnScript(t *testing.T) {
	c := realClient(t)
	s := ownSpec(t, t.TempDir(), ownScript, builtHeron(t), waitingExecutor)
	job := mustBuild(t, s)
	start(t, c, job)
	for i, alloc := range byIndex(t, c, job) {
		dir := filepath.Join(TaskName, "local", filepath.Base(Expand(job, i).Env[envWorkingDir]))
		if got := readFile(t, c, alloc, filepath.Join(dir, s.Definition.Name()+".defn")); got != "definition" {
			t.Errorf("container %d has the definition %q", i, got)
		}
	}
}
