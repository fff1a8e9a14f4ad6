//go:build linux

package e2e

import (
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// Containers of images get packages by every way too: Nomad fetches them, or
// the node has them.
func TestDockerGetsPackages(t *testing.T) {
	server := testenv.S3(t, testenv.S3Options{})
	d := dockerServers(t, handsKeysOn, nodeKeys(server)...)
	for name, ready := range map[string]func(t *testing.T) (c *cluster, nothingLeft func()){
		"http": func(t *testing.T) (*cluster, func()) {
			c := newCluster(t)
			c.throughPackages(testenv.PackageServerOptions{Delete: true})
			c.useImages(d, "default")
			delete(c.properties, "heron.nomad.docker.volumes")
			return c, c.nothingLeft
		},
		"s3": func(t *testing.T) (*cluster, func()) {
			s := newS3Cluster(t, server, "")
			s.useImages(d, "default")
			delete(s.properties, "heron.nomad.docker.volumes")
			return s.cluster, s.nothingLeft
		},
		"scp": func(t *testing.T) (*cluster, func()) {
			s := newSSHCluster(t, testenv.SSHOptions{})
			s.useImages(d, "default")
			return s.cluster, s.nothingLeft
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, nothingLeft := ready(t)
			c.want(c.submit("--wait"), 0, "topology "+c.topology+" runs at", "3 containers")
			c.want(c.kill(), 0)
			nothingLeft()
			c.noContainers(d)
		})
	}
}
