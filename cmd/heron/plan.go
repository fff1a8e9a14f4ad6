package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/submit"
)

func (a *app) planCommand() *cobra.Command {
	cmd := a.programCommand(&cobra.Command{
		Use:   "plan [flags] cluster/[role]/[env] topology-file topology-class [topology-args...]",
		Short: "Show what submitting a topology would do now",
		Long: `Run the program that defines a topology and show what submitting it would do:
what would be created and whether it fits on the cluster now, or, where the
topology exists already, how it differs. Nothing is changed.

Exit code 0: it fits, and nothing differs. 3: it does not fit, or differs.`,
		Example: `  heron plan nomad topology.jar com.acme.WordCount wc
  heron plan --output json nomad/ads/prod topology.pex - wc`,
	}, a.plan)
	// These are refused with what to do instead.
	for _, name := range [...]string{"dry-run", "dry-run-format", "wait", "stable-for", "rollback", "replace", "state"} {
		cmd.Flags().Lookup(name).Hidden = true
	}
	return cmd
}

// plannedDoc is what plan prints as JSON.
type plannedDoc struct {
	Planned []*submit.Preview `json:"planned"`
}

func (a *app) plan(ctx context.Context, flags *submitFlags, words split) error {
	if flags.replace || flags.state != "" {
		return usagef("plan compares with what runs; --replace and --state are for submit")
	}
	if flags.dryRun || flags.asked() || flags.dryRunFormat != "" {
		return usagef("plan changes nothing: --dry-run, --dry-run-format and --wait are for submit")
	}
	s, req, err := a.submitRequest(ctx, flags, words, "plan")
	if err != nil {
		return err
	}
	preview := a.previewDirect
	if s.service != nil {
		preview = a.previewThrough
	}
	previews, err := preview(ctx, s, flags, req)
	if err != nil {
		return err
	}
	if a.asJSON() {
		a.printJSON(plannedDoc{previews})
	}
	var differs error
	for _, p := range previews {
		if !a.asJSON() {
			a.printPlan(p)
		}
		if !p.Fits() {
			differs = &shownError{outcome.New(outcome.Differs, "it does not fit, or differs from what exists")}
		}
	}
	return differs
}

// previewDirect asks the servers themselves.
func (a *app) previewDirect(ctx context.Context, s *session, _ *submitFlags, req submit.Request) ([]*submit.Preview, error) {
	prepared, err := submit.Prepare(ctx, req)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	cl, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return prepared.Preview(ctx, cl.Cluster)
}

func (a *app) printPlan(p *submit.Preview) {
	place := fmt.Sprintf("topology %s at %s/%s/%s", p.Topology, p.Cluster, p.Role, p.Environ)
	switch {
	case !p.Exists:
		fmt.Fprintf(a.stdout, "%s does not exist; submit would create:\n", place)
		for _, c := range p.Creates {
			fmt.Fprintf(a.stdout, "  + %s\n", created(c))
		}
	case len(p.Changes) == 0:
		fmt.Fprintf(a.stdout, "%s runs as it would be submitted\n", place)
	default:
		fmt.Fprintf(a.stdout, "%s runs and differs:\n", place)
		for _, c := range p.Changes {
			fmt.Fprintf(a.stdout, "  ~ %s: %s: %s -> %s\n", c.Where, c.What, short(c.Old), short(c.New))
		}
	}
	if p.OriginalJobs > 0 {
		fmt.Fprintf(a.stdout, "the original client submitted it: its %s would become one\n", count(p.OriginalJobs, "job"))
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

// created words what a submission would make.
func created(c submit.Created) string {
	switch {
	case c.Bytes > 0:
		return fmt.Sprintf("package %s, %s", c.ID, count(int(c.Bytes), "byte"))
	case c.Containers > 0:
		return fmt.Sprintf("job %s: %s, each %d MHz and %d MB", c.ID, count(c.Containers, "container"), c.MHz, c.MB)
	}
	return c.String()
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
