package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
)

func (a *app) killCommand() *cobra.Command {
	var (
		flags clusterFlags
		opts  lifecycle.KillOptions
	)
	cmd := a.clusterCommand(&cobra.Command{
		Use:   "kill [flags] cluster/[role]/[env] topology-name",
		Short: "Kill a topology",
		Long: `End a topology and remove all of it: its containers, its state, its package
and its job. Killing again removes what an interrupted kill left. What a command
left that died is removed too; while one is under way, kill is refused (exit
code 5).`,
		Example: `  heron kill nomad wc
  heron kill --ignore-missing --output json nomad/ads/preview wc
  heron kill --purge-checkpoints nomad wc`,
		Args: args(2, "cluster/[role]/[env] and the topology's name"),
	}, &flags, func(ctx context.Context, words []string) error { return a.kill(ctx, &flags, opts, words[0], words[1]) })
	f := cmd.Flags()
	f.BoolVar(&opts.IgnoreMissing, "ignore-missing", false, "succeed when there is no such topology")
	f.BoolVar(&opts.PurgeCheckpoints, "purge-checkpoints", false, "remove the record of stateful checkpoints too")
	return cmd
}

func (a *app) kill(ctx context.Context, flags *clusterFlags, opts lifecycle.KillOptions, where, name string) error {
	s, err := a.session(flags, where, nil)
	if err != nil {
		return err
	}
	cl, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	opts.ForTopology = s.config.ForTopology
	done, err := lifecycle.Kill(ctx, cl.Cluster, name, opts)
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
