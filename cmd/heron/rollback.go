package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/versions"
)

// rollbackFlags are those of rollback.
type rollbackFlags struct {
	clusterFlags
	waitFlags
	state string
	lock  lockFlags
}

func (a *app) rollbackCommand() *cobra.Command {
	var (
		flags rollbackFlags
		cmd   *cobra.Command
	)
	cmd = a.clusterCommand(&cobra.Command{
		Use:   "rollback [flags] cluster/[role]/[env] topology-name [version]",
		Short: "Put an earlier version of a topology in place again",
		Long: `Put an earlier version of a topology in place again: its package, definition,
packing plan and job, as heron recorded them. Without a number it is the last
version before the one in place that was seen to run well; heron history lists
them. It becomes the newest version.

The command returns when the version runs. If it does not become good, and when
the command is interrupted, the version that ran before comes back. A topology
that is paused stays paused. After a submit --replace or a rollback that was
killed, rollback without a number puts back what ran before.`,
		Example: `  heron rollback nomad wc
  heron rollback --wait=10m --stable-for 1m nomad/ads/prod wc 3`,
		Args: func(cmd *cobra.Command, words []string) error {
			if len(words) == 3 {
				return nil
			}
			return args(2, "cluster/[role]/[env], the topology's name and perhaps a version")(cmd, words)
		},
	}, &flags.clusterFlags, func(ctx context.Context, words []string) error {
		flags.imply()
		if err := flags.check(cmd.Flags()); err != nil {
			return err
		}
		number := 0
		if len(words) > 2 {
			var err error
			if number, err = versionNumber(words[2]); err != nil {
				return err
			}
		}
		return a.rollback(ctx, &flags, words[0], words[1], number)
	})
	f := cmd.Flags()
	flags.waitFlags.add(f)
	flags.lock.add(f)
	addStateFlag(f, &flags.state)
	return cmd
}

func (a *app) rollback(ctx context.Context, flags *rollbackFlags, where, name string, number int) error {
	s, err := a.reach(ctx, &flags.clusterFlags, where, nil)
	if err != nil {
		return err
	}
	opts := versions.RollbackOptions{To: number, Wait: flags.versionWait(), State: flags.state}
	done, err := carryOut(ctx, s, &flags.lock, func(cl *cluster.Connection) (*versions.RolledBack, error) {
		opts.ForTopology = s.config.ForTopology
		return versions.Rollback(ctx, cl.Cluster, name, opts)
	}, func(t *apiclient.Topologies) (*versions.RolledBack, error) {
		return t.Rollback(ctx, name, opts)
	})
	if err != nil {
		return err
	}
	a.changed = done.Changed
	switch {
	case a.asJSON():
		a.printJSON(done)
	case done.TookBack:
		fmt.Fprintf(a.stdout, "topology %s: what had died was taken back; version %d runs again, id %s\n", name, done.Number, done.ID)
	case !done.Changed:
		fmt.Fprintf(a.stdout, "topology %s: version %d is in place already; nothing was changed\n", name, done.Number)
	default:
		fmt.Fprintf(a.stdout, "topology %s rolled back to version %d, which is version %d now: %s, id %s\n",
			name, done.Restores, done.Number, count(done.Containers, "container"), done.ID)
		a.printState(name, done.State)
		a.printSettled(done.Removed, done.Kept)
	}
	return nil
}

// versionNumber reads the number of a version.
func versionNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, usagef("%q is not the number of a version; give one that heron history lists, as 3", text)
	}
	return n, nil
}
