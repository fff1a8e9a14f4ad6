//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// TestAPIServerInAContainer builds the image and has Nomad run it.
func TestAPIServerInAContainer(t *testing.T) {
	d := testenv.Docker(t)
	ownNomad(t, testenv.NomadOptions{Driver: "docker", Config: d.NomadConfig(true)})
	c := newCluster(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(testenv.Root(), "scripts", "apiserver", "image"), "heron-test:apiserver")
	cmd.Env = append(os.Environ(), "HERON="+bin.heron, "DOCKER_HOST="+d.Addr, "DOCKER_BUILDKIT=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.runsAsJob(script(t, "apiserver-docker.nomad.hcl"), "http://"+d.IP+":9000", map[string]any{
		"image": "heron-test:apiserver", "zookeeper": relay(t, d.IP, c.zookeeper),
		"nomad": relay(t, d.IP, strings.TrimPrefix(c.nomad, "http://")), "packages": c.packages,
		"flags": []string{"-D", "heron.statemgr.root.path=" + c.root},
	})
}
