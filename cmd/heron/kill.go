package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
)

// killFlags are those of kill.
type killFlags struct {
	clusterFlags
	opts lifecycle.KillOptions
	lock lockFlags
	yes  bool
}

func (a *app) killCommand() *cobra.Command {
	var flags killFlags
	cmd := a.clusterCommand(&cobra.Command{
		Use:   "kill [flags] cluster/[role]/[env] topology-name",
		Short: "Kill a topology",
		Long: `End a topology and remove all of it: its containers, its state, its package
and its job. Killing again removes what an interrupted kill left. What a command
left that died is removed too; while one is under way, kill is refused (exit
code 5), unless --lock-timeout says to wait.`,
		Example: `  heron kill nomad wc
  heron kill --drain 30s --yes nomad/ads/prod wc
  heron kill --ignore-missing --output json nomad/ads/preview wc
  heron kill --purge-checkpoints nomad wc`,
		Args: args(2, "cluster/[role]/[env] and the topology's name"),
	}, &flags.clusterFlags, func(ctx context.Context, words []string) error { return a.kill(ctx, &flags, words[0], words[1]) })
	f, opts := cmd.Flags(), &flags.opts
	f.DurationVar(&opts.Drain, "drain", 0, "pause the topology, give it this time to work off what it has, and then kill it")
	f.BoolVar(&flags.yes, "yes", false, "do not ask, also where topologies are protected (heron.nomad.protected)")
	flags.lock.add(f)
	f.BoolVar(&opts.IgnoreMissing, "ignore-missing", false, "succeed when there is no such topology")
	f.BoolVar(&opts.PurgeCheckpoints, "purge-checkpoints", false, "remove the record of stateful checkpoints too")
	return cmd
}

func (a *app) kill(ctx context.Context, flags *killFlags, where, name string) error {
	opts := flags.opts
	if opts.Drain < 0 {
		return usagef("--drain is %v; give a time above zero, as 30s or 5m", opts.Drain)
	}
	s, err := a.reach(ctx, &flags.clusterFlags, where, nil)
	if err != nil {
		return err
	}
	if s.protected() && !flags.yes {
		if err := a.confirmName(ctx, "kill", name); err != nil {
			return err
		}
	}
	done, err := carryOut(ctx, s, &flags.lock, func(cl *cluster.Connection) (*lifecycle.Killed, error) {
		opts.ForTopology = s.config.ForTopology
		return lifecycle.Kill(ctx, cl.Cluster, name, opts)
	}, func(t *apiclient.Topologies) (*lifecycle.Killed, error) {
		return t.Kill(ctx, name, opts)
	})
	a.changed = err == nil && done.Found
	switch {
	case outcome.KindOf(err) == outcome.NotFound:
		return fmt.Errorf("%w; with --ignore-missing this is not an error", err)
	case err != nil:
		return err
	case a.asJSON():
		a.printJSON(done)
	case !done.Found:
		fmt.Fprintf(a.stdout, "topology %s does not exist\n", name)
	default:
		fmt.Fprintf(a.stdout, "topology %s killed\n", name)
		for _, l := range done.Kept {
			fmt.Fprintf(a.stdout, "%s kept: %s\n", l, l.Why)
		}
	}
	return nil
}
