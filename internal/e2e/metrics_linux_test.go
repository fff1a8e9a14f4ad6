package e2e

import (
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// Containers in images are found at the node's address too.
func TestMetricsOfImagesInConsul(t *testing.T) {
	consul := testenv.Consul(t)
	d := dockerServers(t, testenv.ConsulConfig(consul))
	for _, network := range []string{"default", "host"} {
		t.Run(network, func(t *testing.T) {
			c := newCluster(t)
			c.useImages(d, network)
			c.properties["heron.nomad.metrics.service.register"] = "true"
			c.checkMetricsInConsul(consul, d.IP)
			c.noContainers(d)
		})
	}
}
