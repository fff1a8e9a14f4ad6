package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
)

func (a *app) unlockCommand() *cobra.Command {
	var (
		flags clusterFlags
		opts  lifecycle.UnlockOptions
	)
	cmd := a.clusterCommand(&cobra.Command{
		Use:   "unlock [flags] cluster/[role]/[env] topology-name",
		Short: "Remove the claim of a command that died",
		Long: `Remove what a command that died holds of a topology: its claim, and the lock that
the original client takes for updates. While its process may be alive, this is
refused (exit code 5) and the message says whose it is; --force takes the claim
away all the same. If the command left something half done, unlock names it and
the command that finishes or removes it.`,
		Example: `  heron unlock nomad wc
  heron unlock --force nomad/ads/prod wc`,
		Args: args(2, "cluster/[role]/[env] and the topology's name"),
	}, &flags, func(ctx context.Context, words []string) error {
		return a.unlock(ctx, &flags, opts, words[0], words[1])
	})
	cmd.Flags().BoolVar(&opts.Force, "force", false, "take the claim from a process that may be at work; the state store refuses what it writes from then on")
	return cmd
}

// unlockedDoc is what unlock prints as JSON.
type unlockedDoc struct {
	*lifecycle.Unlocked
	// Next finishes or removes what a dead operation left half done.
	Next string `json:"next,omitempty"`
}

func (a *app) unlock(ctx context.Context, flags *clusterFlags, opts lifecycle.UnlockOptions, where, name string) error {
	s, err := a.reach(ctx, flags, where, nil)
	if err != nil {
		return err
	}
	done, err := carryOut(ctx, s, nil, func(cl *cluster.Connection) (*lifecycle.Unlocked, error) {
		return lifecycle.Unlock(ctx, cl.Cluster, name, opts)
	}, func(t *apiclient.Topologies) (*lifecycle.Unlocked, error) {
		return t.Unlock(ctx, name, opts)
	})
	var busy *operation.BusyError
	switch {
	case errors.As(err, &busy), outcome.KindOf(err) == outcome.Busy:
		return fmt.Errorf("%w; if it will never go on, --force takes it away", err)
	case err != nil:
		return err
	}
	a.changed = len(done.Removed) > 0
	next := ""
	if done.Remedy != nil {
		next = a.next(*done.Remedy, done.Operation.Name)
	}
	if a.asJSON() {
		a.printJSON(unlockedDoc{done, next})
		return nil
	}
	a.printUnlocked(done, next)
	return nil
}

// next is the command that finishes or removes what an operation left: a
// command line for a shell as far as it is known.
func (a *app) next(r outcome.Remedy, operation string) string {
	line := a.command(outcome.Kill, r.Cluster, r.Role, r.Environ, r.Topology)
	if r.Action == outcome.Repeat {
		return fmt.Sprintf("repeat the %s with the same arguments, or: %s", operation, line)
	}
	return line
}

func (a *app) printUnlocked(done *lifecycle.Unlocked, next string) {
	if op := done.Operation; op != nil {
		how := "has died"
		if op.Alive {
			how = "has lost its claim"
		}
		fmt.Fprintf(a.stdout, "%s of user %s on %s (process %d) since %s %s, at its step %q\n",
			op.Name, op.User, op.Host, op.PID, op.Since.Format(time.RFC3339), how, op.Step)
	}
	for _, r := range done.Removed {
		fmt.Fprintf(a.stdout, "removed the %s\n", r)
	}
	for _, l := range done.Kept {
		fmt.Fprintf(a.stdout, "kept the %s, because %s\n", l.Resource, l.Why)
	}
	switch {
	case next != "":
		fmt.Fprintf(a.stdout, "to go on: %s\n", next)
	case len(done.Removed) == 0:
		fmt.Fprintf(a.stdout, "nothing holds topology %s; nothing was changed\n", done.Topology)
	}
}
