package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/lifecycle"
)

// switchWait is the default of --wait-timeout: a TManager that is just being
// restarted is back by then.
const switchWait = time.Minute

// switchFlags are those of activate and deactivate.
type switchFlags struct {
	clusterFlags
	wait time.Duration
	lock lockFlags
}

// switchFuncs are lifecycle.Activate or lifecycle.Deactivate, and the same
// through an API server.
type switchFuncs struct {
	direct  func(context.Context, cluster.Cluster, string, lifecycle.SwitchOptions) (*lifecycle.Switched, error)
	through func(*apiclient.Topologies, context.Context, string, lifecycle.SwitchOptions) (*lifecycle.Switched, error)
}

func (a *app) activateCommand() *cobra.Command {
	return a.switchCommand(&cobra.Command{
		Use:   "activate [flags] cluster/[role]/[env] topology-name",
		Short: "Activate a paused topology",
		Long: `Let the spouts of a paused topology emit again. The topology's TManager is asked
to do it, and the command returns when its physical plan shows the topology
running. A topology that runs already is a success. Nomad is not asked.`,
		Example: `  heron submit --wait --deploy-deactivated nomad topology.jar com.acme.WordCount wc
  heron activate nomad wc
  heron activate --wait-timeout 5m nomad/ads/prod wc`,
	}, switchFuncs{lifecycle.Activate, (*apiclient.Topologies).Activate})
}

func (a *app) deactivateCommand() *cobra.Command {
	return a.switchCommand(&cobra.Command{
		Use:   "deactivate [flags] cluster/[role]/[env] topology-name",
		Short: "Pause a running topology",
		Long: `Stop the spouts of a topology from emitting, while its containers keep running.
The topology's TManager is asked to do it, and the command returns when its
physical plan shows the topology paused. A topology that is paused already is a
success. Nomad is not asked.`,
		Example: `  heron deactivate nomad wc
  heron deactivate --output json nomad/ads/prod wc`,
	}, switchFuncs{lifecycle.Deactivate, (*apiclient.Topologies).Deactivate})
}

func (a *app) switchCommand(cmd *cobra.Command, do switchFuncs) *cobra.Command {
	var flags switchFlags
	cmd.Args = args(2, "cluster/[role]/[env] and the topology's name")
	cmd = a.clusterCommand(cmd, &flags.clusterFlags, func(ctx context.Context, words []string) error {
		return a.switchState(ctx, &flags, do, cmd.Name(), words[0], words[1])
	})
	flags.lock.add(cmd.Flags())
	cmd.Flags().DurationVar(&flags.wait, "wait-timeout", switchWait, "longest wait until the physical plan shows the new state")
	return cmd
}

func (a *app) switchState(ctx context.Context, flags *switchFlags, do switchFuncs, verb, where, name string) error {
	if flags.wait <= 0 {
		return usagef("--wait-timeout is %v; give a time above zero, as 30s or 5m", flags.wait)
	}
	s, err := a.reach(ctx, &flags.clusterFlags, where, nil)
	if err != nil {
		return err
	}
	opts := lifecycle.SwitchOptions{Wait: flags.wait}
	done, err := carryOut(ctx, s, &flags.lock, func(cl *cluster.Connection) (*lifecycle.Switched, error) {
		return do.direct(ctx, cl.Cluster, name, opts)
	}, func(t *apiclient.Topologies) (*lifecycle.Switched, error) {
		return do.through(t, ctx, name, opts)
	})
	if err != nil {
		return err
	}
	a.changed = done.Changed
	switch {
	case a.asJSON():
		a.printJSON(done)
	case done.Changed:
		fmt.Fprintf(a.stdout, "topology %s %sd: it is %s\n", name, verb, done.State)
	default:
		fmt.Fprintf(a.stdout, "topology %s is %s already; nothing was changed\n", name, done.State)
	}
	return nil
}
