package cluster

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// PlanPoll is how often the physical plan is looked for. A store has no
// watches of its own, and a plan comes seconds after its containers.
const PlanPoll = 300 * time.Millisecond

// Running says which topology to wait for.
type Running struct {
	Name, ID string
	// JobID and Containers are of its Nomad job.
	JobID      string
	Containers int
	// Limit is the longest wait.
	Limit time.Duration
	// StableFor is how long no container may have been restarted, and the
	// physical plan must have been complete; 0 for no such time. A restart makes
	// the wait go on, until its limit.
	StableFor time.Duration
	// TManagerAfter, unless nil, lets only another registration of the TManager
	// count than the marked one; PlanAfter only another physical plan.
	// RewrittenAfter lets only a physical plan count that was written after that,
	// be it in the same node: a TManager writes it when a stream manager is back.
	TManagerAfter, PlanAfter, RewrittenAfter *Mark
}

// AwaitRunning returns when all containers run and the TManager has a complete
// physical plan of them, and with StableFor when that has lasted. It ends with
// an error when the limit is over, and before that where waiting does not help.
func (c Cluster) AwaitRunning(ctx context.Context, r Running) error {
	w := &waiting{Cluster: c, r: r, began: time.Now(), until: time.Now().Add(r.Limit)}
	bounded, cancel := context.WithDeadline(ctx, w.until)
	defer cancel()
	for {
		// It has its own time, and says at the end of it what it has seen.
		if err := w.containers(ctx); err != nil {
			return w.after(ctx, err)
		}
		c.Progress.Begin("wait for", w.planResource())
		if err := w.awaitPlan(bounded); err != nil {
			return w.after(ctx, err)
		}
		if stable, err := w.stable(bounded); stable || err != nil {
			return w.after(ctx, err)
		}
	}
}

// waiting is one wait for a topology to run.
type waiting struct {
	Cluster
	r            Running
	began, until time.Time
	// unstable is why the topology was not stable, nil for nothing.
	unstable *UnstableError
}

func (w *waiting) planResource() outcome.Resource {
	return outcome.Resource{Kind: outcome.PhysicalPlan, ID: w.r.Name}
}

func (w *waiting) containerResource() outcome.Resource {
	return outcome.Resource{Kind: outcome.Containers, ID: w.r.JobID}
}

// containers waits until all containers run.
func (w *waiting) containers(ctx context.Context) error {
	said := ""
	defer w.Progress.Send(progress.Event{State: progress.Ended, Step: "start", What: w.containerResource(), Unit: "containers"})
	err := w.Jobs.WaitRunning(ctx, w.r.JobID, w.r.Containers, time.Until(w.until), func(p nomad.RunProgress) {
		w.Progress.Send(progress.Event{
			State: progress.Advanced, Step: "start", What: w.containerResource(),
			Done: int64(p.Running), Total: int64(p.Want), Unit: "containers",
		})
		if now := strings.Join(p.Waiting, "; "); now != said {
			said = now
			if now != "" {
				w.note("still waiting: " + now)
			}
		}
	})
	var late *nomad.NotRunningError
	if errors.As(err, &late) {
		late.Limit = w.r.Limit // of which this wait may have had only the rest
	}
	return err
}

// note says something about the containers.
func (w *waiting) note(text string) {
	w.Progress.Send(progress.Event{State: progress.Noted, Step: "wait for", What: w.containerResource(), Note: text})
}

// How long a physical plan may take until the topology is looked into, and how
// often that is done again.
const (
	planPatience   = 5 * time.Second
	diagnosisPause = 10 * time.Second
)

// awaitPlan returns when the TManager works by a fresh physical plan. When that
// takes long, it reports what the logs say about it. A container that fails for
// good meanwhile ends the wait.
func (w *waiting) awaitPlan(ctx context.Context) error {
	failed, stop := w.watchFailures(ctx)
	defer stop()
	tick := time.NewTicker(PlanPoll)
	defer tick.Stop()
	next := time.Now().Add(planPatience)
	late := &LateError{Err: &notYet{"its TManager has not made a physical plan"}}
	for {
		err := w.planFresh(ctx)
		var passing *notYet
		switch {
		case err == nil:
			return nil
		case errors.As(err, &passing):
			late.Err = err
		case ctx.Err() == nil:
			return err
		}
		if ctx.Err() == nil && time.Now().After(next) {
			w.lookInto(ctx, late)
			next = time.Now().Add(diagnosisPause)
		}
		select {
		case <-ctx.Done():
			return late
		case list := <-failed:
			return w.failing(ctx, list)
		case <-tick.C:
		}
	}
}

// lookInto finds out what keeps the physical plan, and says it if that is new.
func (w *waiting) lookInto(ctx context.Context, late *LateError) {
	d := w.Diagnose(ctx, w.r)
	if ctx.Err() != nil {
		return
	}
	said := ""
	if late.Diagnosis != nil {
		said = late.Diagnosis.String()
	}
	late.Diagnosis = &d
	if text := d.String(); text != "" && text != said {
		w.Progress.Send(progress.Event{State: progress.Noted, Step: "wait for", What: w.planResource(), Note: late.Error()})
	}
}

// LateError says that a topology had no fresh physical plan when the time was
// over.
type LateError struct {
	// Err is what is missing.
	Err error
	// Diagnosis is what was found out about it; nil where nothing was looked into.
	Diagnosis *Diagnosis
}

// Error implements error.
func (e *LateError) Error() string {
	text := e.Err.Error()
	if e.Diagnosis != nil {
		if why := e.Diagnosis.after(text); why != "" {
			text += "; " + why
		}
	}
	return text
}

// Unwrap is what is missing.
func (e *LateError) Unwrap() error { return e.Err }

// LastOutput is what programs wrote last that keep the topology from running.
func (e *LateError) LastOutput() []nomad.ContainerOutput {
	if e.Diagnosis == nil {
		return nil
	}
	return e.Diagnosis.Output
}
