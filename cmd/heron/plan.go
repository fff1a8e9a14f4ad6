package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/submit"
)

func (a *app) planCommand() *cobra.Command {
	cmd := a.programCommand(&cobra.Command{
		Use:   "plan [flags] cluster/[role]/[env] topology-file topology-class [topology-args...]",
		Short: "Show what submitting a topology would do now",
		Long: `Run the program that defines a topology and show what submitting it would do:
what would be created, and whether it fits on the cluster now, or, where the
topology runs already, how it differs. Nothing is changed.

Exit code 0: it fits, and nothing differs. 3: it does not fit, or differs.`,
	}, a.plan)
	// They are refused with what to do instead.
	for _, name := range [...]string{"dry-run", "dry-run-format", "wait", "wait-timeout"} {
		cmd.Flags().Lookup(name).Hidden = true
	}
	return cmd
}

func (a *app) plan(ctx context.Context, flags *submitFlags, words split) error {
	if flags.dryRun || flags.wait || flags.dryRunFormat != "" {
		return usagef("plan changes nothing: --dry-run, --dry-run-format and --wait are for submit")
	}
	req, err := a.submitRequest(flags, words)
	if err != nil {
		return err
	}
	env, err := submit.Connect(ctx, req.Config.Settings, a.outside())
	if err != nil {
		return err
	}
	defer env.Close()
	if req.TopologyID == "" {
		req.Adopt = func(ctx context.Context, name string) (string, error) {
			return submit.RunningID(ctx, env.Env, req.Config.Settings.State.Root, name)
		}
	}
	prepared, err := submit.Prepare(ctx, req)
	if err != nil {
		return err
	}
	defer prepared.Close()
	plans := []*submit.Planned{}
	var differs error
	for _, d := range prepared.Deployments {
		p, err := submit.Plan(ctx, env.Env, d)
		if err != nil {
			return err
		}
		plans = append(plans, p)
		if !p.Fits() {
			differs = &toldError{submit.ErrDiffers}
		}
	}
	if a.asJSON() {
		a.printJSON(map[string]any{"planned": plans})
		return differs
	}
	for _, p := range plans {
		a.printPlan(p)
	}
	return differs
}

func (a *app) printPlan(p *submit.Planned) {
	place := fmt.Sprintf("topology %s at %s/%s/%s", p.Topology, p.Cluster, p.Role, p.Environ)
	switch {
	case !p.Exists:
		fmt.Fprintf(a.stdout, "%s does not exist; submit would create:\n", place)
		for _, line := range p.Creates {
			fmt.Fprintf(a.stdout, "  + %s\n", line)
		}
	case len(p.Changes) == 0:
		fmt.Fprintf(a.stdout, "%s runs as it would be submitted\n", place)
	default:
		fmt.Fprintf(a.stdout, "%s runs and differs:\n", place)
		for _, c := range p.Changes {
			fmt.Fprintf(a.stdout, "  ~ %s: %s: %s -> %s\n", c.Where, c.What, short(c.Old), short(c.New))
		}
	}
	if p.Warnings != "" {
		fmt.Fprintf(a.stdout, "Nomad warns: %s\n", p.Warnings)
	}
	if p.Unplaced == 0 {
		fmt.Fprintln(a.stdout, "it fits on the cluster now")
		return
	}
	fmt.Fprintf(a.stdout, "it does not fit now: %s\n", strings.Join(p.Reasons, "; "))
}

// short cuts what would not fit a line; the JSON form has all of it.
func short(text string) string {
	const most = 160
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return "(nothing)"
	}
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
