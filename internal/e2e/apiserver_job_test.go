package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// documentedJob is the job of the original's documentation, with its
// placeholders filled in and a port of its own.
const documentedJob = `
job "apiserver" {
    datacenters = ["dc1"]
    type = "service"
    group "apiserver" {
        count = 1
        task "apiserver" {
            driver = "raw_exec"
            config {
                command = %q
                args = [
                "--cluster", "nomad",
                "--base-template", "nomad",
                "-D", "heron.statemgr.connection.string=%s",
                "-D", "heron.nomad.scheduler.uri=%s",
                "-D", "heron.class.uploader=org.apache.heron.uploader.http.HttpUploader",
                "--port", "%d",
                "--verbose"]
            }
            resources {
                cpu    = 500 # 500 MHz
                memory = 256 # 256MB
            }
        }
    }
}
`

// runsAsJob registers a job of an API server, waits until that is ready at an
// address, and ends it.
func (c *cluster) runsAsJob(text, url string, variables map[string]any) {
	c.t.Helper()
	values := ""
	for name, value := range variables {
		v, err := json.Marshal(value)
		if err != nil {
			c.t.Fatal(err)
		}
		values += fmt.Sprintf("%s = %s\n", name, v)
	}
	job, err := c.api().Jobs().ParseHCLOpts(&api.JobsParseRequest{JobHCL: text, Variables: values, Canonicalize: true})
	if err != nil {
		c.t.Fatal(err)
	}
	id := c.topology + "-" + *job.ID
	job.ID, job.Name = &id, &id
	if _, _, err := c.api().Jobs().Register(job, nil); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _, _, _ = c.api().Jobs().Deregister(id, true, nil) })
	eventually(c.t, "the API server that Nomad runs is ready", func() bool {
		resp, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	if _, _, err := c.api().Jobs().Deregister(id, true, nil); err != nil {
		c.t.Fatal(err)
	}
	eventually(c.t, "the API server has ended with its job", func() bool {
		resp, err := http.Get(url + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err != nil
	})
}

// script is a file of scripts/apiserver.
func script(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "scripts", "apiserver", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAPIServerAsNomadJob(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	command := filepath.Join(c.home, "bin", "heron-apiserver")
	ports := testenv.Ports(t, 2)
	documented := fmt.Sprintf(documentedJob, command, c.zookeeper, strings.TrimPrefix(c.nomad, "http://"), ports[0])
	c.runsAsJob(documented, fmt.Sprintf("http://127.0.0.1:%d", ports[0]), nil)
	c.runsAsJob(script(t, "apiserver.nomad.hcl"), fmt.Sprintf("http://127.0.0.1:%d", ports[1]), map[string]any{
		"zookeeper": c.zookeeper, "nomad": c.nomad, "command": command, "port": ports[1], "packages": c.packages,
		"flags": []string{"-D", "heron.statemgr.root.path=" + c.root},
	})
}
