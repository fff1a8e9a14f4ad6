package scp

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/sshclient"
	"github.com/heron-nomad/heron/internal/uploader"
)

// everyNode stands for all nodes in the place of a host.
const everyNode = "nomad"

// host is a host and the nodes of the cluster that it is.
type host struct {
	target string // for the SSH client
	nodes  []string
}

func (h *host) String() string { return h.target }

// checkTargets refuses hosts that nothing could be made of.
func (s *Uploader) checkTargets() error {
	const key = "heron.uploader.scp.command.connection"
	targets := s.settings.SCP.Hosts
	if len(targets) == 0 {
		return &uploader.ConfigError{What: key, Value: "", Reason: "must name hosts: user@host, or nomad for every node"}
	}
	for i, target := range targets {
		if slices.Contains(targets[:i], target) {
			return &uploader.ConfigError{What: key, Value: target, Reason: "is named twice"}
		}
		if _, host := splitUser(target); host == everyNode {
			if len(targets) > 1 {
				return &uploader.ConfigError{What: key, Value: target, Reason: "stands for every node, so it must be alone"}
			}
			continue
		}
		if err := sshclient.Check(target, s.ssh); err != nil {
			return inputError(key, err)
		}
	}
	return nil
}

func splitUser(target string) (user, host string) {
	at := strings.LastIndexByte(target, '@')
	return target[:at+1], target[at+1:]
}

// resolve finds the hosts once.
func (s *Uploader) resolve(ctx context.Context) ([]*host, error) {
	s.mu.Lock()
	known := s.hosts
	s.mu.Unlock()
	if known != nil {
		return known, ctx.Err()
	}
	hosts, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = hosts
	return hosts, nil
}

// find looks for the hosts among the nodes, of which at least one must take
// containers now.
func (s *Uploader) find(ctx context.Context) ([]*host, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	targets := s.settings.SCP.Hosts
	_, every := s.allNodes()
	if every || s.nodes == nil {
		hosts, _, err := s.holding(ctx)
		if err == nil && len(hosts) == 0 {
			err = fmt.Errorf("%w: no node of the cluster takes containers now (heron.uploader.scp.command.connection: %s)", uploader.ErrTarget, targets[0])
		}
		return hosts, err
	}
	nodes, err := s.nodes(ctx)
	if err != nil {
		return nil, err
	}
	return s.match(ctx, targets, nodes)
}

// allNodes says whether the hosts are all nodes, and for which user.
func (s *Uploader) allNodes() (user string, every bool) {
	user, host := splitUser(s.settings.SCP.Hosts[0])
	return user, host == everyNode
}

// holding are the hosts that packages may be on, whether or not they take
// containers now: what drains or is about to leave is to be emptied too. Hosts
// that are named are not looked for among the nodes. Standby are nodes that
// take no containers now.
func (s *Uploader) holding(ctx context.Context) (hosts, standby []*host, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	targets := s.settings.SCP.Hosts
	user, every := s.allNodes()
	if !every {
		for _, target := range targets {
			hosts = append(hosts, &host{target: target, nodes: []string{target}})
		}
		return hosts, nil, nil
	}
	if s.nodes == nil {
		return nil, nil, &uploader.ConfigError{What: "heron.uploader.scp.command.connection", Value: targets[0], Reason: "Nomad is not asked for its nodes here; name the hosts"}
	}
	nodes, err := s.nodes(ctx)
	if err != nil {
		return nil, nil, err
	}
	hosts, standby = everyHost(user, nodes)
	return hosts, standby, nil
}

// everyHost makes hosts of nodes. Several nodes at one address are one host.
func everyHost(user string, nodes []uploader.Node) (hosts, standby []*host) {
	for _, n := range nodes {
		list := &standby
		if n.Eligible {
			list = &hosts
		}
		target := user + n.Address
		if i := slices.IndexFunc(*list, func(h *host) bool { return h.target == target }); i >= 0 {
			(*list)[i].nodes = append((*list)[i].nodes, n.ID)
			continue
		}
		*list = append(*list, &host{target: target, nodes: []string{n.ID}})
	}
	return hosts, standby
}

// match finds the node that each host is.
func (s *Uploader) match(ctx context.Context, targets []string, nodes []uploader.Node) (hosts []*host, err error) {
	owner := map[string]string{}
	eligible := false
	for _, target := range targets {
		where, err := sshclient.Resolve(ctx, target, s.ssh)
		if err != nil {
			return nil, inputError("heron.uploader.scp.command.connection", err)
		}
		_, alias := splitUser(target)
		found := nodesOf(ctx, nodes, alias, where.Host)
		if len(found) == 0 {
			return nil, fmt.Errorf("%w: %s is no node of the cluster, so no container could run where the package lies; the nodes are %s",
				uploader.ErrTarget, target, nodeNames(nodes))
		}
		if len(found) > 1 {
			return nil, fmt.Errorf("%w: %s may be any of the nodes %s; name it as Nomad does", uploader.ErrTarget, target, nodeNames(found))
		}
		id := found[0].ID
		if other := owner[id]; other != "" {
			return nil, &uploader.ConfigError{What: "heron.uploader.scp.command.connection", Value: target, Reason: "is the same node as " + other + "; name it once"}
		}
		owner[id] = target
		eligible = eligible || found[0].Eligible
		hosts = append(hosts, &host{target: target, nodes: []string{id}})
	}
	if !eligible {
		return nil, fmt.Errorf("%w: no node of %s takes containers now", uploader.ErrTarget, strings.Join(targets, ", "))
	}
	return hosts, nil
}

// nodesOf are the nodes that a host may be: that of its name, else those of
// its address.
func nodesOf(ctx context.Context, nodes []uploader.Node, names ...string) []uploader.Node {
	pick := func(is func(uploader.Node) bool) (found []uploader.Node) {
		for _, n := range nodes {
			if is(n) {
				found = append(found, n)
			}
		}
		return found
	}
	for _, name := range names {
		if found := pick(func(n uploader.Node) bool { return strings.EqualFold(n.Name, name) || n.ID == name }); len(found) > 0 {
			return found
		}
	}
	for _, name := range names {
		if found := pick(func(n uploader.Node) bool { return strings.EqualFold(n.Address, name) }); len(found) > 0 {
			return found
		}
	}
	addresses := map[string]bool{}
	for _, name := range names {
		// A name that nobody knows has no address; the log-in tells.
		list, _ := net.DefaultResolver.LookupHost(ctx, name)
		for _, a := range list {
			addresses[a] = true
			if ip := net.ParseIP(a); ip != nil && ip.IsLoopback() {
				addOwnAddresses(addresses)
			}
		}
	}
	return pick(func(n uploader.Node) bool {
		list, _ := net.DefaultResolver.LookupHost(ctx, n.Address)
		return slices.ContainsFunc(append(list, n.Address), func(a string) bool { return addresses[a] })
	})
}

// addOwnAddresses adds those of this machine: it is its own loopback address.
func addOwnAddresses(addresses map[string]bool) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			addresses[n.IP.String()] = true
		}
	}
}

// nodeNames lists nodes for a message, the first few of them.
func nodeNames(nodes []uploader.Node) string {
	const most = 8
	var names []string
	for i, n := range nodes {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(nodes)-most))
			break
		}
		names = append(names, n.Name+" ("+n.Address+")")
	}
	if len(names) == 0 {
		return "none: no node that is up is in the datacenters and the node pool and has the driver of the configuration"
	}
	return strings.Join(names, ", ")
}
