package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/outcome"
)

func (a *app) statusCommand() *cobra.Command {
	var (
		flags clusterFlags
		watch bool
	)
	cmd := a.clusterCommand(&cobra.Command{
		Use:   "status [flags] cluster/[role]/[env] topology-name",
		Short: "Show how a topology is",
		Long: `Show how a topology is: its health in one word and the reason, its TManager,
what is under way, and each container. The exit code is 0 when it is healthy or
paused, 3 when it is not, 4 when there is no such topology.`,
		Example: `  heron status nomad wc
  heron status --watch nomad/ads/prod wc
  heron status --output json nomad wc`,
		Args: args(2, "cluster/[role]/[env] and the topology's name"),
	}, &flags, func(ctx context.Context, words []string) error {
		return a.status(ctx, &flags, watch, words[0], words[1])
	})
	cmd.Flags().BoolVar(&watch, "watch", false, "show every change until the topology is gone")
	return cmd
}

func (a *app) status(ctx context.Context, flags *clusterFlags, watch bool, where, name string) error {
	s, err := a.reach(ctx, flags, where, nil)
	if err != nil {
		return err
	}
	if watch {
		return a.watchStatus(ctx, s, name)
	}
	status, err := carryOut(ctx, s, nil, func(cl *cluster.Connection) (*inspect.Status, error) {
		return inspect.Look(ctx, cl.Cluster, cl.Nomad, name, a.now)
	}, func(t *apiclient.Topologies) (*inspect.Status, error) {
		return t.Status(ctx, name)
	})
	if err != nil {
		return err
	}
	if a.asJSON() {
		a.printJSON(status)
	} else {
		a.printStatus(a.stdout, status)
	}
	if !status.Health.Good() {
		return &shownError{outcome.Errorf(outcome.Differs, "topology %s is %s", name, status.Health)}
	}
	return nil
}

// watchStatus shows every change: on a terminal in the same place, elsewhere as
// a line, with --output json as one document a line.
func (a *app) watchStatus(ctx context.Context, s *session, name string) error {
	draw := a.drawer()
	show := func(s *inspect.Status) error {
		switch {
		case a.asJSON():
			return json.NewEncoder(a.stdout).Encode(s)
		case draw != nil:
			var page bytes.Buffer
			a.printStatus(&page, s)
			return draw(page.String())
		}
		_, err := fmt.Fprintf(a.stdout, "%s %s: %s\n", a.now().Format(time.RFC3339), s.Health, s.Reason)
		return err
	}
	err := carryOutNothing(ctx, s, func(cl *cluster.Connection) error {
		return inspect.Watch(ctx, cl.Cluster, cl.Nomad, name, a.now, show)
	}, func(t *apiclient.Topologies) error {
		return t.Watch(ctx, name, show)
	})
	switch {
	case ctx.Err() != nil:
		return &shownError{outcome.Errorf(outcome.Interrupted, "%w", context.Cause(ctx))}
	case err == nil:
		a.say("topology %s is gone", name)
	}
	return err
}

// drawer draws a page over the one before; nil where standard output is no
// terminal.
func (a *app) drawer() func(page string) error {
	f, isFile := a.stdout.(interface{ Fd() uintptr })
	if !isFile || !term.IsTerminal(int(f.Fd())) || a.getenv("TERM") == "dumb" {
		return nil
	}
	return func(page string) error {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err == nil {
			page = fitted(page, columns, rows)
		}
		_, err = io.WriteString(a.stdout, "\x1b[H\x1b[2J"+page)
		return err
	}
}

// fitted cuts a page to the size of a terminal.
func fitted(page string, columns, rows int) string {
	lines := strings.Split(strings.TrimSuffix(page, "\n"), "\n")
	if rows > 2 && len(lines) > rows-1 {
		lines = append(lines[:rows-2:rows-2], fmt.Sprintf("(%d more lines)", len(lines)-rows+2))
	}
	for i, line := range lines {
		if runes := []rune(line); columns > 0 && len(runes) > columns {
			lines[i] = string(runes[:columns])
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// printStatus prints a status for a person.
func (a *app) printStatus(to io.Writer, s *inspect.Status) {
	// A table is written cell by cell.
	w := bufio.NewWriter(to)
	defer w.Flush()
	fmt.Fprintf(w, "%s is %s: %s\n\n", s.Topology, s.Health, s.Reason)
	head := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(head, "%s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	line("id", "%s", dash(s.ID))
	line("place", "%s/%s/%s", s.Cluster, s.Role, s.Environ)
	line("state", "%s", dash(s.State))
	if s.SubmittedBy != "" {
		line("submitted", "by %s, %s", s.SubmittedBy, since(a.now(), s.SubmittedAt))
	}
	if s.Operation != nil {
		line("operation", "%s", s.Operation)
	}
	switch {
	case s.Job == nil:
		line("job", "none")
	case s.Job.Originals > 0:
		line("job", "%s of the original client, one per container", count(s.Job.Originals, "job"))
	default:
		line("job", "%s, version %d", s.Job.ID, s.Job.Version)
	}
	if s.Package != nil {
		line("package", "%s, sha256 %s", s.Package.URI, cmp.Or(s.Package.SHA256, "not known"))
	}
	line("TManager", "%s", tmanagerText(s.TManager))
	line("plan", "%d of %s registered", s.Plan.Registered, count(s.Plan.Packed, "stream manager"))
	if s.Diagnosis != nil {
		line("its logs", "%s", dash(s.Diagnosis.Findings()))
	}
	line("containers", "%d of %d run", s.Running, s.Wanted)
	indexes := "exactly those of the plan"
	if !s.Indexes.Exact() {
		indexes = s.Indexes.String()
	}
	line("indexes", "%s", indexes)
	head.Flush()

	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CONTAINER\tNODE\tALLOCATION\tSTATE\tRESTARTS\tLAST EVENT\tPORTS")
	now := a.now()
	for i := range s.Containers {
		c := &s.Containers[i]
		id, _, _ := strings.Cut(c.Allocation, "-")
		event := c.LastEvent
		if !c.EventAt.IsZero() {
			event += " (" + since(now, c.EventAt) + ")"
		}
		restarts := fmt.Sprint(c.Restarts)
		if c.Replaced > 0 {
			restarts += fmt.Sprintf(" (+%d replaced)", c.Replaced)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Index, dash(c.Node), dash(id), c.State, restarts, dash(event), dash(portsText(c.Ports)))
	}
	table.Flush()
}

func tmanagerText(t inspect.TManager) string {
	at := fmt.Sprintf("%s, controller port %d", t.Host, t.ControllerPort)
	switch t.Answer {
	case inspect.AnswerAbsent:
		return "not registered"
	case inspect.AnswerComplete:
		return at + ", answers with a complete physical plan"
	case inspect.AnswerIncomplete:
		return at + ", answers that its physical plan is not complete"
	case inspect.AnswerUnreachable:
		return at + ", does not answer"
	}
	return at
}

func portsText(ports map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		parts = append(parts, fmt.Sprintf("%s:%d", name, ports[name]))
	}
	return strings.Join(parts, " ")
}

// since is how long ago something was, for a person.
func since(now, at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	if d := now.Sub(at); d < 2*time.Minute {
		return fmt.Sprintf("%ds ago", max(int(d.Seconds()), 0))
	}
	return age(now.Sub(at)) + " ago"
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
