package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/update"
)

// updateFlags are those of update.
type updateFlags struct {
	clusterFlags
	waitFlags
	lock         lockFlags
	parallelism  []string
	containers   string
	runtime      []string
	dryRun       bool
	dryRunFormat string
	rollback     bool
}

func (a *app) updateCommand() *cobra.Command {
	var flags updateFlags
	var cmd *cobra.Command
	cmd = a.clusterCommand(&cobra.Command{
		Use:   "update [flags] cluster/[role]/[env] topology-name",
		Short: "Scale a topology, or change its runtime configuration",
		Long: `Change how many instances components have, in how many containers they run, and
the runtime configuration, of a topology that runs or is paused. It stays in that
state, and keeps earlier runtime configuration. The command returns when the
topology works by its new packing plan.

What fails before that is undone. A command that was killed is finished by the
same command. --dry-run shows what would run where, and changes nothing.`,
		Example: `  heron update --component-parallelism count:4 nomad wc
  heron update --component-parallelism word:3 --component-parallelism count:6 --dry-run nomad wc
  heron update --container-number 5 --wait=10m --stable-for 1m --rollback nomad/ads/prod wc
  heron update --runtime-config word:rate.limit:200 --runtime-config log.level:debug nomad wc`,
		Args: args(2, "cluster/[role]/[env] and the topology's name"),
	}, &flags.clusterFlags, func(ctx context.Context, words []string) error {
		if err := flags.check(cmd.Flags()); err != nil {
			return err
		}
		return a.update(ctx, &flags, words[0], words[1])
	})
	f := cmd.Flags()
	f.StringArrayVar(&flags.parallelism, "component-parallelism", nil, "how many instances a component is to have, as `COMPONENT:N`; may be repeated")
	f.StringVar(&flags.containers, "container-number", "", "how many containers there are to be, as `N`, that of the TManager not counted")
	f.StringArrayVar(&flags.runtime, "runtime-config", nil, "a value of the runtime configuration, as `[COMPONENT:]KEY:VALUE`; may be repeated")
	f.BoolVar(&flags.dryRun, "dry-run", false, "show the packing plan that there would be, and change nothing")
	f.StringVar(&flags.dryRunFormat, "dry-run-format", "", "form of a dry run: "+strings.Join(update.Formats(), ", ")+" (default: a table)")
	flags.waitFlags.add(f)
	f.BoolVar(&flags.rollback, "rollback", false, "with --wait: go back to the plan before if the topology does not run as it should")
	flags.lock.add(f)
	return cmd
}

// checkUpdate refuses flags that do not go together, and reads what is asked
// for.
func (a *app) checkUpdate(flags *updateFlags) (update.Request, error) {
	switch {
	case flags.dryRun && flags.asked():
		return update.Request{}, usagef("--wait does not go with --dry-run, which changes nothing")
	case flags.rollback && !flags.asked():
		return update.Request{}, usagef("--rollback goes with --wait: without it, what fails on the way is undone anyway")
	case a.asJSON() && flags.dryRunFormat != "" && flags.dryRunFormat != "json":
		return update.Request{}, usagef("--output json goes with --dry-run-format json, not %s", flags.dryRunFormat)
	case flags.dryRunFormat != "":
		if err := update.CheckFormat(flags.dryRunFormat); err != nil {
			return update.Request{}, err
		}
	}
	if len(flags.parallelism)+len(flags.runtime) == 0 && flags.containers == "" {
		return update.Request{}, usagef("nothing to update: give --component-parallelism, --container-number or --runtime-config")
	}
	return update.ParseRequest(flags.parallelism, flags.containers, flags.runtime)
}

// updatedDoc is what update prints as JSON.
type updatedDoc struct {
	*update.Updated
	Error *errorBody `json:"error,omitempty"`
}

func (a *app) update(ctx context.Context, flags *updateFlags, where, name string) error {
	request, err := a.checkUpdate(flags)
	if err != nil {
		return err
	}
	s, err := a.reach(ctx, &flags.clusterFlags, where, nil)
	if err != nil {
		return err
	}
	if flags.dryRun {
		return a.previewUpdate(ctx, s, name, request, a.dryRunFormat(flags.dryRunFormat))
	}
	opts := update.Options{Wait: flags.limit(), StableFor: flags.stable, Rollback: flags.rollback}
	done, err := carryOut(ctx, s, &flags.lock, func(cl *cluster.Connection) (*update.Updated, error) {
		return update.Update(ctx, cl.Cluster, name, request, opts)
	}, func(t *apiclient.Topologies) (*update.Updated, error) {
		return t.Update(ctx, name, request, opts)
	})
	if done == nil {
		return err
	}
	a.changed = done.Changed
	return a.partial(err, func(e *errorBody) any { return updatedDoc{done, e} }, func() { a.printUpdated(done) })
}

func (a *app) printUpdated(done *update.Updated) {
	if !done.Changed {
		fmt.Fprintf(a.stdout, "topology %s is so already; nothing was changed\n", done.Topology)
		return
	}
	if done.State == "" { // the original API server does not tell
		fmt.Fprintf(a.stdout, "topology %s updated\n", done.Topology)
		return
	}
	fmt.Fprintf(a.stdout, "topology %s updated: it is %s, with %s in %s\n", done.Topology, done.State, instances(done.Parallelism), count(done.Containers, "container"))
	for _, v := range done.Runtime {
		fmt.Fprintf(a.stdout, "runtime configuration %s\n", v)
	}
	if done.Adopted {
		fmt.Fprintln(a.stdout, "the jobs of the original client were made one")
	}
}

// instances words how many instances components have.
func instances(parallelism map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(parallelism)) {
		parts = append(parts, fmt.Sprintf("%d of %s", parallelism[name], name))
	}
	return strings.Join(parts, ", ")
}

// previewUpdate shows what an update would do.
func (a *app) previewUpdate(ctx context.Context, s *session, name string, request update.Request, format string) error {
	var plans string
	preview, err := carryOut(ctx, s, nil, func(cl *cluster.Connection) (*update.Preview, error) {
		p, err := update.Look(ctx, cl.Cluster, name, request)
		if err != nil || !p.Packs() {
			return p, err
		}
		var text strings.Builder
		err = p.Show(&text, format)
		plans = text.String()
		return p, err
	}, func(t *apiclient.Topologies) (p *update.Preview, err error) {
		p, plans, err = t.PreviewUpdate(ctx, name, request, format)
		return p, err
	})
	if err != nil {
		return err
	}
	return a.showUpdate(preview, plans)
}

// showUpdate prints a dry run: the plans on standard output, in the original's
// forms, and what they do not say beside them.
func (a *app) showUpdate(p *update.Preview, plans string) error {
	switch {
	case p == nil && a.asJSON():
		return usagef("Apache Heron's own API server tells the plans of an update as text alone: leave out --output json")
	case a.asJSON():
		a.printJSON(p)
		return nil
	case p != nil && !p.Changes:
		fmt.Fprintf(a.stdout, "topology %s is so already; nothing would be changed\n", p.Topology)
		return nil
	}
	if plans != "" {
		if _, err := io.WriteString(a.stdout, plans); err != nil {
			return fmt.Errorf("print the dry run: %w", err)
		}
	}
	if p == nil {
		return nil
	}
	if plans != "" {
		a.say("%s would be added, %d removed, and %d would get another container or task id", count(p.Added, "instance"), p.Removed, p.Moved)
	}
	if p.Adopted {
		a.say("the original client put it up: its jobs, one for each container, would become one, and all containers would be stopped and started anew")
	}
	if p.Replaced {
		a.say("all containers would be replaced, one after the other, because memory or CPU of theirs changes")
	}
	for _, v := range p.Runtime {
		fmt.Fprintf(a.stdout, "runtime configuration %s\n", v)
	}
	return nil
}
