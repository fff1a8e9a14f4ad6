package nomad

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

func TestWeighNodes(t *testing.T) {
	node := func(name, dc, pool, status, eligible string, memory int64) *api.NodeListStub {
		return &api.NodeListStub{
			Name: name, Datacenter: dc, NodePool: pool, Status: status, SchedulingEligibility: eligible,
			NodeResources:     &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: 4000}, Memory: api.NodeMemoryResources{MemoryMB: memory}},
			ReservedResources: &api.NodeReservedResources{Memory: api.NodeReservedMemoryResources{MemoryMB: 100}},
		}
	}
	const ready, down, yes, no = api.NodeStatusReady, api.NodeStatusDown, api.NodeSchedulingEligible, api.NodeSchedulingIneligible
	draining := node("n3", "dc1", "default", ready, no, 9000)
	draining.Drain = true
	full := reason{text: "full", short: "cpu,memory", passes: true}
	nowhere := reason{text: "nowhere", noNode: true}
	wants := func(memory int64) wanted {
		return wanted{datacenters: []string{"dc*"}, size: map[string]int64{"cpu": 1000, "memory": memory}}
	}
	for name, c := range map[string]struct {
		nodes  []*api.NodeListStub
		want   wanted
		reason reason
		passes bool
		says   string
	}{
		"fits an empty node": {[]*api.NodeListStub{node("n1", "dc1", "default", ready, yes, 4000)}, wants(3900), full, true, "full"},
		"fits none":          {[]*api.NodeListStub{node("n1", "dc1", "default", ready, yes, 4000), node("n2", "mars", "default", ready, yes, 9000)}, wants(3901), full, false, "full; a container wants 3901 MiB of memory, and the biggest node has 3900 MiB of memory"},
		"in another pool":    {[]*api.NodeListStub{node("n1", "dc1", "default", ready, yes, 4000), node("n2", "dc1", "big", ready, yes, 9000)}, wants(3901), full, false, "full; a container wants"},
		"of unknown size":    {[]*api.NodeListStub{{Name: "n1", Datacenter: "dc1", Status: ready, SchedulingEligibility: yes}}, wants(3901), full, true, "full"},
		"no node at all":     {nil, wants(1), nowhere, false, "nowhere (no node takes work anywhere)"},
		"node elsewhere":     {[]*api.NodeListStub{node("n1", "mars", "default", ready, yes, 1)}, wants(1), nowhere, false, "nowhere (elsewhere: 1 node in datacenter mars)"},
		"nodes not ready": {
			[]*api.NodeListStub{node("n1", "dc1", "default", down, yes, 1), node("n2", "dc2", "default", ready, no, 1), draining}, wants(1), nowhere, true,
			"nowhere (n1 is down, n2 is ineligible, n3 is draining)",
		},
		"ready since": {[]*api.NodeListStub{node("n1", "dc1", "default", ready, yes, 1)}, wants(1), nowhere, true, "nowhere (nodes have become ready since)"},
		"constraint":  {[]*api.NodeListStub{node("n1", "dc1", "default", ready, yes, 1)}, wants(1), reason{text: "plan9"}, false, "plan9"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("resources") != "true" {
				t.Errorf("%s: asked %s", name, r.URL)
			}
			_ = json.NewEncoder(w).Encode(c.nodes)
		}))
		reasons := []reason{c.reason}
		newClient(t, server.URL, patience).weighNodes(t.Context(), c.want, reasons)
		server.Close()
		if r := reasons[0]; r.passes != c.passes || !strings.HasPrefix(r.text, c.says) {
			t.Errorf("%s: passes %v, %q", name, r.passes, r.text)
		}
	}
}
