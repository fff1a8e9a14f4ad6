package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/logs"
	"github.com/heron-nomad/heron/internal/outcome"
)

// logFlags are the flags of logs.
type logFlags struct {
	clusterFlags
	follow, stdout, stderr bool
	tail                   int
	since, component, file string
}

func (a *app) logsCommand() *cobra.Command {
	var flags logFlags
	cmd := a.clusterCommand(&cobra.Command{
		Use:   "logs [flags] cluster/[role]/[env] topology-name [container]",
		Short: "Show what a topology's containers log",
		Long: `Show the logs of a topology's containers: those of the engine's processes and
of the instances, of all containers or of one, oldest lines first. Where there
is more than one log, each line begins with the container and the instance or
process: "[2 word_3] ...".

With --follow it goes on with what is written, through rotation, restarts and
moves to other nodes, and ends when the topology does, with exit code 0. Ctrl-C
ends it with 130.

With --output json each line is a JSON document of its own.`,
		Example: `  heron logs nomad wc
  heron logs --follow --tail 50 nomad wc 2
  heron logs --component count --since 10m nomad/ads/prod wc
  heron logs --stderr nomad wc 0
  heron logs --file heron-shell-1.log nomad wc 1`,
		Args: logArgs,
	}, &flags.clusterFlags, func(ctx context.Context, words []string) error {
		return a.logs(ctx, &flags, words)
	})
	f := cmd.Flags()
	f.BoolVarP(&flags.follow, "follow", "f", false, "go on with what is written until the topology ends")
	f.IntVar(&flags.tail, "tail", logs.Everything, "begin with the last N lines of each log (-1: with the first)")
	f.StringVar(&flags.since, "since", "", "leave out lines from before a time: a duration ago, such as 10m, or RFC 3339")
	f.BoolVar(&flags.stdout, "stdout", false, "show what the containers' tasks write to standard output instead")
	f.BoolVar(&flags.stderr, "stderr", false, "show what the containers' tasks write to standard error instead")
	f.StringVar(&flags.component, "component", "", "show the logs of one component's instances")
	f.StringVar(&flags.file, "file", "", "show a file by its name in the log folder or its path below the container's working directory")
	return cmd
}

func logArgs(cmd *cobra.Command, words []string) error {
	if len(words) == 3 {
		return nil
	}
	return args(2, "cluster/[role]/[env], the topology's name and maybe a container's index")(cmd, words)
}

func (a *app) logs(ctx context.Context, flags *logFlags, words []string) error {
	options, err := a.logOptions(flags, words[2:])
	if err != nil {
		return err
	}
	s, err := a.reach(ctx, &flags.clusterFlags, words[0], nil)
	if err != nil {
		return err
	}
	sink := a.logSink()
	err = carryOutNothing(ctx, s, func(cl *cluster.Connection) error {
		return logs.Show(ctx, logs.Servers{Cluster: cl.Cluster, Nomad: cl.Nomad, Shell: cl.Shell}, words[1], options, sink)
	}, func(t *apiclient.Topologies) error {
		return t.Logs(ctx, words[1], options, sink)
	})
	if ctx.Err() != nil && flags.follow {
		return &shownError{outcome.Errorf(outcome.Interrupted, "%w", context.Cause(ctx))}
	}
	return err
}

// logOptions reads what the flags and the container's index say.
func (a *app) logOptions(flags *logFlags, index []string) (logs.Options, error) {
	o := logs.Options{Follow: flags.follow, Tail: flags.tail, Component: flags.component, File: flags.file, Now: a.now}
	if len(index) > 0 {
		n, err := strconv.Atoi(index[0])
		if err != nil {
			return o, usagef("container %q: give its index, a number; 0 is the TManager's", index[0])
		}
		o.Container = &n
	}
	switch {
	case flags.stdout && flags.stderr:
		return o, usagef("--stdout and --stderr: give one of them")
	case flags.stdout:
		o.Stream = "stdout"
	case flags.stderr:
		o.Stream = "stderr"
	}
	if flags.since == "" {
		return o, nil
	}
	if d, err := time.ParseDuration(flags.since); err == nil && d >= 0 {
		o.Since = a.now().Add(-d)
		return o, nil
	}
	at, err := time.Parse(time.RFC3339, flags.since)
	if err != nil {
		return o, usagef("--since %q: give a duration, such as 90s or 2h, or a time, such as 2026-01-31T08:00:00Z", flags.since)
	}
	o.Since = at
	return o, nil
}

// logPrinter prints lines of logs.
type logPrinter struct {
	out   *bufio.Writer
	json  *json.Encoder // nil for text
	plain bool          // without a prefix
}

func (a *app) logSink() *logPrinter {
	p := &logPrinter{out: bufio.NewWriterSize(a.stdout, 32<<10)}
	if a.asJSON() {
		p.json = json.NewEncoder(p.out)
		p.json.SetEscapeHTML(false)
	}
	return p
}

// Begin implements logs.Sink.
func (p *logPrinter) Begin(one bool) { p.plain = one }

// Lines implements logs.Sink.
func (p *logPrinter) Lines(lines []logs.Line) error {
	for i := range lines {
		l := &lines[i]
		switch {
		case p.json != nil:
			if err := p.json.Encode(l); err != nil {
				return err
			}
			continue
		case !p.plain:
			fmt.Fprintf(p.out, "[%d %s] ", l.Container, l.Label)
		}
		p.out.WriteString(l.Line)
		p.out.WriteByte('\n')
	}
	return p.out.Flush()
}
