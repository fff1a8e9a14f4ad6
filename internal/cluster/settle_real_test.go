package cluster_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/testenv"
)

// realJobs is a Nomad of the test's own, whose scheduler can be held.
type realJobs struct {
	t      *testing.T
	client *nomad.Client
	api    *api.Client
}

func newRealJobs(t *testing.T) *realJobs {
	t.Helper()
	server, err := testenv.StartNomad(t.Context(), t.TempDir(), testenv.NomadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	r := &realJobs{t: t}
	if r.client, err = nomad.NewClient(nomad.ClientOptions{Address: server.Addr, RequestTimeout: 20 * time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.Close)
	if r.api, err = api.NewClient(&api.Config{Address: server.Addr}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *realJobs) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// hold keeps the scheduler from deciding anything while f runs, so that it then
// sees all at once what f did.
func (r *realJobs) hold(f func()) {
	r.t.Helper()
	set := func(paused bool) {
		now, _, err := r.api.Operator().SchedulerGetConfiguration(nil)
		r.must(err)
		now.SchedulerConfig.PauseEvalBroker = paused
		_, _, err = r.api.Operator().SchedulerSetConfiguration(now.SchedulerConfig, nil)
		r.must(err)
	}
	set(true)
	f()
	set(false)
}

func (r *realJobs) await(jobID string, what string, is func([]nomad.Container) bool) {
	r.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		settled, err := r.client.Settled(r.t.Context(), jobID)
		r.must(err)
		list, err := r.client.Containers(r.t.Context(), jobID)
		r.must(err)
		if settled && is(list) {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not so after a minute: %+v", what, list)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// running are the indexes that run, and by index the allocation.
func running(list []nomad.Container) (indexes []int, by map[int]string) {
	by = map[int]string{}
	for _, c := range list {
		if c.Running() {
			indexes, by[c.Index] = append(indexes, c.Index), c.ID
		}
	}
	slices.Sort(indexes)
	return indexes, by
}

// Nomad takes a container that is being moved for the one to take away, whatever
// its index: draining a node while the count goes down leaves a hole for good.
func TestRealIndexesAreRepaired(t *testing.T) {
	r := newRealJobs(t)
	ctx, id := t.Context(), "heron.test.settle"
	job := &api.Job{
		ID: &id, Name: new("settle"), Type: new("service"), Datacenters: []string{"*"},
		Meta: map[string]string{jobspec.MetaTopologyName: "settle", jobspec.MetaTopologyID: "settle-1"},
		TaskGroups: []*api.TaskGroup{{
			Name: new("container"), Count: new(4),
			Update:        &api.UpdateStrategy{MaxParallel: new(3), HealthCheck: new("task_states"), MinHealthyTime: new(time.Duration(0))},
			EphemeralDisk: &api.EphemeralDisk{SizeMB: new(10)},
			Tasks: []*api.Task{{
				Name: "executor", Driver: "raw_exec", KillTimeout: new(time.Second), LogConfig: &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)},
				Config:    map[string]any{"command": "/bin/sleep", "args": []string{"3600"}},
				Resources: &api.Resources{CPU: new(10), MemoryMB: new(10)},
			}},
		}},
	}
	_, err := r.client.RegisterNew(ctx, job)
	r.must(err)
	r.await(id, "start", func(list []nomad.Container) bool { i, _ := running(list); return len(i) == 4 })
	list, err := r.client.Containers(ctx, id)
	r.must(err)
	_, before := running(list)

	r.hold(func() {
		r.must(r.client.StopAllocation(ctx, before[1]))
		stored, err := r.client.Job(ctx, id)
		r.must(err)
		smaller, err := r.client.SetCount(ctx, stored, 3)
		r.must(err)
		if *smaller.Version != *stored.Version+1 || *smaller.TaskGroups[0].Count != 3 {
			t.Errorf("version %d, count %d", *smaller.Version, *smaller.TaskGroups[0].Count)
		}
		// What was read before is out of date now.
		if _, err := r.client.SetCount(ctx, stored, 9); err == nil {
			t.Error("an old reading was written over a newer one")
		}
	})
	r.await(id, "the hole", func(list []nomad.Container) bool {
		i, _ := running(list)
		return slices.Equal(i, []int{0, 2, 3})
	})

	cl := cluster.Cluster{Jobs: r.client, Settings: clustertest.Settings(t, t.TempDir())}
	wanted := cluster.Settle{Topology: "settle", ID: "settle-1", JobID: id, Containers: 3, Limit: time.Minute, Guard: func(context.Context) error { return nil }}
	r.must(cl.SettleIndexes(ctx, wanted))
	r.await(id, "the repair", func(list []nomad.Container) bool {
		i, _ := running(list)
		return slices.Equal(i, []int{0, 1, 2})
	})
	list, err = r.client.Containers(ctx, id)
	r.must(err)
	_, after := running(list)
	if after[0] != before[0] || after[2] != before[2] {
		t.Errorf("containers 0 and 2 were not left alone: %v, then %v", before, after)
	}

	stored, err := r.client.Job(ctx, id)
	r.must(err)
	spec := *stored
	group, task := *stored.TaskGroups[0], *stored.TaskGroups[0].Tasks[0]
	task.Env = map[string]string{"A": "changed"}
	group.Tasks, group.Count = []*api.Task{&task}, new(7)
	spec.TaskGroups = []*api.TaskGroup{&group}
	rolled, err := r.client.SetSpec(ctx, stored, &spec)
	r.must(err)
	if *rolled.TaskGroups[0].Count != 3 || rolled.TaskGroups[0].Tasks[0].Env["A"] != "changed" {
		t.Errorf("count %d, environment %v", *rolled.TaskGroups[0].Count, rolled.TaskGroups[0].Tasks[0].Env)
	}
	r.must(r.client.WaitRunning(ctx, id, 3, time.Minute, nil))
	r.must(cl.SettleIndexes(ctx, wanted))
}
