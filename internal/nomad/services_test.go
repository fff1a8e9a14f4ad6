package nomad

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

// What topology.Validate lets through a real Nomad takes, and what it refuses
// Nomad would refuse too, whatever the catalog.
func TestRealNomadTakesTheSameServiceNames(t *testing.T) {
	c := realClient(t)
	longest := strings.Repeat("x", 47)
	for _, provider := range []string{"consul", "nomad"} {
		for _, name := range []string{"Word-Count-1", longest, "word_count", "é", longest + "x"} {
			job := named(t, name)
			job.TaskGroups[0].Tasks[0].Services[0].Provider = provider
			// As it reads in container 0, for variables hide mistakes.
			job.TaskGroups[0].Tasks[0].Services[0].Name = Expand(job, 0).Services[0].Name
			resp, _, err := c.api.Jobs().Validate(job, nil)
			if err != nil {
				t.Fatal(err)
			}
			def := topology.FromProto(&heronpb.Topology{Name: proto.String(name)})
			problems := topology.Validate(def, topology.Rules{ServiceNames: true, MaxIndex: 1})
			refused := problems != nil && strings.Contains(problems.Error(), "metrics service")
			if got := len(resp.ValidationErrors) > 0; got != refused {
				t.Errorf("%s: topology %q: Nomad says %q, we say %v", provider, name, resp.ValidationErrors, problems)
			}
		}
		for _, name := range []string{strings.Repeat("x", 41), strings.Repeat("x", 42), longest} {
			job := named(t, name)
			job.TaskGroups[0].Tasks[0].Services[0].Provider = provider
			if resp, _, err := c.api.Jobs().Validate(job, nil); err != nil || len(resp.ValidationErrors) > 0 {
				t.Errorf("%s: topology %q with variables: %+v, %v", provider, name, resp, err)
			}
		}
	}
}
