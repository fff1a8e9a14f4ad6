package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/topology"
)

// nodesDefault is how long --nodes waits where it is given no time.
const nodesDefault = time.Minute

// doctorFlags are those of doctor.
type doctorFlags struct {
	clusterFlags
	file  string
	nodes waitTime
}

func (a *app) doctorCommand() *cobra.Command {
	var flags doctorFlags
	cmd := a.clusterCommand(&cobra.Command{
		Use:   "doctor [flags] cluster/[role]/[env] [topology-name]",
		Short: "Find what is wrong with a cluster and its topologies",
		Long: `Check a cluster and find what does not fit together: servers that cannot be
reached, clocks, versions, what Nomad's token may do, the package store, and of
each topology, or of one, whether its state, job, containers and package belong
together. Each problem is reported with the command that repairs it. Nothing is
changed. The exit code is 0 without problems, 3 where something does not fit, 6
where a server cannot be reached.

With --nodes a short job runs on every node that takes containers and reports
what it has; the job is removed in any case.`,
		Example: `  heron doctor nomad
  heron doctor nomad/ads/prod wc
  heron doctor --nodes --output json nomad
  heron doctor --topology-file wc.jar nomad`,
		Args: rangeArgs(1, 2, "cluster/[role]/[env] and perhaps a topology's name"),
	}, &flags.clusterFlags, func(ctx context.Context, words []string) error { return a.doctor(ctx, &flags, words) })
	f := cmd.Flags()
	f.Var(&flags.nodes, "nodes", "run a short job on every node and report what the node has; wait for `DURATION` at most")
	f.Lookup("nodes").NoOptDefVal = nodesDefault.String()
	f.StringVar(&flags.file, "topology-file", "", "a topology file that is to be submitted: look for what runs it here")
	return cmd
}

// rangeArgs demands a number of positionals within bounds and says which.
func rangeArgs(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, words []string) error {
		if len(words) < least {
			return args(least, what)(cmd, words)
		}
		return maxArgs(most, what)(cmd, words)
	}
}

func (a *app) doctor(ctx context.Context, flags *doctorFlags, words []string) error {
	s, err := a.reach(ctx, &flags.clusterFlags, words[0], nil)
	if err != nil {
		return err
	}
	p, err := parsePlace(words[0], "any")
	if err != nil {
		return err
	}
	role, environ := s.roleAndEnviron()
	opts := doctor.Options{
		File: flags.file, OnNodes: flags.nodes > 0, NodeLimit: time.Duration(flags.nodes), Now: a.now, Progress: a.progress(),
		Program: topology.Program{File: flags.file, Variables: a.env},
	}
	if len(words) > 1 {
		opts.Topology = words[1]
	}
	if !p.noRole || opts.Topology != "" {
		opts.Role = role
	}
	if !p.noEnviron || opts.Topology != "" {
		opts.Environ = environ
	}
	report, err := s.examine(ctx, opts)
	if err != nil {
		return err
	}
	if a.asJSON() {
		a.printJSON(a.doctorDoc(report))
	} else {
		a.printReport(report)
	}
	if err := report.Err(); err != nil {
		return &shownError{err}
	}
	return nil
}

// roleAndEnviron are those of the place that a session is about.
func (s *session) roleAndEnviron() (role, environ string) {
	if s.service != nil {
		return s.service.Place().Role, s.service.Place().Environ
	}
	return s.config.Settings.Role, s.config.Settings.Environ
}

// examine makes the checks, those of an API server's cluster there.
func (s *session) examine(ctx context.Context, opts doctor.Options) (*doctor.Report, error) {
	if s.service != nil {
		checks, err := s.service.Doctor(ctx, apiclient.DoctorOptions{
			Topology: opts.Topology, Role: opts.Role, Environ: opts.Environ, Nodes: opts.NodeLimit,
		})
		if err != nil {
			return nil, err
		}
		return doctor.NewReport(append(checks, doctor.Programs(ctx, opts)...)), nil
	}
	cl, not, err := s.connectEach(ctx)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	opts.ForTopology, opts.Not, opts.StateServers = s.config.ForTopology, not, cl.StateServers
	return doctor.Examine(ctx, cl.Cluster, cl.Nomad, opts)
}

// connectEach opens what can be opened of the cluster's servers. What is tried
// again is not told: the report says what came of it.
func (s *session) connectEach(ctx context.Context) (*cluster.Connection, cluster.Unopened, error) {
	home, _ := s.app.userHome() // only SSH needs it, and says so where it is missing
	return cluster.ConnectEach(ctx, s.config.Settings, cluster.Options{Home: home, Getenv: s.app.getenv})
}

// checkDoc is a check as JSON.
type checkDoc struct {
	doctor.Check
	// Remedy is a command line, for a shell.
	Remedy string `json:"remedy,omitempty"`
}

// doctorDoc is what doctor prints as JSON.
type doctorDoc struct {
	Checks   []checkDoc `json:"checks"`
	Problems int        `json:"problems"`
	Warnings int        `json:"warnings"`
}

func (a *app) doctorDoc(r *doctor.Report) doctorDoc {
	doc := doctorDoc{Checks: []checkDoc{}, Problems: r.Problems, Warnings: r.Warnings}
	for _, c := range r.Checks {
		c.Text = worded(c.Err, c.Text)
		doc.Checks = append(doc.Checks, checkDoc{c, a.remedyLine(c.Remedy)})
	}
	return doc
}

// remedyLine is the command line of a remedy, "" for none.
func (a *app) remedyLine(r *outcome.Remedy) string {
	switch {
	case r == nil:
		return ""
	case r.Topology == "":
		return a.command(r.Action, r.Cluster, r.Role, r.Environ)
	}
	return a.command(r.Action, r.Cluster, r.Role, r.Environ, r.Topology)
}

// printReport prints a report for a person.
func (a *app) printReport(r *doctor.Report) {
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		what := strings.TrimSpace(c.Name + " " + c.About)
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Status, what, worded(c.Err, c.Text))
		if c.Advice != "" {
			fmt.Fprintf(table, "\t\t%s\n", c.Advice)
		}
		if line := a.remedyLine(c.Remedy); line != "" {
			fmt.Fprintf(table, "\t\tto repair: %s\n", line)
		}
	}
	table.Flush()
	fmt.Fprintf(a.stdout, "\n%s, %s\n", count(r.Problems, "problem"), count(r.Warnings, "warning"))
}
