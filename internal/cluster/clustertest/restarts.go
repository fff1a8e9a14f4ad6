package clustertest

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
)

// longestBlock is how long a query waits for news.
const longestBlock = 20 * time.Millisecond

// changed ends the waits for news.
func (f *Jobs) changed() {
	f.index++
	if f.news != nil {
		close(f.news)
	}
	f.news = make(chan struct{})
}

// Change changes the containers of a job that Nomad wants, as if that had
// happened on their nodes.
func (f *Jobs) Change(jobID string, change func(*nomad.Container)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range f.Allocations[jobID] {
		if c.Desired == api.AllocDesiredStatusRun {
			change(&f.Allocations[jobID][i])
		}
	}
	f.changed()
}

// Wanted are the containers of a job that Nomad wants, by index.
func (f *Jobs) Wanted(jobID string) map[int]nomad.Container {
	f.mu.Lock()
	defer f.mu.Unlock()
	wanted := map[int]nomad.Container{}
	for _, c := range f.Allocations[jobID] {
		if c.Desired == api.AllocDesiredStatusRun {
			wanted[c.Index] = c
		}
	}
	return wanted
}

// ContainersSince implements cluster.Jobs.
func (f *Jobs) ContainersSince(ctx context.Context, jobID string, index uint64) (list []nomad.Container, seen uint64, err error) {
	f.mu.Lock()
	if f.news == nil {
		f.changed()
	}
	news, fresh := f.news, index < f.index
	f.mu.Unlock()
	if !fresh {
		timer := time.NewTimer(longestBlock)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-news:
		case <-timer.C:
		}
	}
	err = f.call("ContainersSince", func() error {
		if f.Jobs[jobID] != nil {
			list = slices.Clone(f.Allocations[jobID])
		}
		seen = f.index
		return nil
	})
	return list, seen, err
}

// RestartInPlace implements cluster.Jobs. The container runs again at once,
// unless OnPlace makes it something else.
func (f *Jobs) RestartInPlace(_ context.Context, allocID, _ string) error {
	return f.call("RestartInPlace", func() error {
		for jobID, list := range f.Allocations {
			for i := range list {
				c := &f.Allocations[jobID][i]
				switch {
				case c.ID != allocID:
					continue
				case !c.Running():
					return nomad.ErrTaskNotRunning
				}
				c.Restarts++
				c.Started = c.Started.Add(time.Hour)
				c.Signaled = c.Started
				if f.OnPlace != nil {
					f.OnPlace(c)
				}
				f.changed()
				return nil
			}
		}
		return nomad.ErrNoAllocation
	})
}
