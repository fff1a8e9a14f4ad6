package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/submit"
)

func (a *app) killCommand() *cobra.Command {
	var (
		flags clusterFlags
		opts  submit.KillOptions
	)
	cmd := &cobra.Command{
		Use:   "kill [flags] cluster/[role]/[env] topology-name",
		Short: "Kill a topology",
		Long: `End a topology and remove all of it: its containers, its state, its package
and its job. Killing again removes what an interrupted kill left. What a submit
left that died goes too; one that is under way is not touched (exit code 5).`,
		Args: args(2, "cluster/[role]/[env] and the topology's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			return a.kill(cmd.Context(), &flags, opts, args[0], args[1])
		},
	}
	f := cmd.Flags()
	a.outputFlag(cmd)
	flags.add(f)
	flags.addNomad(f)
	f.BoolVar(&opts.IgnoreMissing, "ignore-missing", false, "succeed when there is no such topology")
	f.BoolVar(&opts.PurgeCheckpoints, "purge-checkpoints", false, "remove the record of stateful checkpoints too")
	f.BoolVar(&a.quiet, "quiet", false, "print no progress")
	return cmd
}

func (a *app) kill(ctx context.Context, flags *clusterFlags, opts submit.KillOptions, where, name string) error {
	who, err := a.userName()
	if err != nil {
		return err
	}
	p, err := parsePlace(where, who)
	if err != nil {
		return err
	}
	config, err := a.config(flags, p, who, func(*conf.Options) {})
	if err != nil {
		return err
	}
	env, err := submit.Connect(ctx, config.Settings, a.outside())
	if err != nil {
		return err
	}
	defer env.Close()
	opts.Flags, opts.ForTopology = config.KillFlags, config.ForTopology
	done, err := submit.Kill(ctx, env.Env, config.Settings, name, opts)
	if err != nil {
		return err
	}
	switch {
	case a.asJSON():
		a.printJSON(done)
	case !done.Found:
		fmt.Fprintf(a.stdout, "topology %s does not exist\n", name)
	default:
		fmt.Fprintf(a.stdout, "topology %s killed\n", name)
		for _, uri := range done.Kept {
			fmt.Fprintf(a.stdout, "its package stays, for its store cannot remove any: %s\n", uri)
		}
	}
	return nil
}
