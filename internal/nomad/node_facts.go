package nomad

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
)

// NodeFacts is what a node says of itself.
type NodeFacts struct {
	Node
	// Version is that of its Nomad; Consul that of the Consul agent beside it, ""
	// for none.
	Version, Consul string
}

// nodeReaders is how many nodes are read at a time.
const nodeReaders = 16

// NodeFacts reads what nodes say of themselves. Nodes that are gone are left
// out.
func (c *Client) NodeFacts(ctx context.Context, nodes []Node) ([]NodeFacts, error) {
	found := make([]*NodeFacts, len(nodes))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(nodeReaders)
	for i, node := range nodes {
		group.Go(func() error {
			var full *api.Node
			err := c.read(inner, fmt.Sprintf("read node %q", node.Name), nodeRead, func(q *api.QueryOptions) (err error) {
				full, _, err = c.api.Nodes().Info(node.ID, q)
				return err
			})
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			found[i] = &NodeFacts{Node: node, Version: full.Attributes["nomad.version"], Consul: full.Attributes["consul.version"]}
			return nil
		})
	}
	err := group.Wait()
	var list []NodeFacts
	for _, f := range found {
		if f != nil {
			list = append(list, *f)
		}
	}
	return list, err
}
