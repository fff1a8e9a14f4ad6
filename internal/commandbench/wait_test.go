package commandbench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

const (
	// waitSize is how many containers the topology has that is waited for,
	// besides that of the TManager.
	waitSize = 4
	// lineLimit is how long after an event its line may come.
	lineLimit = 100 * time.Millisecond
	// waitLimit bounds one round.
	waitLimit = 3 * time.Minute
)

// waits measures how long after Nomad's event that the last container runs
// submit --wait prints the line that says so. The bare program follows the
// stream of events and prints a line of its own.
func waits(b *testing.B, p programs) row {
	b.Helper()
	c := newClusterOf(b, p, waitSize, "")
	// The containers are not of the size of the machine.
	c.flags = append(c.flags, "--config-property", "heron.resources.instance.ram=134217728")
	c.order.JobID, c.order.Containers = "heron.nomad."+c.topology, waitSize+1
	file := filepath.Join(c.dir, "order.json")
	text, err := json.Marshal(c.order)
	if err != nil {
		b.Fatal(err)
	}
	write(b, file, text)
	var ours, least []took
	for range rounds {
		mine, bare := c.waitRound(b, file)
		ours, least = append(ours, took{wall: mine}), append(least, took{wall: bare})
	}
	r := row{command: "line of --wait", ours: median(ours), least: median(least)}
	if r.ours.wall > lineLimit {
		b.Errorf("the line of --wait comes %s after the event, want %s at most", r.ours.wall, lineLimit)
	}
	r.least.wall = max(r.least.wall, time.Microsecond) // for the ratio
	return r
}

// waitRound submits, waits and kills, and returns how late the lines were.
func (c *cluster) waitRound(b *testing.B, order string) (ours, bare time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), waitLimit)
	defer cancel()
	event := make(chan time.Time, 1)
	go func() { event <- c.allRun(ctx) }()
	says := fmt.Sprintf("%d of %d containers", waitSize+1, waitSize+1)
	bareLine := c.lineOf(ctx, b, says, c.p.bare, "wait", order)
	line := c.submitLine()
	ourLine := c.lineOf(ctx, b, says, append([]string{c.p.heron, line[0], "--wait"}, line[1:]...)...)
	at, mine, other := <-event, <-ourLine, <-bareLine
	if at.IsZero() || mine.IsZero() || other.IsZero() {
		b.Fatalf("the containers run since %v; the lines came at %v and %v", at, mine, other)
	}
	c.must(b, c.killLine()...)
	// Whoever saw it first shows when Nomad said it.
	for _, t := range []time.Time{mine, other} {
		if t.Before(at) {
			at = t
		}
	}
	return mine.Sub(at), other.Sub(at)
}

// allRun returns when Nomad's stream says that all containers run, the zero
// time where it ends before.
func (c *cluster) allRun(ctx context.Context) time.Time {
	job := "heron.nomad." + c.topology
	_, now, err := c.jobs.Allocations().List(nil)
	if err != nil {
		return time.Time{}
	}
	for ctx.Err() == nil {
		stream, err := c.jobs.EventStream().Stream(ctx, map[api.Topic][]string{api.TopicAllocation: {job}}, now.LastIndex+1, nil)
		if err != nil {
			continue
		}
		running := map[string]bool{}
		for events := range stream {
			for _, e := range events.Events {
				if a, err := e.Allocation(); err == nil && a != nil && a.DesiredStatus == api.AllocDesiredStatusRun {
					running[a.ID] = a.ClientStatus == api.AllocClientStatusRunning
				}
			}
			n := 0
			for _, runs := range running {
				if runs {
					n++
				}
			}
			if n == waitSize+1 {
				return time.Now()
			}
		}
	}
	return time.Time{}
}

// lineOf starts a program and sends when it prints a line with a text, the zero
// time where it ends before. What it prints afterwards is dropped.
func (c *cluster) lineOf(ctx context.Context, b *testing.B, text string, argv ...string) <-chan time.Time {
	b.Helper()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = c.env
	out, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	seen := make(chan time.Time, 1)
	go func() {
		var at time.Time
		var all []string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if at.IsZero() && strings.Contains(lines.Text(), text) {
				at = time.Now()
			}
			all = append(all, lines.Text())
		}
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			b.Logf("%v: %v\n%s", argv[:2], err, strings.Join(all, "\n"))
		}
		seen <- at
	}()
	return seen
}

// BenchmarkWaits prints the row of --wait alone.
func BenchmarkWaits(b *testing.B) {
	p := build(b)
	for b.Loop() {
		r := waits(b, p)
		b.StopTimer()
		print([]row{r})
		b.StartTimer()
	}
	b.ReportMetric(0, "ns/op")
}
