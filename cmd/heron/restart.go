package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/lifecycle"
)

// batchTimeout is the default of --batch-timeout: a container that has to fetch
// its files again has them by then.
const batchTimeout = 5 * time.Minute

// restartFlags are those of restart.
type restartFlags struct {
	clusterFlags
	waitFlags
	lock lockFlags
	all  bool
	opts lifecycle.RestartOptions
}

func (a *app) restartCommand() *cobra.Command {
	var flags restartFlags
	cmd := &cobra.Command{
		Use:   "restart [flags] cluster/[role]/[env] topology-name [container-id]",
		Short: "Restart a topology's containers",
		Long: `Restart one container of a topology, those of a component, or all: container 0,
which is its TManager, first and alone, then the others in batches. A container
whose program runs is restarted in place; one that does not is placed anew. The
next batch begins when the containers run again, with --wait when the whole
topology does. A paused topology stays paused.

A restart that was interrupted or killed goes on where it stopped when the same
command is given again.`,
		Example: `  heron restart nomad wc
  heron restart nomad wc 2
  heron restart --component count --batch 4 --wait nomad/ads/prod wc
  heron restart --wait=10m --stable-for 1m --output json nomad wc`,
	}
	cmd.Args = func(cmd *cobra.Command, words []string) error {
		if len(words) == 3 {
			return nil
		}
		return args(2, "cluster/[role]/[env], the topology's name and maybe a container")(cmd, words)
	}
	cmd = a.clusterCommand(cmd, &flags.clusterFlags, func(ctx context.Context, words []string) error {
		if err := flags.check(cmd.Flags()); err != nil {
			return err
		}
		return a.restart(ctx, &flags, words)
	})
	f := cmd.Flags()
	flags.waitFlags.add(f)
	flags.lock.add(f)
	f.BoolVarP(&flags.all, "all", "1", false, "restart all containers, as without a container-id")
	f.StringVar(&flags.opts.Component, "component", "", "restart the containers that hold instances of this component")
	f.IntVar(&flags.opts.Batch, "batch", 1, "how many containers to restart at the same time")
	f.DurationVar(&flags.opts.BatchTimeout, "batch-timeout", batchTimeout, "longest time until the containers of a batch run again")
	return cmd
}

// complete fills in the options from the words.
func (r *restartFlags) complete(words []string) error {
	r.opts.Container = lifecycle.AllContainers
	r.opts.Wait, r.opts.StableFor = r.limit(), r.stable
	if len(words) == 3 {
		index, err := strconv.Atoi(words[2])
		if err != nil || index < 0 {
			return usagef("the container is %q; give its number, from 0 up", words[2])
		}
		r.opts.Container = index
	}
	switch {
	case len(words) == 3 && r.opts.Component != "", len(words) == 3 && r.all, r.all && r.opts.Component != "":
		return usagef("give one of a container, --component and --all")
	case r.opts.Batch < 1 || r.opts.Batch > lifecycle.LargestBatch:
		return usagef("--batch is %d; give a number from 1 to %d", r.opts.Batch, lifecycle.LargestBatch)
	case r.opts.BatchTimeout <= 0:
		return usagef("--batch-timeout is %v; give a time above zero, as 30s or 5m", r.opts.BatchTimeout)
	}
	return nil
}

func (a *app) restart(ctx context.Context, flags *restartFlags, words []string) error {
	if err := flags.complete(words); err != nil {
		return err
	}
	s, err := a.reach(ctx, &flags.clusterFlags, words[0], nil)
	if err != nil {
		return err
	}
	done, err := carryOut(ctx, s, &flags.lock, func(cl *cluster.Connection) (*lifecycle.Restarted, error) {
		return lifecycle.Restart(ctx, cl.Cluster, words[1], flags.opts)
	}, func(t *apiclient.Topologies) (*lifecycle.Restarted, error) {
		return t.Restart(ctx, words[1], flags.opts)
	})
	if err != nil {
		return err
	}
	// The original API server does not say what it restarted.
	told := len(done.Containers) > 0
	a.changed = told || s.original()
	if a.asJSON() {
		a.printJSON(done)
		return nil
	}
	state := ""
	if done.Running {
		state = ", and it runs"
	}
	if !told && s.original() {
		fmt.Fprintf(a.stdout, "topology %s restarted\n", words[1])
		return nil
	}
	fmt.Fprintf(a.stdout, "topology %s: %s restarted%s\n", words[1], count(len(done.Containers), "container"), state)
	for _, c := range done.Containers {
		if c.How == lifecycle.RestartedReplaced {
			fmt.Fprintf(a.stdout, "container %d was placed anew, on %s\n", c.Index, c.Node)
		}
	}
	return nil
}
