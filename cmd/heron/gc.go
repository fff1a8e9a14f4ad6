package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/lifecycle"
)

// gcFlags are those of gc.
type gcFlags struct {
	clusterFlags
	olderThan string
	dryRun    bool
}

func (a *app) gcCommand() *cobra.Command {
	var flags gcFlags
	cmd := a.clusterCommand(&cobra.Command{
		Use:   "gc [flags] cluster/[role]/[env]",
		Short: "Remove packages that nothing uses",
		Long: `Remove the packages of a cluster that no topology, no submit that died and no
job in any namespace of Nomad refers to, those of the original client's
topologies included, and what killed uploads left. Nothing is removed where
any of these cannot be seen as a whole.`,
		Example: `  heron gc --dry-run nomad
  heron gc --older-than 2w nomad`,
		Args: args(1, "cluster/[role]/[env]"),
	}, &flags.clusterFlags, func(ctx context.Context, words []string) error { return a.gc(ctx, &flags, words[0]) })
	f := cmd.Flags()
	f.StringVar(&flags.olderThan, "older-than", "7d", "keep what is younger than this, as 12h, 7d or 2w")
	f.BoolVar(&flags.dryRun, "dry-run", false, "show what would be removed and remove nothing")
	return cmd
}

// shortAge is what uploads may take.
const shortAge = time.Hour

func (a *app) gc(ctx context.Context, flags *gcFlags, where string) error {
	age, err := parseAge(flags.olderThan)
	if err != nil {
		return err
	}
	s, err := a.reach(ctx, &flags.clusterFlags, where, nil)
	if err != nil {
		return err
	}
	if age < shortAge {
		a.say("warning: --older-than %s may be shorter than an upload that another client has begun; its package would then be removed", flags.olderThan)
	}
	opts := lifecycle.GCOptions{OlderThan: age, Now: a.now(), DryRun: flags.dryRun}
	done, err := carryOut(ctx, s, nil, func(cl *cluster.Connection) (*lifecycle.Collected, error) {
		return lifecycle.GC(ctx, cl.Cluster, cl.Nomad, opts)
	}, func(t *apiclient.Topologies) (*lifecycle.Collected, error) {
		return t.GC(ctx, opts)
	})
	if done == nil {
		return err
	}
	a.changed = !done.DryRun && len(done.Removed) > 0
	return a.partial(err, func(e *errorBody) any { return collectedDoc{done, e} }, func() { a.printCollected(done) })
}

// collectedDoc is what gc prints as JSON.
type collectedDoc struct {
	*lifecycle.Collected
	Error *errorBody `json:"error,omitempty"`
}

// printCollected prints what was removed.
func (a *app) printCollected(done *lifecycle.Collected) {
	if len(done.Removed) > 0 {
		table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "PACKAGE\tSIZE\tAGE\t")
		for _, g := range done.Removed {
			note := ""
			if g.Partial {
				note = "part of a killed upload"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", g.Name, inBytes(g.Size), age(a.now().Sub(g.Stored)), note)
		}
		table.Flush()
	}
	what := "removed"
	if done.DryRun {
		what = "would remove"
	}
	fmt.Fprintf(a.stdout, "%s %s, %s; kept %d in use and %d too young\n",
		what, count(len(done.Removed), "package"), inBytes(done.Bytes), done.Kept, done.Young)
}

// parseAge reads the value of --older-than.
func parseAge(text string) (time.Duration, error) {
	d, ok := conf.ParseAge(text)
	if !ok {
		return 0, usagef("--older-than is %q; give a time as 12h, 7d or 2w", text)
	}
	return d, nil
}

// age is a time for a person.
func age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dm", max(int(d.Minutes()), 0))
}

// inBytes is a size for a person.
func inBytes(n int64) string {
	const unit = 1024
	size, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for size >= unit && len(units) > 1 {
		size, units = size/unit, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}
