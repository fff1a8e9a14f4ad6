//go:build linux

package nomad

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/testenv"
)

const testImage = "heron-test:1"

// dockerNode is a real Nomad whose node runs images, and the daemon that it
// runs them in.
func dockerNode(t *testing.T) (*Client, *testenv.DockerServer) {
	t.Helper()
	d := testenv.Docker(t)
	agent, err := testenv.StartNomad(t.Context(), t.TempDir(), testenv.NomadOptions{Driver: "docker", Config: d.NomadConfig(false)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := agent.Stop(); err != nil {
			t.Error(err)
		}
	})
	return newClient(t, agent.Addr, patience), d
}

// What a real Nomad gives to container i of an image is what jobspec.Expand says. The
// image has a core and no configuration; Nomad fetches the package.
func TestRealDockerContainersAreTheExpansion(t *testing.T) {
	c, d := dockerNode(t)
	dir := t.TempDir()
	packCore(t, dir, strings.Replace(waitingExecutor, "trap", "cat /proc/$$/stat >stat\ntrap", 1))
	if err := d.BuildCore(t.Context(), testImage, filepath.Join(dir, "core.tar.gz")); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()

	for _, mode := range []string{"default", "bridge", "host"} {
		t.Run(mode, func(t *testing.T) {
			s := realSpec(t, dir)
			s.Settings.Nomad.Driver, s.Settings.Nomad.DockerImage, s.Settings.Nomad.DockerNetwork = "docker", testImage, mode
			s.PackageURI = server.URL + "/topology.tar.gz"
			// The image is there already, so nobody logs in.
			s.Settings.Nomad.DockerAuth = &conf.DockerAuth{Username: "ann", Password: password, Server: "registry:5000"}
			job := mustBuild(t, s)
			start(t, c, job)
			for i, alloc := range byIndex(t, c, job) {
				checkRunning(t, c, alloc, jobspec.Expand(job, i))
				stat := strings.Fields(readFile(t, c, alloc, filepath.Join(jobspec.TaskName, "local", filepath.Base(jobspec.Expand(job, i).Env[envWorkingDir]), "stat")))
				// Process and session.
				if stat[0] == "1" || stat[0] == stat[5] {
					t.Errorf("the executor is process %s in session %s, so it cannot lead a process group", stat[0], stat[5])
				}
			}
			checkEnds(t, c, job)
		})
	}
	t.Run("volumes that the node does not allow", func(t *testing.T) {
		s := realSpec(t, dir)
		s.Settings.Nomad.Driver, s.Settings.Nomad.DockerImage, s.Settings.Nomad.DockerNetwork = "docker", testImage, "host"
		s.PackageURI = server.URL + "/topology.tar.gz"
		checkVolumesRefused(t, c, s)
	})
}

// A node whose plugin does not allow volumes says so.
func checkVolumesRefused(t *testing.T, c *Client, s jobspec.Spec) {
	t.Helper()
	s.Settings.Nomad.DockerVolumes = []string{"/srv:/srv:ro"}
	job := mustBuild(t, s)
	job.TaskGroups[0].RestartPolicy.Attempts = new(0)
	job.TaskGroups[0].ReschedulePolicy.Unlimited = new(false)
	register(t, c, job)
	err := c.WaitRunning(t.Context(), *job.ID, *job.TaskGroups[0].Count, patience, nil)
	var failed *FailingError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "volumes are not enabled") {
		t.Errorf("got %v, want a *FailingError about volumes", err)
	}
}

// checkEnds stops a job and checks that each executor was told, and that its
// container ended with its exit code.
func checkEnds(t *testing.T, c *Client, job *api.Job) {
	t.Helper()
	stored, err := c.Job(t.Context(), *job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WaitStopped(t.Context(), *job.ID, patience, nil); err != nil {
		t.Fatal(err)
	}
	for i, alloc := range byIndex(t, c, job) {
		ended := false
		for _, event := range alloc.TaskStates[jobspec.TaskName].Events {
			if event.Type == api.TaskTerminated {
				ended = true
				if event.ExitCode != 0 {
					t.Errorf("container %d ended with %d: %s", i, event.ExitCode, event.DisplayMessage)
				}
			}
		}
		if !ended {
			t.Errorf("container %d has no end: %+v", i, alloc.TaskStates[jobspec.TaskName].Events)
		}
	}
}
