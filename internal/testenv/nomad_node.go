package testenv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// A NomadNode is an agent of a cluster that runs containers.
type NomadNode struct {
	*Server
	// Name and ID are the node's.
	Name, ID string

	api *api.Client
}

// addNode starts one more node, which asks servers at these addresses.
func (c *NomadCluster) addNode(ctx context.Context, dir, binary, name, servers string) error {
	s, err := newMember(dir, name, 20000, 32000, 500)
	if err != nil {
		return err
	}
	n := &NomadNode{Server: s, Name: name}
	c.Nodes = append(c.Nodes, n)
	// A server lives when the node does not.
	if n.api, err = api.NewClient(&api.Config{Address: c.servers[0].Addr}); err != nil {
		return err
	}
	own, err := api.NewClient(&api.Config{Address: s.Addr})
	if err != nil {
		return err
	}
	if err := s.configure(binary, fmt.Sprintf(nodeBlock, servers, s.block.port(3), s.block.last())); err != nil {
		return err
	}
	s.ready = func(ctx context.Context) error { return n.isReady(ctx, own) }
	s.drain = func(ctx context.Context) error { return stopJobs(ctx, own) }
	return s.start(ctx)
}

// isReady fails until the node takes work for raw_exec.
func (n *NomadNode) isReady(ctx context.Context, client *api.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	nodes, _, err := client.Nodes().List((&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return err
	}
	for _, node := range nodes {
		driver := node.Drivers["raw_exec"]
		if node.Name == n.Name && node.Status == api.NodeStatusReady && driver != nil && driver.Healthy {
			n.ID = node.ID
			return nil
		}
	}
	return fmt.Errorf("node %s is not ready", n.Name)
}

// Lose ends the agent and all that it runs at once, as the loss of a machine
// does.
func (n *NomadNode) Lose() error {
	if err := errors.Join(n.Kill(), killBelow(n.Dir), unmountBelow(n.Dir)); err != nil {
		return fmt.Errorf("lose %s: %w", n.Name, err)
	}
	return nil
}

// Take says whether the node takes new containers. Those that it has stay.
func (n *NomadNode) Take(ctx context.Context, takes bool) error {
	if _, err := n.api.Nodes().ToggleEligibility(n.ID, takes, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
		return fmt.Errorf("set whether %s takes containers: %w", n.Name, err)
	}
	return nil
}

// Empty begins to move the node's containers elsewhere, and returns. The node
// takes none until Take.
func (n *NomadNode) Empty(ctx context.Context) error {
	spec := &api.DrainSpec{Deadline: time.Hour}
	if _, err := n.api.Nodes().UpdateDrain(n.ID, spec, false, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
		return fmt.Errorf("drain %s: %w", n.Name, err)
	}
	return nil
}
