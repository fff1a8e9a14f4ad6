package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Each kind of failure has its exit code, and no two of them share one that
// docs/commands.md does not give to both.
func TestExitCodes(t *testing.T) {
	for kind, want := range map[outcome.Kind]int{
		outcome.Failed: 1, outcome.Denied: 1, outcome.Usage: 2, outcome.Differs: 3, outcome.NotFound: 4, outcome.Exists: 5, outcome.Busy: 5,
		outcome.Unreachable: 6, outcome.Undone: 7, outcome.LeftBehind: 8, outcome.WaitExpired: 9, outcome.Interrupted: 130,
	} {
		if got := exitCode(fmt.Errorf("outer: %w", outcome.New(kind, "x"))); got != want {
			t.Errorf("%s: code %d, want %d", kind, got, want)
		}
	}
	if exitCode(nil) != 0 || exitCode(errors.New("x")) != 1 || exitCode(fmt.Errorf("x: %w", context.Canceled)) != 130 || exitCode(context.DeadlineExceeded) != 6 {
		t.Error("errors without a kind have other codes")
	}
}

func TestFailuresAreWordedForThisCommandLine(t *testing.T) {
	a := &app{again: "--config-path='/x y'", line: []string{
		"restart", "--config-property", "heron.nomad.token=secret", "--config-property=a.b=c d", "nomad/ann/prod", "wc",
	}}
	remedy := outcome.Remedy{Action: outcome.Kill, Topology: "wc", Cluster: "nomad", Role: "ann", Environ: "prod"}
	job := outcome.Resource{Kind: outcome.Job, ID: "heron.nomad.wc", Where: "http://h:4646"}
	failed := &operation.Failure{
		Action: operation.Remove, Of: job, Err: errors.New("no answer"),
		Removed: []outcome.Resource{{Kind: outcome.State, ID: "wc", Where: "/heron"}},
		Left:    []outcome.Leftover{{Resource: job, Why: "no answer"}}, Remedy: &remedy,
	}
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"something left": {failed, []string{
			"remove the job heron.nomad.wc at http://h:4646: no answer", "removed before: state of topology wc below /heron",
			"still there: job heron.nomad.wc at http://h:4646 (no answer)", "to clean up: heron kill --config-path='/x y' nomad/ann/prod wc",
		}},
		"half done": {&operation.Failure{
			Action: operation.Restart, Of: outcome.Resource{Kind: outcome.Container, ID: "1-3, 7", Where: "wc"}, Err: errors.New("no answer"),
			Done:   []outcome.Resource{{Kind: outcome.Container, ID: "0", Where: "wc"}},
			Remedy: &outcome.Remedy{Action: outcome.Repeat},
		}, []string{
			"restart the containers 1-3, 7 of topology wc: no answer; done before: container 0 of topology wc; to continue: heron restart '--config-property=a.b=c d' nomad/ann/prod wc",
		}},
		"undone":              {&operation.Failure{Action: operation.Write, Of: job, Err: errors.New("full")}, []string{"nothing is left"}},
		"interrupted":         {fmt.Errorf("read: %w", context.Canceled), []string{"interrupted, and nothing was changed"}},
		"a remedy":            {outcome.WithRemedy(errors.New("in the way"), remedy), []string{"in the way; to clean up: heron kill"}},
		"another namespace":   {&cluster.PlaceError{What: "it runs", Setting: "namespace", There: "ads", Here: "default"}, []string{"--nomad-namespace ads"}},
		"no token was given":  {&nomad.DeniedError{Refusal: &nomad.RejectedError{}, Capability: "read-job"}, []string{"NOMAD_TOKEN", "--nomad-token-file"}},
		"only left by a hand": {&operation.Failure{Err: errors.New("x"), Left: []outcome.Leftover{{Resource: job, ByHand: true}}}, []string{"remove it there by hand"}},
	} {
		text := a.explain(c.err)
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q does not say %q", name, text, want)
			}
		}
	}
	doc := a.failureDoc(failed).Error
	if doc.Code != 8 || doc.Kind != outcome.LeftBehind || doc.Repair != "heron kill --config-path='/x y' nomad/ann/prod wc" || len(doc.Removed) != 1 || len(doc.Left) != 1 {
		t.Errorf("in JSON: %+v", doc)
	}
}

func TestMisspeltFlagsAreSuggested(t *testing.T) {
	for line, want := range map[string]string{
		"submit --dryrun nomad t.jar Main": "did you mean --dry-run?",
		"kill --ignore_missing nomad wc":   "did you mean --ignore-missing?",
		"gc --oldr-than 5d nomad":          "did you mean --older-than?",
	} {
		if code, _, errs := lines(t, strings.Fields(line)...); code != exitInput || !strings.Contains(errs, want) {
			t.Errorf("%s: code %d, %q", line, code, errs)
		}
	}
	if _, _, errs := lines(t, "kill", "--zzz", "nomad", "wc"); strings.Contains(errs, "did you mean") {
		t.Errorf("suggested something for nonsense: %q", errs)
	}
}
