package nomad

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// weighNodes completes reasons about places by what the nodes are: whether a
// container would fit on one that is empty, and what becomes of nodes that are
// not ready. Where the token may not read nodes, or Nomad does not answer, they
// stay as they are.
func (c *Client) weighNodes(ctx context.Context, w wanted, reasons []reason) {
	if !slices.ContainsFunc(reasons, func(r reason) bool { return r.noNode || r.short != "" }) {
		return
	}
	var list []*api.NodeListStub
	err := c.glance(ctx, func(q *api.QueryOptions) (err error) {
		q.Params = map[string]string{"resources": "true"}
		list, _, err = c.api.Nodes().List(q)
		return err
	})
	if err != nil {
		return
	}
	var in []*api.NodeListStub
	for _, n := range list {
		if w.takes(n) {
			in = append(in, n)
		}
	}
	for i := range reasons {
		r := &reasons[i]
		switch {
		case r.short != "":
			if text := w.tooBig(strings.Split(r.short, ","), in); text != "" {
				r.passes = false
				r.text += "; " + text
			}
		case r.noNode && len(in) > 0:
			r.passes = true
			r.text += " (" + some(conditions(in), ", ") + ")"
		case r.noNode:
			r.text += " (" + elsewhere(list) + ")"
		}
	}
}

// takes says whether a node is where the job wants one.
func (w wanted) takes(n *api.NodeListStub) bool {
	if pool := w.pool; pool != api.NodePoolAll && n.NodePool != "" && n.NodePool != cmp.Or(pool, api.NodePoolDefault) {
		return false
	}
	return len(w.datacenters) == 0 || slices.ContainsFunc(w.datacenters, func(pattern string) bool {
		matches, err := path.Match(pattern, n.Datacenter)
		return matches || err != nil && pattern == n.Datacenter
	})
}

// tooBig says of what a container wants more than the biggest node has, "" for
// nothing. A node that says nothing of a resource may have enough.
func (w wanted) tooBig(resources []string, nodes []*api.NodeListStub) string {
	for _, resource := range resources {
		var most int64
		for _, n := range nodes {
			has := capacity(n)[resource]
			if has <= 0 {
				return ""
			}
			most = max(most, has)
		}
		if want := w.size[resource]; most > 0 && want > most {
			return fmt.Sprintf("a container wants %s, and the biggest node has %s", amount(resource, want), amount(resource, most))
		}
	}
	return ""
}

func amount(resource string, n int64) string {
	if resource == "cpu" {
		return fmt.Sprintf("%d MHz of cpu", n)
	}
	return fmt.Sprintf("%d MiB of %s", n, resource)
}

// capacity is what jobs may have of an empty node, by resource.
func capacity(n *api.NodeListStub) map[string]int64 {
	has := map[string]int64{}
	if r := n.NodeResources; r != nil {
		has["cpu"], has["memory"], has["disk"] = r.Cpu.CpuShares, r.Memory.MemoryMB, r.Disk.DiskMB
	}
	if r := n.ReservedResources; r != nil {
		has["cpu"] -= int64(r.Cpu.CpuShares)      //nolint:gosec // far below the limit
		has["memory"] -= int64(r.Memory.MemoryMB) //nolint:gosec // far below the limit
		has["disk"] -= int64(r.Disk.DiskMB)       //nolint:gosec // far below the limit
	}
	return has
}

// conditions says of each node that takes no work why.
func conditions(nodes []*api.NodeListStub) (texts []string) {
	for _, n := range nodes {
		switch {
		case n.Drain:
			texts = append(texts, n.Name+" is draining")
		case n.Status != api.NodeStatusReady:
			texts = append(texts, n.Name+" is "+n.Status)
		case n.SchedulingEligibility != api.NodeSchedulingEligible:
			texts = append(texts, n.Name+" is "+n.SchedulingEligibility)
		}
	}
	if len(texts) == 0 {
		return []string{"nodes have become ready since"}
	}
	return texts
}

// elsewhere says where nodes are that take work.
func elsewhere(list []*api.NodeListStub) string {
	ready := map[string]int{}
	for _, n := range list {
		if n.Status != api.NodeStatusReady || n.SchedulingEligibility != api.NodeSchedulingEligible {
			continue
		}
		place := "datacenter " + n.Datacenter
		if n.NodePool != "" && n.NodePool != api.NodePoolDefault {
			place += ", node pool " + n.NodePool
		}
		ready[place]++
	}
	var texts []string
	for _, place := range slices.Sorted(maps.Keys(ready)) {
		texts = append(texts, nodes(ready[place])+" in "+place)
	}
	if len(texts) == 0 {
		return "no node takes work anywhere"
	}
	return "elsewhere: " + some(texts, "; ")
}
