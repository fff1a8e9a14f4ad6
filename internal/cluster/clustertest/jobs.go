package clustertest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

// Jobs is a Nomad in memory. Before, if set, is called with the name of each
// method and may fail it before its effect; After may fail it afterwards.
type Jobs struct {
	Jobs          map[string]*api.Job
	Before, After func(method string) error
	// Allocations are the containers of each job. New ones, and those restarted in
	// place, run at once, unless OnPlace, if set, makes them something else.
	Allocations map[string][]nomad.Container
	OnPlace     func(*nomad.Container)
	Calls       []string
	// OnWait, if set, is the answer of WaitRunning for so many containers.
	OnWait func(count int) error
	// Restarts are answers of WaitRestart, one after the other; then there are
	// none.
	Restarts [][]nomad.Restart
	// Ports are the answer of ContainerPorts for a container's server port;
	// TManagerPorts that for container 0 and the ports that only its TManager has.
	Ports         map[int]int
	TManagerPorts map[string]int
	// Logs are the lines that programs wrote, by container and program, as
	// "0 heron-tmanager"; an error is the answer to all.
	Logs    map[string][]string
	LogsErr error

	mu    sync.Mutex
	metas map[string]map[uint64]map[string]string
	made  int
	// index is that of the last change; news is closed at the next one.
	index uint64
	news  chan struct{}
}

func (f *Jobs) call(method string, effect func() error) error {
	f.mu.Lock()
	f.Calls = append(f.Calls, method)
	f.mu.Unlock()
	if f.Before != nil {
		if err := f.Before(method); err != nil {
			return err
		}
	}
	f.mu.Lock()
	err := effect()
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if f.After != nil {
		return f.After(method)
	}
	return nil
}

// Job implements cluster.Jobs.
func (f *Jobs) Job(_ context.Context, id string) (job *api.Job, err error) {
	err = f.call("Job", func() error {
		if job = f.Jobs[id]; job == nil {
			return nomad.ErrNotFound
		}
		return nil
	})
	return job, err
}

// TopologyJobs implements cluster.Jobs.
func (f *Jobs) TopologyJobs(_ context.Context, name string) (list []*api.JobListStub, err error) {
	err = f.call("TopologyJobs", func() error {
		for id, job := range f.Jobs {
			if job.Meta[jobspec.MetaTopologyName] == name {
				list = append(list, &api.JobListStub{ID: id, Meta: job.Meta})
			}
		}
		return nil
	})
	return list, err
}

// Put stores a copy of a job, as its next version, and places its containers.
func (f *Jobs) Put(job *api.Job) {
	c := *job
	version, index := uint64(0), uint64(1)
	if old := f.Jobs[*job.ID]; old != nil {
		version, index = value(old.Version)+1, value(old.JobModifyIndex)+1
	}
	c.Version, c.JobModifyIndex = &version, &index
	f.Jobs[*job.ID] = &c
	f.remember(&c)
	f.reconcile(*job.ID, "")
}

// RegisterNew implements cluster.Jobs.
func (f *Jobs) RegisterNew(_ context.Context, job *api.Job) (nomad.Registration, error) {
	return nomad.Registration{}, f.call("RegisterNew", func() error {
		if old := f.Jobs[*job.ID]; old != nil {
			return &nomad.ExistsError{Job: old}
		}
		f.Put(job)
		return nil
	})
}

// TakeOver implements cluster.Jobs.
func (f *Jobs) TakeOver(_ context.Context, job, _ *api.Job) (nomad.Registration, error) {
	return nomad.Registration{}, f.call("TakeOver", func() error { f.Put(job); return nil })
}

// Rollout implements cluster.Jobs.
func (f *Jobs) Rollout(_ context.Context, id string) (r nomad.Rollout, err error) {
	err = f.call("Rollout", func() error {
		job := f.Jobs[id]
		if job == nil {
			return nomad.ErrNotFound
		}
		r = nomad.Rollout{Version: value(job.Version), Evaluation: "evaluation of " + id, Deployment: "deployment of " + id}
		return nil
	})
	return r, err
}

// Stop implements cluster.Jobs.
func (f *Jobs) Stop(_ context.Context, job *api.Job) error {
	return f.call("Stop", func() error {
		stop := true
		f.Jobs[*job.ID].Stop = &stop
		f.reconcile(*job.ID, "")
		return nil
	})
}

// WaitStopped implements cluster.Jobs.
func (f *Jobs) WaitStopped(context.Context, string, time.Duration, func(nomad.StopProgress)) ([]nomad.AllocationRef, error) {
	return nil, f.call("WaitStopped", func() error { return nil })
}

// WaitRunning implements cluster.Jobs.
func (f *Jobs) WaitRunning(_ context.Context, _ string, count int, _ time.Duration, _ func(nomad.RunProgress)) error {
	return f.call("WaitRunning", func() error {
		if f.OnWait != nil {
			return f.OnWait(count)
		}
		return nil
	})
}

// WaitRestart implements cluster.Jobs; it does not wait.
func (f *Jobs) WaitRestart(context.Context, string, time.Duration) (restarts []nomad.Restart, err error) {
	err = f.call("WaitRestart", func() error {
		if len(f.Restarts) > 0 {
			restarts, f.Restarts = f.Restarts[0], f.Restarts[1:]
		}
		return nil
	})
	return restarts, err
}

// ContainerPorts implements cluster.Jobs.
func (f *Jobs) ContainerPorts(_ context.Context, _ string, ports ...string) (numbers map[int][]int, err error) {
	err = f.call("ContainerPorts", func() error {
		numbers = map[int][]int{}
		for index, server := range f.Ports {
			for _, port := range ports {
				n := 0
				switch {
				case port == jobspec.PortServer:
					n = server
				case index == 0:
					n = f.TManagerPorts[port]
				}
				numbers[index] = append(numbers[index], n)
			}
		}
		return nil
	})
	return numbers, err
}

// ProgramLog implements cluster.Jobs.
func (f *Jobs) ProgramLog(_ context.Context, a nomad.AllocationRef, program string) (out nomad.ContainerOutput, err error) {
	err = f.call("ProgramLog", func() error {
		out = nomad.ContainerOutput{Index: a.Index, From: program + ".log", Lines: f.Logs[fmt.Sprintf("%d %s", a.Index, program)]}
		return f.LogsErr
	})
	return out, err
}

// LastLines implements cluster.Jobs: the lines that "0 stderr" has in Logs.
func (f *Jobs) LastLines(_ context.Context, a nomad.AllocationRef, n int) nomad.ContainerOutput {
	lines := f.Logs[fmt.Sprintf("%d stderr", a.Index)]
	out := nomad.ContainerOutput{Index: a.Index, Lines: lines[max(0, len(lines)-n):]}
	if len(lines) > 0 {
		out.From = "standard error"
	}
	return out
}

// Forecast implements cluster.Jobs.
func (f *Jobs) Forecast(context.Context, *api.Job) (*nomad.Forecast, error) {
	return &nomad.Forecast{}, f.call("Forecast", func() error { return nil })
}

// PurgeOwned implements cluster.Jobs.
func (f *Jobs) PurgeOwned(_ context.Context, id, topologyID string) error {
	return f.call("PurgeOwned", func() error {
		if job := f.Jobs[id]; job != nil && job.Meta[jobspec.MetaTopologyID] != topologyID {
			return &nomad.ExistsError{Job: job}
		}
		delete(f.Jobs, id)
		return nil
	})
}
