package nomad

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/testenv"
)

// waitingExecutor writes down what it was given and runs until it is told to
// end.
const waitingExecutor = `#!/bin/sh
trap 'exit 0' TERM
for arg; do printf '%s\n' "$arg"; done >args
env >env
mv env environment
while :; do sleep 1 & wait; done
`

// realSpec is a topology of two containers whose package and core lie in
// dir, with the shipped script.
func realSpec(t *testing.T, dir string) jobspec.Spec {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(testenv.Root(), "conf", "nomad", "heron_nomad.sh"))
	if err != nil {
		t.Fatal(err)
	}
	s := someSpec()
	name := "wc-" + uuid.NewString()[:8]
	s.Definition = namedTopology(name)
	for i := range s.Plan.Containers {
		s.Plan.Containers[i].Scheduled.CPU, s.Plan.Containers[i].Scheduled.RAM = 0.1, 64<<20
	}
	s.Settings.Role = "data science"
	s.Settings.Nomad.KillTimeout = 10 * time.Second
	s.Settings.Nomad.RegisterMetrics = true
	s.Settings.Executor.MetricsPortFile = "port_file"
	// What looks like an action of a template is none.
	s.Script = string(script) + "\n# {{ env \"HOME\" }} {{ fail }}\n"

	s.Settings.Core.SHA256 = packCore(t, dir, waitingExecutor)
	s.PackageSHA256 = pack(t, filepath.Join(dir, "topology.tar.gz"), map[string]string{name + ".defn": "definition"})
	s.Settings.Core.URI = "file://" + filepath.Join(dir, "core.tar.gz")
	s.PackageURI = "file://" + filepath.Join(dir, "topology.tar.gz")
	return s
}

// packCore makes a core package whose executor is this script, and returns its
// SHA-256.
func packCore(t *testing.T, dir, executor string) string {
	t.Helper()
	return pack(t, filepath.Join(dir, "core.tar.gz"), map[string]string{"heron-core/bin/heron-executor": executor})
}

// pack writes a gzipped tar and returns its SHA-256.
func pack(t *testing.T, file string, files map[string]string) string {
	t.Helper()
	data, err := testenv.Tarball(files)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// register registers a job, and stops and purges it when the test ends.
// Services go to Nomad itself: there need not be a Consul.
func register(t *testing.T, c *Client, job *api.Job) {
	t.Helper()
	for _, service := range job.TaskGroups[0].Tasks[0].Services {
		service.Provider = "nomad"
	}
	t.Cleanup(func() {
		if err := c.Purge(context.Background(), *job.ID); err != nil {
			t.Error(err)
		}
		if _, err := c.WaitStopped(context.Background(), *job.ID, patience, nil); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.RegisterNew(t.Context(), job); err != nil {
		t.Fatal(err)
	}
}

// start registers a job and waits until all its containers run.
func start(t *testing.T, c *Client, job *api.Job) {
	t.Helper()
	register(t, c, job)
	if err := c.WaitRunning(t.Context(), *job.ID, *job.TaskGroups[0].Count, patience, nil); err != nil {
		t.Fatal(err)
	}
}

// readFile reads a file of an allocation's task folder, waiting for it.
func readFile(t *testing.T, c *Client, alloc *api.Allocation, path string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		// Reading what is not there gives the message as content.
		_, _, err := c.api.AllocFS().Stat(alloc, path, nil)
		if err == nil {
			r, err := c.api.AllocFS().Cat(alloc, path, nil)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			_ = r.Close()
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		if time.Now().After(deadline) {
			t.Fatalf("read %s of allocation %s: %v", path, alloc.ID, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// byIndex are the allocations of a job, one per index.
func byIndex(t *testing.T, c *Client, job *api.Job) map[int]*api.Allocation {
	t.Helper()
	list, _, err := c.api.Jobs().Allocations(*job.ID, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	allocs := map[int]*api.Allocation{}
	for _, stub := range list {
		alloc, _, err := c.api.Allocations().Info(stub.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		index, ok := ContainerIndex(alloc.Name)
		if !ok || allocs[index] != nil {
			t.Errorf("allocation %s has no index of its own", alloc.Name)
		}
		allocs[index] = alloc
	}
	return allocs
}

// What a real Nomad gives to container i is what jobspec.Expand says.
func TestRealContainersAreTheExpansion(t *testing.T) {
	c := realClient(t)
	job := mustBuild(t, realSpec(t, t.TempDir()))
	start(t, c, job)

	stored, err := c.Job(t.Context(), *job.ID)
	if err != nil {
		t.Fatal(err)
	}
	allocs := byIndex(t, c, job)
	if len(allocs) != 3 {
		t.Fatalf("%d containers run, want 3", len(allocs))
	}
	for i, alloc := range allocs {
		want := jobspec.Expand(job, i)
		fromStore := jobspec.Expand(stored, i)
		// Nomad puts its own default where no disk is asked for.
		fromStore.Resources.DiskMB = 0
		if diff := cmp.Diff(want, fromStore); diff != "" {
			t.Errorf("container %d of the stored job (-built +stored):\n%s", i, diff)
		}
		checkRunning(t, c, alloc, want)
		checkService(t, c, want.Services[0], alloc)
	}
}

// checkRunning compares what an executor saw with its container.
func checkRunning(t *testing.T, c *Client, alloc *api.Allocation, want jobspec.Container) {
	t.Helper()
	dir := filepath.Join(jobspec.TaskName, "local", filepath.Base(want.Env[envWorkingDir]))
	env := map[string]string{}
	for line := range strings.Lines(readFile(t, c, alloc, filepath.Join(dir, "environment"))) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[key] = value
	}
	// NOMAD_PORT_x is the port on the node that others reach.
	vars := []string{"${NOMAD_TASK_DIR}", env["NOMAD_TASK_DIR"], "${attr.unique.network.ip-address}", alloc.AllocatedResources.Shared.Ports[0].HostIP}
	ports := map[string]int{}
	for _, p := range alloc.AllocatedResources.Shared.Ports {
		ports[p.Label] = p.Value
	}
	for _, label := range want.Ports {
		number := env["NOMAD_PORT_"+label]
		if number == "" || number != env["NOMAD_HOST_PORT_"+label] || ports[label] == 0 {
			t.Errorf("container %d: port %s is %q inside, %q outside, allocated %d", want.Index, label, number, env["NOMAD_HOST_PORT_"+label], ports[label])
		}
		vars = append(vars, "${NOMAD_PORT_"+label+"}", number)
	}
	put := strings.NewReplacer(vars...).Replace
	args := strings.Split(strings.TrimSuffix(readFile(t, c, alloc, filepath.Join(dir, "args")), "\n"), "\n")
	if diff := cmp.Diff(each(want.Args[2:], put), args); diff != "" {
		t.Errorf("arguments of container %d (-expanded +seen):\n%s", want.Index, diff)
	}
	for key, value := range want.Env {
		if env[key] != put(value) {
			t.Errorf("container %d: %s is %q, want %q", want.Index, key, env[key], put(value))
		}
	}
	if got := readFile(t, c, alloc, filepath.Join(dir, "port_file")); got != env["NOMAD_PORT_metrics_port"]+"\n" {
		t.Errorf("container %d: port file %q, want the port %s", want.Index, got, env["NOMAD_PORT_metrics_port"])
	}
}

func checkService(t *testing.T, c *Client, want jobspec.ContainerService, alloc *api.Allocation) {
	t.Helper()
	found, _, err := c.api.Services().Get(want.Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].AllocID != alloc.ID || !slices.Equal(found[0].Tags, want.Tags) {
		t.Errorf("service %s is %+v, want tags %v of allocation %s", want.Name, found, want.Tags, alloc.ID)
	}
}

// Nomad fetches what lies on a server, under whatever name, and checks it.
func TestRealContainersFetchOverHTTP(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Query().Get("name"))))
	}))
	defer server.Close()
	c := realClient(t)
	s := realSpec(t, dir)
	s.Settings.Core.URI = server.URL + "/download?" + url.Values{"name": {"core.tar.gz"}}.Encode()
	s.PackageURI = server.URL + "/download?" + url.Values{"name": {"topology.tar.gz"}}.Encode()
	job := mustBuild(t, s)
	start(t, c, job)
	allocs := byIndex(t, c, job)
	for i, alloc := range allocs {
		checkRunning(t, c, alloc, jobspec.Expand(job, i))
	}

	// Restarted where it is, a container starts from what was fetched.
	if err := c.api.Allocations().Restart(allocs[1], "", nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		alloc := byIndex(t, c, job)[1]
		if alloc.ID != allocs[1].ID {
			t.Fatalf("container 1 was replaced by %s", alloc.ID)
		}
		if task := alloc.TaskStates[jobspec.TaskName]; task.Restarts == 1 && task.State == "running" {
			checkRunning(t, c, alloc, jobspec.Expand(job, 1))
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("container 1 does not run again: %+v", alloc.TaskStates[jobspec.TaskName])
		}
	}
}

// awaitFailed waits until every container has failed.
func awaitFailed(t *testing.T, c *Client, job *api.Job) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		failed := 0
		for _, alloc := range byIndex(t, c, job) {
			if alloc.ClientStatus == api.AllocClientStatusFailed {
				failed++
			}
		}
		if failed == *job.TaskGroups[0].Count {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d containers have failed", failed, *job.TaskGroups[0].Count)
		}
	}
}

func each(list []string, f func(string) string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = f(text)
	}
	return out
}
