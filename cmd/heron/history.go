package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/versions"
)

func (a *app) historyCommand() *cobra.Command {
	var flags clusterFlags
	return a.clusterCommand(&cobra.Command{
		Use:   "history [flags] cluster/[role]/[env] topology-name",
		Short: "List the versions of a topology",
		Long: `List the versions of a topology that heron rollback can go back to, oldest
first, and the one that runs. A version is made by submit, submit --replace,
update and rollback. heron.nomad.history says how many are kept.`,
		Example: `  heron history nomad wc
  heron history --output json nomad/ads/prod wc`,
		Args: args(2, "cluster/[role]/[env] and the topology's name"),
	}, &flags, func(ctx context.Context, words []string) error { return a.history(ctx, &flags, words[0], words[1]) })
}

func (a *app) history(ctx context.Context, flags *clusterFlags, where, name string) error {
	s, err := a.reach(ctx, flags, where, nil)
	if err != nil {
		return err
	}
	h, err := carryOut(ctx, s, nil, func(cl *cluster.Connection) (*versions.History, error) {
		return versions.List(ctx, cl.Cluster, name)
	}, func(t *apiclient.Topologies) (*versions.History, error) {
		return t.History(ctx, name)
	})
	if err != nil {
		return err
	}
	if a.asJSON() {
		a.printJSON(h)
		return nil
	}
	return a.printHistory(h)
}

func (a *app) printHistory(h *versions.History) error {
	if len(h.Versions) == 0 {
		fmt.Fprintf(a.stdout, "topology %s has no history\n", h.Topology)
	} else {
		w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "VERSION\tMADE BY\tAT\tUSER\tCONTAINERS\tSTATUS\tTOPOLOGY ID\tPACKAGE")
		for _, v := range h.Versions {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%s\t%.12s\n",
				v.Number, madeBy(v), v.At.UTC().Format(time.RFC3339), by(v), v.Containers, versionStatus(v), v.ID, v.PackageSHA256)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("print the history: %w", err)
		}
	}
	if h.Pending != "" {
		fmt.Fprintf(a.stdout, "not ended: %s\n", h.Pending)
	}
	return nil
}

// madeBy says which command made a version.
func madeBy(v versions.Listed) string {
	switch {
	case v.Restores > 0:
		return fmt.Sprintf("rollback to %d", v.Restores)
	case v.Operation == "":
		return "before history"
	}
	return v.Operation
}

// by says who put a version in place.
func by(v versions.Listed) string {
	if via := v.Via.String(); via != "" {
		return fmt.Sprintf("%s (%s)", v.By, via)
	}
	return v.By
}

// versionStatus says whether a version is in place and whether it was seen to
// run well.
func versionStatus(v versions.Listed) string {
	switch {
	case v.Current && v.Stable:
		return "in place, good"
	case v.Current:
		return "in place"
	case v.Stable:
		return "good"
	}
	return "-"
}

// addStateFlag adds the flag about the state of an effectively-once topology.
func addStateFlag(f *pflag.FlagSet, state *string) {
	f.StringVar(state, "state", "", "state of an effectively-once topology: keep it, which has to fit, or begin fresh (default: keep)")
}

// printState says what became of an effectively-once topology's state.
func (a *app) printState(name, state string) {
	switch state {
	case versions.StateKeep:
		fmt.Fprintf(a.stdout, "topology %s continues from its last checkpoint\n", name)
	case versions.StateFresh:
		fmt.Fprintf(a.stdout, "topology %s starts without the state it had\n", name)
	}
}

// printSettled says what became of the packages of versions that are not kept
// any longer.
func (a *app) printSettled(removed []outcome.Resource, kept []outcome.Leftover) {
	for _, r := range removed {
		a.say("removed, as its version is not kept any longer: %s", r)
	}
	for _, l := range kept {
		fmt.Fprintf(a.stdout, "%s, whose version is not kept any longer, stays: %s\n", l, l.Why)
	}
}
