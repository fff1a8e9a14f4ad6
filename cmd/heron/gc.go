package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/submit"
)

// gcFlags are those of gc.
type gcFlags struct {
	clusterFlags
	olderThan string
	dryRun    bool
}

func (a *app) gcCommand() *cobra.Command {
	var flags gcFlags
	cmd := &cobra.Command{
		Use:   "gc [flags] cluster/[role]/[env]",
		Short: "Remove packages that nothing uses",
		Long: `Remove the packages of a cluster that no topology, no submit that died and no
job in any namespace of Nomad refers to, those of the original client's
topologies included, and what killed uploads left. Nothing is removed where
any of these cannot be seen as a whole.`,
		Args: args(1, "cluster/[role]/[env]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			return a.gc(cmd.Context(), &flags, args[0])
		},
	}
	f := cmd.Flags()
	a.outputFlag(cmd)
	flags.add(f)
	flags.addNomad(f)
	f.StringVar(&flags.olderThan, "older-than", "7d", "spare what was stored later than that ago, as 12h, 7d or 2w")
	f.BoolVar(&flags.dryRun, "dry-run", false, "show what would be removed and remove nothing")
	f.BoolVar(&a.quiet, "quiet", false, "print no progress")
	return cmd
}

// shortAge is what uploads may take.
const shortAge = time.Hour

func (a *app) gc(ctx context.Context, flags *gcFlags, where string) error {
	age, err := parseAge(flags.olderThan)
	if err != nil {
		return err
	}
	who, err := a.userName()
	if err != nil {
		return err
	}
	p, err := parsePlace(where, who)
	if err != nil {
		return err
	}
	config, err := a.config(&flags.clusterFlags, p, who, func(*conf.Options) {})
	if err != nil {
		return err
	}
	if report := a.report(); age < shortAge && report != nil {
		report("warning: --older-than %s may be less than an upload under way takes that this client does not know of", flags.olderThan)
	}
	env, err := submit.Connect(ctx, config.Settings, a.outside())
	if err != nil {
		return err
	}
	defer env.Close()
	done, err := env.GC(ctx, config.Settings, submit.GCOptions{OlderThan: age, Now: a.now(), DryRun: flags.dryRun})
	return a.collected(done, err)
}

// collectedDoc is the result of gc in JSON.
type collectedDoc struct {
	*submit.Collected
	*errorDoc
}

// collected prints what was removed, also when a later part failed.
func (a *app) collected(done *submit.Collected, err error) error {
	if done == nil {
		return err
	}
	if a.asJSON() {
		doc := collectedDoc{Collected: done}
		if err != nil {
			e := failureDoc(err, submit.ExitCode(err))
			doc.errorDoc = &e
			err = &toldError{err}
		}
		a.printJSON(doc)
		return err
	}
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
		if err := table.Flush(); err != nil {
			return fmt.Errorf("print the result: %w", err)
		}
	}
	what := "removed"
	if done.DryRun {
		what = "would remove"
	}
	fmt.Fprintf(a.stdout, "%s %d packages, %s; kept %d that are in use and %d that are younger\n",
		what, len(done.Removed), inBytes(done.Bytes), done.Kept, done.Young)
	return err
}

// parseAge reads a time as Go does, and whole days and weeks.
func parseAge(text string) (time.Duration, error) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		number, ok := strings.CutSuffix(text, unit)
		if n, err := strconv.ParseUint(number, 10, 32); ok && err == nil && int64(n) <= math.MaxInt64/int64(length) {
			return time.Duration(n) * length, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
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
