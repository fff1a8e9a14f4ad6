package jobspec

import (
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/topology"
)

// named is a topology of a name that registers its metrics.
func named(t *testing.T, name string) *api.Job {
	t.Helper()
	s := someSpec()
	s.Settings.Executor.MetricsPortFile, s.Settings.Nomad.RegisterMetrics = "port_file", true
	s.Definition = topology.FromProto(&heronpb.Topology{
		Id: proto.String("some-id"), Name: proto.String(name), State: heronpb.TopologyState_RUNNING.Enum(),
	})
	return mustBuild(t, s)
}

func TestServicesBearTheNamesOfTheirContainers(t *testing.T) {
	for _, name := range []string{"wc", strings.Repeat("x", 41), strings.Repeat("x", 42), strings.Repeat("x", 47)} {
		services := Expand(named(t, name), 2).Services
		if len(services) != 1 || services[0].Name != "metrics-heron-"+name+"-2" || services[0].Tags[0] != name+"-2" {
			t.Errorf("topology %q: %+v", name, services)
		}
	}
}

func TestServicesGoToTheProvider(t *testing.T) {
	for _, provider := range []string{"consul", "nomad"} {
		s := someSpec()
		s.Settings.Executor.MetricsPortFile, s.Settings.Nomad.RegisterMetrics = "port_file", true
		s.Settings.Nomad.ServiceProvider = provider
		if services := mustBuild(t, s).TaskGroups[0].Tasks[0].Services; len(services) != 1 || services[0].Provider != provider {
			t.Errorf("%s: %+v", provider, services)
		}
	}
}
