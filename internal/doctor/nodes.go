package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// onNodes runs a job on every node that takes containers, which prints what the
// node has of what they need.
func (e *examination) onNodes(ctx context.Context) {
	if !e.hasNomad() {
		return
	}
	job := jobspec.NodeCheck(e.cl.Settings, strings.ToLower(rand.Text()[:10]))
	e.opts.Progress.Send(progress.Event{
		State: progress.Began, Step: "run on every node", What: e.cl.JobResource(*job.ID),
	})
	runs, err := e.nomad.RunEverywhere(ctx, job, jobspec.NodeCheckTask, e.opts.NodeLimit)
	advice := ""
	if outcome.KindOf(err) == outcome.LeftBehind {
		advice = "remove it with: nomad job stop -purge " + *job.ID
	}
	switch {
	case err != nil && ctx.Err() == nil:
		e.add(failed(Node, "", fmt.Errorf("run a job on every node: %w", err), advice))
	case advice != "":
		e.left = fmt.Errorf("run a job on every node: %w; %s", err, advice)
	}
	if err == nil && len(runs) == 0 {
		e.add(problem(Node, "", "see the check of the nodes, and heron.nomad.constraints", "no node ran the job, so none takes containers"))
	}
	for _, run := range runs {
		e.add(judgeNode(run)...)
	}
}

// judgeNode is about what one node printed.
func judgeNode(run nomad.NodeRun) []Check {
	if run.Err != nil {
		text := fmt.Errorf("the job that asks it did not run: %w", run.Err)
		if errors.Is(run.Err, nomad.ErrDenied) {
			text = fmt.Errorf("what it has cannot be read: %w", run.Err)
		}
		return []Check{failed(Node, run.Node, text, "")}
	}
	var list []Check
	var has []string
	for line := range strings.Lines(run.Output) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), "\t")
		status, text, whole := strings.Cut(rest, "\t")
		switch {
		case !whole:
		case status == "ok":
			has = append(has, name+": "+text)
		default:
			list = append(list, problem(Node, run.Node, "", "%s: %s", name, text))
		}
	}
	switch {
	case len(has) > 0:
		list = append(list, ok(Node, run.Node, "%s", strings.Join(has, "; ")))
	case len(list) == 0:
		list = append(list, warning(Node, run.Node, "give it more time with --nodes=DURATION, or see what holds it up there", "it has not reported in time; the job is %s there", run.Status))
	}
	return list
}

// leftJobs warns of jobs that a killed run has left.
func (e *examination) leftJobs(ctx context.Context) {
	if e.opts.OnNodes || !e.hasNomad() {
		return // its own job is among them, or Nomad does not answer
	}
	stubs, err := e.nomad.Jobs(ctx, jobspec.NodeCheckPrefix+e.cl.Settings.Cluster+".")
	if err != nil {
		return // told already
	}
	for _, stub := range stubs {
		e.add(warning(Nodes, stub.ID, "if nobody runs heron doctor --nodes, remove it with: nomad job stop -purge "+stub.ID, "the job %s is there, of a check of the nodes", stub.ID))
	}
}
