package e2e

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// TestMetricsInConsul is the way of docs/metrics.md, with the tags that the
// shipped configuration has.
func TestMetricsInConsul(t *testing.T) {
	consul := testenv.Consul(t)
	ownNomad(t, testenv.NomadOptions{Config: testenv.ConsulConfig(consul)})
	c := newCluster(t)
	c.properties["heron.nomad.metrics.service.register"] = "true"
	c.properties["heron.nomad.metrics.service.check.interval.sec"] = "1"
	c.checkMetricsInConsul(consul, "127.0.0.1")
}

// The name is the longest there is, of which Nomad is given the variables.
func TestMetricsInNomad(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.topology = (c.topology + "-" + strings.Repeat("x", 47))[:47]
	c.properties["heron.nomad.metrics.service.register"] = "true"
	c.properties["heron.nomad.service.provider"] = "nomad"
	c.want(c.submit("--wait"), 0)
	c.want(c.plan(nil, "--stmgrs", "2"), 0, "runs as it would be submitted")
	ports := c.ports()
	if len(ports) != 3 {
		t.Fatalf("containers: %v", ports)
	}
	for index, ports := range ports {
		name := "metrics-heron-" + c.topology + "-" + index
		found, _, err := c.api().Services().Get(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{c.topology + "-" + index, "prometheus", "metrics", "heron"}
		if len(found) != 1 || !slices.Equal(found[0].Tags, want) || found[0].Port != ports["metrics_port"] || found[0].Address != "127.0.0.1" {
			t.Errorf("service %s is %+v, want tags %q at port %d", name, found, want, ports["metrics_port"])
		}
	}
	c.checkNomadChecks(3)
	c.checkScraped("nomad_sd_configs", "http://127.0.0.1:4646", c.nomad)
	c.want(c.kill(), 0)
	eventually(t, "no service is left", func() bool { return len(c.nomadServices()) == 0 })
	c.nothingLeft()
}

func TestMetricsWithoutExtraTags(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.metrics.service.register"] = "true"
	c.properties["heron.nomad.metrics.service.additional.tags"] = ""
	c.properties["heron.nomad.service.provider"] = "nomad"
	c.want(c.submit("--wait"), 0)
	services, ports := c.nomadServices(), c.ports()
	if len(services) != 3 || len(ports) != 3 {
		t.Fatalf("services: %v, containers: %v", services, ports)
	}
	for index := range ports {
		if tags := services["metrics-heron-"+c.topology+"-"+index]; !slices.Equal(tags, []string{c.topology + "-" + index}) {
			t.Errorf("tags of container %s: %q, want its own alone", index, tags)
		}
	}
	c.want(c.kill(), 0)
	c.nothingLeft()
}

// What cannot be registered is refused, or seen before it is tried.
func TestMetricsThatCannotBeRegistered(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.metrics.service.register"] = "true"
	c.want(c.plan(nil), 3, "it does not fit now", "consul")
	for _, key := range []string{"heron.nomad.metrics.service.check.interval.sec", "heron.nomad.metrics.service.check.timeout.sec"} {
		c.properties[key] = "500ms"
		c.want(c.submit(), 2, key)
		delete(c.properties, key)
	}
	c.properties["heron.nomad.service.provider"] = "etcd"
	c.want(c.submit(), 2, "heron.nomad.service.provider")
	for _, provider := range []string{"consul", "nomad"} {
		c.properties["heron.nomad.service.provider"] = provider
		for _, name := range []string{"word_count", strings.Repeat("x", 48)} {
			c.want(c.of(t, name).submit(), 2, "metrics service", "heron.nomad.metrics.service.register")
		}
	}
	c.nothingLeft()
}

// ownNomad makes an agent of its own the test's.
func ownNomad(t *testing.T, opts testenv.NomadOptions) {
	t.Helper()
	agent, err := testenv.StartNomad(t.Context(), t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := agent.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("HERON_TEST_NOMAD", agent.Addr)
}

// checkMetricsInConsul submits the topology, and kills it. Nodes have the
// address host.
func (c *cluster) checkMetricsInConsul(consul, host string) {
	c.t.Helper()
	c.want(c.submit("--wait"), 0, "3 containers")
	c.want(c.plan(nil, "--stmgrs", "2"), 0, "runs as it would be submitted")
	want := map[string]string{}
	for index, ports := range c.ports() {
		want["metrics-heron-"+c.topology+"-"+index] = fmt.Sprintf("%s:%d [%s-%s prometheus metrics heron] passing",
			host, ports["metrics_port"], c.topology, index)
	}
	if len(want) != 3 {
		c.t.Fatalf("containers: %v", want)
	}
	var got map[string]string
	if !within(c.t, func() bool { got = c.consulServices(consul); return maps.Equal(got, want) }) {
		c.t.Fatalf("services in Consul (-want +got):\n%s", cmp.Diff(want, got))
	}
	c.checkScraped("consul_sd_configs", "127.0.0.1:8500", strings.TrimPrefix(consul, "http://"))
	c.want(c.kill(), 0)
	eventually(c.t, "no service is left", func() bool { return len(c.consulServices(consul)) == 0 })
	c.nothingLeft()
}

// consulServices are the services with metrics: where they are, their tags and
// the state of each check that Nomad made.
func (c *cluster) consulServices(consul string) map[string]string {
	c.t.Helper()
	var names map[string][]string
	c.get(consul+"/v1/catalog/services", &names)
	all := map[string]string{}
	for name := range names {
		if !strings.HasPrefix(name, "metrics-heron-") {
			continue
		}
		var entries []struct {
			Service struct {
				Address string
				Port    int
				Tags    []string
			}
			Checks []struct{ ServiceName, Type, Status string }
		}
		c.get(consul+"/v1/health/service/"+url.PathEscape(name), &entries)
		var texts []string
		for _, e := range entries {
			text := fmt.Sprintf("%s:%d %v", e.Service.Address, e.Service.Port, e.Service.Tags)
			for _, check := range e.Checks {
				if check.ServiceName == name && check.Type == "tcp" {
					text += " " + check.Status
				}
			}
			texts = append(texts, text)
		}
		all[name] = strings.Join(texts, "; ")
	}
	return all
}

// nomadServices are the tags of the topology's services in Nomad's catalog.
func (c *cluster) nomadServices() map[string][]string {
	c.t.Helper()
	list, _, err := c.api().Services().List(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	found := map[string][]string{}
	for _, namespace := range list {
		for _, s := range namespace.Services {
			if strings.HasPrefix(s.ServiceName, "metrics-heron-"+c.topology+"-") {
				found[s.ServiceName] = s.Tags
			}
		}
	}
	return found
}

// checkNomadChecks waits until the check of every container has succeeded.
func (c *cluster) checkNomadChecks(containers int) {
	c.t.Helper()
	for index := range containers {
		var last api.AllocCheckStatuses
		if !within(c.t, func() bool {
			checks, err := c.api().Allocations().Checks(c.container(index).ID, nil)
			if err != nil {
				c.t.Fatal(err)
			}
			last = checks
			return len(checks) == 1 && slices.Collect(maps.Values(checks))[0].Status == "success"
		}) {
			c.t.Errorf("checks of container %d: %+v", index, last)
		}
	}
}

// ports are the node's ports by container index and label.
func (c *cluster) ports() map[string]map[string]int {
	c.t.Helper()
	client := c.api()
	list, _, err := client.Jobs().Allocations(c.jobID(), false, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	all := map[string]map[string]int{}
	for _, stub := range list {
		if stub.ClientStatus != api.AllocClientStatusRunning {
			continue
		}
		alloc, _, err := client.Allocations().Info(stub.ID, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		_, index, _ := strings.Cut(strings.TrimSuffix(alloc.Name, "]"), "[")
		all[index] = map[string]int{}
		for _, p := range alloc.AllocatedResources.Shared.Ports {
			all[index][p.Label] = p.Value
		}
	}
	return all
}
