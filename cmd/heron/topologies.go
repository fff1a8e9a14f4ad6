package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/outcome"
)

// topologiesFlags are those of topologies.
type topologiesFlags struct {
	clusterFlags
	watch bool
}

func (a *app) topologiesCommand() *cobra.Command {
	var flags topologiesFlags
	cmd := a.clusterCommand(&cobra.Command{
		Use:   "topologies [flags] cluster/[role]/[env]",
		Short: "List the topologies of a cluster",
		Long: `List the topologies of a cluster with their state, health, containers and owner.
With a role or an environment on the command line, list only those of it.
"heron status" says more about one of them.`,
		Example: `  heron topologies nomad
  heron topologies --watch nomad/ads/prod
  heron topologies --output json nomad/ads`,
		Args: args(1, "cluster/[role]/[env]"),
	}, &flags.clusterFlags, func(ctx context.Context, words []string) error { return a.topologies(ctx, &flags, words[0]) })
	cmd.Flags().BoolVar(&flags.watch, "watch", false, "show every change until Ctrl-C")
	return cmd
}

// topologiesDoc is what topologies prints as JSON.
type topologiesDoc struct {
	Topologies []*inspect.Summary `json:"topologies"`
}

func (a *app) topologies(ctx context.Context, flags *topologiesFlags, where string) error {
	s, err := a.reach(ctx, &flags.clusterFlags, where, nil)
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
	if flags.watch {
		return a.watchTopologies(ctx, s, filter)
	}
	list, err := carryOut(ctx, s, nil, func(cl *cluster.Connection) ([]*inspect.Summary, error) {
		return inspect.List(ctx, cl.Cluster, cl.Nomad, filter)
	}, func(t *apiclient.Topologies) ([]*inspect.Summary, error) {
		return t.List(ctx, filter)
	})
	if err != nil {
		return err
	}
	if a.asJSON() {
		a.printJSON(topologiesDoc{list})
		return nil
	}
	a.printTopologies(a.stdout, list)
	return nil
}

// watchTopologies shows every change: on a terminal the list in the same place,
// elsewhere a line for each topology that is not as it was, with --output json
// the list as one document a line.
func (a *app) watchTopologies(ctx context.Context, s *session, filter inspect.Filter) error {
	draw := a.drawer()
	show := func(c inspect.ListChange) error {
		switch {
		case a.asJSON():
			return json.NewEncoder(a.stdout).Encode(topologiesDoc{c.All})
		case draw != nil:
			var page bytes.Buffer
			a.printTopologies(&page, c.All)
			return draw(page.String())
		}
		at := a.now().Format(time.RFC3339)
		for _, s := range c.Changed {
			fmt.Fprintf(a.stdout, "%s %s %s: %s\n", at, s.Topology, s.Health, s.Reason)
		}
		for _, name := range c.Gone {
			fmt.Fprintf(a.stdout, "%s %s is gone\n", at, name)
		}
		return nil
	}
	err := carryOutNothing(ctx, s, func(cl *cluster.Connection) error {
		return inspect.WatchList(ctx, func(ctx context.Context) ([]*inspect.Summary, error) {
			return inspect.List(ctx, cl.Cluster, cl.Nomad, filter)
		}, show)
	}, func(t *apiclient.Topologies) error {
		return inspect.WatchList(ctx, func(ctx context.Context) ([]*inspect.Summary, error) { return t.List(ctx, filter) }, show)
	})
	if ctx.Err() != nil {
		return &shownError{outcome.Errorf(outcome.Interrupted, "%w", context.Cause(ctx))}
	}
	return err
}

func (a *app) printTopologies(to io.Writer, list []*inspect.Summary) {
	// A table is written cell by cell.
	w := bufio.NewWriter(to)
	defer w.Flush()
	if len(list) == 0 {
		fmt.Fprintln(w, "no topologies")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
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
