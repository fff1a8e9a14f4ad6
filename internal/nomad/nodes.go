package nomad

import (
	"cmp"
	"context"
	"path"
	"slices"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
)

// Node is a client node that containers of a topology may run on.
type Node struct {
	ID, Name string
	// Address is the one that it tells other machines.
	Address string
	// Eligible nodes take new containers; others drain, or were told not to.
	Eligible bool
}

// Nodes lists the nodes that are up, by their ids, of the datacenters and the
// node pool and with the driver of the settings. Their constraints are not
// looked at.
func (c *Client) Nodes(ctx context.Context, n conf.Nomad) ([]Node, error) {
	var all []*api.NodeListStub
	err := c.read(ctx, "list the nodes", nodeRead, func(q *api.QueryOptions) (err error) {
		all, _, err = c.api.Nodes().List(q)
		return err
	})
	if err != nil {
		return nil, err
	}
	var nodes []Node
	for _, stub := range all {
		if stub.Status != api.NodeStatusReady || !takes(n, stub) {
			continue
		}
		nodes = append(nodes, Node{
			ID: stub.ID, Name: stub.Name, Address: stub.Address,
			Eligible: stub.SchedulingEligibility == api.NodeSchedulingEligible && !stub.Drain,
		})
	}
	slices.SortFunc(nodes, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	return nodes, nil
}

// takes says whether a node is of those that the settings name.
func takes(n conf.Nomad, stub *api.NodeListStub) bool {
	inDatacenter := slices.ContainsFunc(n.Datacenters, func(pattern string) bool {
		// Nomad takes wildcards in these.
		ok, err := path.Match(pattern, stub.Datacenter)
		return err == nil && ok
	})
	pool := n.Place.NodePool
	if pool == "" {
		pool = api.NodePoolDefault
	}
	driver := stub.Drivers[n.Driver]
	return inDatacenter && (pool == api.NodePoolAll || pool == stub.NodePool) && driver != nil && driver.Detected && driver.Healthy
}
