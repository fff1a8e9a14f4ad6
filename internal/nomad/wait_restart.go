package nomad

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Restart is a container that did not go on running.
type Restart struct {
	// Index is the container's.
	Index int
	// How it went, in words.
	How string
	// Was is the allocation whose program ended.
	Was AllocationRef
}

// String implements fmt.Stringer.
func (r Restart) String() string { return fmt.Sprintf("container %d %s", r.Index, r.How) }

// WaitRestart watches the containers of a job for a time and returns at once
// when one of them is restarted in place, is replaced, or does not run; none
// where all ran on for that time.
func (c *Client) WaitRestart(ctx context.Context, jobID string, quiet time.Duration) ([]Restart, error) {
	bounded, over, cancel := within(ctx, quiet)
	defer cancel()
	f := c.newFeed(jobID, 0, 0)
	failed, stop := f.start(bounded)
	defer stop()
	var before map[int]*api.AllocationListStub
	for {
		select {
		case err := <-failed:
			switch {
			case over():
				return nil, nil
			case err == nil:
				err = fmt.Errorf("watch job %q: %w", jobID, context.Cause(bounded))
			}
			return nil, err
		case <-f.woken:
			v := f.view()
			if !v.allocsListed {
				continue
			}
			now := wantedOf(v.allocs)
			if before == nil {
				before = now
			}
			if restarts := restartsBetween(before, now); len(restarts) > 0 {
				return restarts, nil
			}
		}
	}
}

// wantedOf are the allocations that Nomad wants to run, by container index; the
// youngest of each.
func wantedOf(allocs []*api.AllocationListStub) map[int]*api.AllocationListStub {
	wanted := map[int]*api.AllocationListStub{}
	for _, a := range allocs { // by age
		if index, ok := ContainerIndex(a.Name); ok && a.DesiredStatus == api.AllocDesiredStatusRun {
			wanted[index] = a
		}
	}
	return wanted
}

func restartsBetween(before, now map[int]*api.AllocationListStub) (all []Restart) {
	for _, index := range slices.Sorted(maps.Keys(before)) {
		was, is := before[index], now[index]
		switch {
		case is == nil:
			all = append(all, Restart{index, "was stopped", ref(was)})
		case is.ID != was.ID:
			all = append(all, Restart{index, "was replaced: it " + endOf(was), ref(was)})
		case restartsOf(is) > restartsOf(was):
			how := "was restarted: it " + endOf(is)
			if n := startsOf(is, nil); n.restarts > 1 {
				how += ", " + n.words(false)
			}
			all = append(all, Restart{index, how, ref(is)})
		case is.ClientStatus != api.AllocClientStatusRunning:
			all = append(all, Restart{index, "does not run: it " + endOf(is), ref(is)})
		}
	}
	return all
}

func restartsOf(a *api.AllocationListStub) (n uint64) {
	for _, state := range a.TaskStates {
		n += state.Restarts
	}
	return n
}

// endOf says how a container's program ended last, as far as that is known.
func endOf(a *api.AllocationListStub) string {
	for _, state := range a.TaskStates {
		if slices.ContainsFunc(state.Events, func(e *api.TaskEvent) bool { return e.Type == api.TaskTerminated }) {
			return failureText(state)
		}
	}
	return "is " + a.ClientStatus
}
