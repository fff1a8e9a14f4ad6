package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/inspect"
)

func (a *app) topologiesCommand() *cobra.Command {
	var flags clusterFlags
	return a.clusterCommand(&cobra.Command{
		Use:   "topologies [flags] cluster/[role]/[env]",
		Short: "List the topologies of a cluster",
		Long: `List the topologies of a cluster with their state, health, containers and owner.
With a role or an environment on the command line, list only those of it.
"heron status" says more about one of them.`,
		Example: `  heron topologies nomad
  heron topologies --output json nomad/ads`,
		Args: args(1, "cluster/[role]/[env]"),
	}, &flags, func(ctx context.Context, words []string) error { return a.topologies(ctx, &flags, words[0]) })
}

// topologiesDoc is what topologies prints as JSON.
type topologiesDoc struct {
	Topologies []*inspect.Summary `json:"topologies"`
}

func (a *app) topologies(ctx context.Context, flags *clusterFlags, where string) error {
	s, err := a.session(flags, where, nil)
	if err != nil {
		return err
	}
	p, err := parsePlace(where, "any")
	if err != nil {
		return err
	}
	var filter inspect.Filter
	if !p.noRole {
		filter.Role = p.role
	}
	if !p.noEnviron {
		filter.Environ = p.environ
	}
	cl, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	list, err := inspect.List(ctx, cl.Cluster, cl.Nomad, filter)
	if err != nil {
		return err
	}
	if a.asJSON() {
		a.printJSON(topologiesDoc{list})
		return nil
	}
	a.printTopologies(list)
	return nil
}

func (a *app) printTopologies(list []*inspect.Summary) {
	if len(list) == 0 {
		fmt.Fprintln(a.stdout, "no topologies")
		return
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPOLOGY\tHEALTH\tSTATE\tCONTAINERS\tPLACE\tOWNER\tSUBMITTED\tREASON")
	now := a.now()
	for _, s := range list {
		reason := ""
		if !s.Health.Good() {
			reason = s.Reason
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d/%d\t%s/%s/%s\t%s\t%s\t%s\n", s.Topology, s.Health, dash(s.State), s.Running, s.Wanted,
			s.Cluster, dash(s.Role), dash(s.Environ), dash(s.Owner), since(now, s.Since), dash(reason))
	}
	table.Flush()
}
