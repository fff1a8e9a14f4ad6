package clustertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
)

// value is what p points at, the zero value for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// remember keeps the meta of a version.
func (f *Jobs) remember(job *api.Job) {
	if f.metas == nil {
		f.metas = map[string]map[uint64]map[string]string{}
	}
	if f.metas[*job.ID] == nil {
		f.metas[*job.ID] = map[uint64]map[string]string{}
	}
	f.metas[*job.ID][value(job.Version)] = job.Meta
}

// Place adds a running container to a job, whatever its index.
func (f *Jobs) Place(jobID string, index int) {
	if f.Allocations == nil {
		f.Allocations = map[string][]nomad.Container{}
	}
	f.made++
	c := nomad.Container{
		Index: index, ID: fmt.Sprintf("allocation-%d", f.made), JobID: jobID, Node: "node", Created: uint64(f.made), //nolint:gosec // a count
		Desired: api.AllocDesiredStatusRun, Status: api.AllocClientStatusRunning, Started: time.Unix(int64(f.made), 0),
	}
	if job := f.Jobs[jobID]; job != nil {
		c.JobVersion = value(job.Version)
	}
	if f.OnPlace != nil {
		f.OnPlace(&c)
	}
	f.Allocations[jobID] = append(f.Allocations[jobID], c)
	f.changed()
}

// Indexes are those of the containers that a job wants to run, sorted.
func (f *Jobs) Indexes(jobID string) (list []int) {
	for _, c := range f.Allocations[jobID] {
		if c.Live() && c.Desired == api.AllocDesiredStatusRun {
			list = append(list, c.Index)
		}
	}
	slices.Sort(list)
	return list
}

// reconcile does what Nomad's scheduler does for a service job: what is too many
// goes, a container that was stopped by id first and then those with the highest
// indexes. Those that have failed count, but another one, here the first, goes in
// their place. What is missing comes under the lowest free indexes; what was stopped
// by id comes back under its own.
func (f *Jobs) reconcile(jobID, stopped string) {
	job := f.Jobs[jobID]
	want := 0
	if job != nil && !value(job.Stop) && len(job.TaskGroups) > 0 {
		want = value(job.TaskGroups[0].Count)
	}
	have := f.Indexes(jobID)
	end := func(is func(nomad.Container) bool) {
		for i, c := range f.Allocations[jobID] {
			if c.Live() && c.Desired == api.AllocDesiredStatusRun && is(c) {
				f.Allocations[jobID][i].Desired, f.Allocations[jobID][i].Status = api.AllocDesiredStatusStop, api.AllocClientStatusComplete
				f.changed()
				return
			}
		}
	}
	if stopped != "" {
		back := -1
		end(func(c nomad.Container) bool {
			if c.ID == stopped {
				back = c.Index
			}
			return c.ID == stopped
		})
		if back < 0 || len(have) > want {
			return
		}
		f.Place(jobID, back)
	}
	all := slices.Sorted(slices.Values(append(f.failed(jobID), f.Indexes(jobID)...)))
	for n := len(all); n > want; n-- {
		live, goes := f.Indexes(jobID), all[n-1]
		if !slices.Contains(live, goes) && len(live) > 0 {
			goes = live[0]
		}
		end(func(c nomad.Container) bool { return c.Index == goes })
	}
	for n := len(have); n < want; n++ {
		free := 0
		for slices.Contains(f.Indexes(jobID), free) {
			free++
		}
		f.Place(jobID, free)
	}
}

// failed are the indexes of containers that have failed and were not replaced.
func (f *Jobs) failed(jobID string) (list []int) {
	for _, c := range f.Allocations[jobID] {
		if c.Failed() {
			list = append(list, c.Index)
		}
	}
	return list
}

// change stores a job over the one that was read.
func (f *Jobs) change(read, next *api.Job) error {
	there := f.Jobs[*read.ID]
	switch {
	case there == nil:
		return nomad.ErrNotFound
	case value(there.JobModifyIndex) != value(read.JobModifyIndex), value(there.Stop):
		return nomad.ErrConflict
	}
	f.Put(next)
	return nil
}

// SetCount implements cluster.Jobs.
func (f *Jobs) SetCount(_ context.Context, job *api.Job, count int) (now *api.Job, err error) {
	err = f.call("SetCount", func() error {
		next, group := *job, *job.TaskGroups[0]
		group.Count = &count
		next.TaskGroups = []*api.TaskGroup{&group}
		if err := f.change(job, &next); err != nil {
			return err
		}
		for i := range f.Allocations[*job.ID] {
			f.Allocations[*job.ID][i].JobVersion = value(f.Jobs[*job.ID].Version)
		}
		now = f.Jobs[*job.ID]
		return nil
	})
	return now, err
}

// SetSpec implements cluster.Jobs. It replaces every container.
func (f *Jobs) SetSpec(_ context.Context, job, spec *api.Job) (now *api.Job, err error) {
	err = f.call("SetSpec", func() error {
		next, group := *spec, *spec.TaskGroups[0]
		group.Count = job.TaskGroups[0].Count
		next.TaskGroups = []*api.TaskGroup{&group}
		if err := f.change(job, &next); err != nil {
			return err
		}
		for _, c := range slices.Clone(f.Allocations[*job.ID]) {
			if c.Live() {
				f.reconcile(*job.ID, c.ID)
			}
		}
		now = f.Jobs[*job.ID]
		return nil
	})
	return now, err
}

// Containers implements cluster.Jobs.
func (f *Jobs) Containers(_ context.Context, jobID string) (list []nomad.Container, err error) {
	err = f.call("Containers", func() error {
		list = slices.Clone(f.Allocations[jobID])
		return nil
	})
	return list, err
}

// VersionMeta implements cluster.Jobs.
func (f *Jobs) VersionMeta(_ context.Context, jobID string) (metas map[uint64]map[string]string, err error) {
	err = f.call("VersionMeta", func() error {
		metas = maps.Clone(f.metas[jobID])
		return nil
	})
	return metas, err
}

// Settled implements cluster.Jobs.
func (f *Jobs) Settled(context.Context, string) (bool, error) {
	return true, f.call("Settled", func() error { return nil })
}

// Migrating implements cluster.Jobs.
func (f *Jobs) Migrating(_ context.Context, containers []nomad.Container) (list []nomad.Container, err error) {
	err = f.call("Migrating", func() error {
		for _, c := range containers {
			if c.Migrate && c.Live() {
				list = append(list, c)
			}
		}
		return nil
	})
	return list, err
}

// RescheduleFailed implements cluster.Jobs.
func (f *Jobs) RescheduleFailed(_ context.Context, jobID string) error {
	return f.call("RescheduleFailed", func() error {
		for i, c := range f.Allocations[jobID] {
			if c.Failed() {
				f.Allocations[jobID][i].Desired = api.AllocDesiredStatusStop
				f.Place(jobID, c.Index)
			}
		}
		return nil
	})
}

// StopAllocation implements cluster.Jobs.
func (f *Jobs) StopAllocation(_ context.Context, allocID string) error {
	return f.call("StopAllocation", func() error {
		for jobID, list := range f.Allocations {
			for _, c := range list {
				if c.ID == allocID {
					f.reconcile(jobID, allocID)
					return nil
				}
			}
		}
		return nomad.ErrNoAllocation
	})
}
