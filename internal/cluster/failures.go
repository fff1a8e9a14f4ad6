package cluster

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
)

// ContainerFailure is a container whose program has ended without being asked
// to.
type ContainerFailure struct {
	Container int `json:"container"`
	// Ended is how, the last time, as "exit code 1".
	Ended string `json:"ended"`
	// Restarts counts restarts in place, Replacements the times that another
	// allocation took the place of one that had failed.
	Restarts     int `json:"restarts"`
	Replacements int `json:"replacements"`

	// of is the allocation that it was; lasts says that the failure does.
	of    nomad.Container
	lasts bool
}

// String implements fmt.Stringer.
func (f ContainerFailure) String() string {
	text := fmt.Sprintf("container %d failed: %s", f.Container, f.Ended)
	if f.Restarts > 0 {
		text += ", restarted " + nomad.Times(f.Restarts)
	}
	if f.Replacements > 0 {
		text += ", placed anew " + nomad.Times(f.Replacements)
	}
	return text
}

// failuresIn finds the containers of a job's present version that have failed,
// whether they run again or not. The list is sorted by container and age.
func failuresIn(list []nomad.Container) []ContainerFailure {
	all := []ContainerFailure{}
	for i := 0; i < len(list); {
		next := i + 1
		for next < len(list) && list[next].Index == list[i].Index {
			next++
		}
		if f, failed := failureOf(list[i:next]); failed {
			all = append(all, f)
		}
		i = next
	}
	return all
}

// failureOf is how a container failed that has had these allocations.
func failureOf(lives []nomad.Container) (f ContainerFailure, failed bool) {
	now := lives[len(lives)-1]
	if now.Desired != api.AllocDesiredStatusRun {
		return f, false
	}
	f.Container, f.lasts = now.Index, now.Failure != ""
	for i, x := range lives {
		if x.JobVersion != now.JobVersion {
			continue // what became of that is settled
		}
		f.Restarts += x.Restarts
		if i < len(lives)-1 && x.Status == api.AllocClientStatusFailed {
			f.Replacements++
		}
		if ended := endOf(x); ended != "" {
			f.Ended, f.of, failed = ended, x, true
		}
	}
	return f, failed
}

// endOf is how a container ended by itself, "" where it did not. One that never
// started a program has a failure alone.
func endOf(x nomad.Container) string {
	if x.Ended != "" {
		return x.Ended
	}
	return strings.TrimPrefix(x.Failure, "failed: ")
}

// Bounds of what is shown of the output of failed containers.
const (
	outputLines  = 20
	shownOutputs = 3
)

// lastLines are what containers that have failed wrote last, for a few of them.
func (c Cluster) lastLines(ctx context.Context, failures []ContainerFailure) (all []nomad.ContainerOutput) {
	for _, f := range failures[:min(len(failures), shownOutputs)] {
		if out := c.Jobs.LastLines(ctx, ref(f.of), outputLines); len(out.Lines) > 0 {
			all = append(all, out)
		}
	}
	return all
}

// says is the line of an output that matters most.
func says(o nomad.ContainerOutput) string {
	from := path.Base(o.From)
	if strings.HasPrefix(o.From, "standard ") {
		from = fmt.Sprintf("the %s of container %d", o.From, o.Index)
	}
	return fmt.Sprintf("%s says: %s", from, gravest(o.Lines))
}

// watchFailures follows the containers until stop is called, and sends the list
// in which one has failed for good. What cannot be read is asked for again: it is
// the plan that is waited for.
func (w *waiting) watchFailures(ctx context.Context) (failed <-chan []nomad.Container, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	found := make(chan []nomad.Container, 1)
	if w.r.JobID == "" {
		return found, cancel // one job per container
	}
	done := make(chan struct{})
	stop = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		var index uint64
		for ctx.Err() == nil {
			list, seen, err := w.Jobs.ContainersSince(ctx, w.r.JobID, index)
			if err == nil && len(hopeless(list)) > 0 {
				found <- list
				return
			}
			if index = seen; err == nil && seen > 0 {
				continue
			}
			timer := time.NewTimer(diagnosisPause)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
			timer.Stop()
		}
	}()
	return found, stop
}

// hopeless are the failures that last.
func hopeless(list []nomad.Container) (last []ContainerFailure) {
	for _, f := range failuresIn(list) {
		if f.lasts {
			last = append(last, f)
		}
	}
	return last
}

// failing is the end of a wait because of containers that have failed for good.
func (w *waiting) failing(ctx context.Context, list []nomad.Container) error {
	failures := hopeless(list)
	s := nomad.RunState{JobID: w.r.JobID, Want: w.r.Containers, Waited: time.Since(w.began)}
	for _, x := range list {
		if x.Desired == api.AllocDesiredStatusRun {
			s.Placed++
		}
		if x.Running() {
			s.Running++
		}
	}
	s.Output = w.lastLines(ctx, failures)
	for _, f := range failures {
		s.Reasons = append(s.Reasons, f.String())
	}
	for _, o := range s.Output {
		s.Reasons = append(s.Reasons, says(o))
	}
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ctx.Err()
	}
	return &nomad.FailingError{RunState: s}
}
