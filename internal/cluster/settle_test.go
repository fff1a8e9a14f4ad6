package cluster_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

const settleJob = "heron.nomad.words"

// placedAt is a bench with a job of count containers that has these indexes.
func placedAt(t *testing.T, count int, indexes ...int) *clustertest.Bench {
	t.Helper()
	b := clustertest.New(t)
	b.Jobs.Put(&api.Job{
		ID: new(settleJob), Meta: map[string]string{jobspec.MetaTopologyID: "words1234"},
		TaskGroups: []*api.TaskGroup{{Name: new("container"), Count: &count}},
	})
	b.Jobs.Allocations[settleJob] = nil
	for _, index := range indexes {
		b.Jobs.Place(settleJob, index)
	}
	return b
}

func settle(t *testing.T, b *clustertest.Bench, containers int, limit time.Duration) error {
	t.Helper()
	return b.Cluster.SettleIndexes(t.Context(), cluster.Settle{
		Topology: "words", ID: "words1234", JobID: settleJob, Containers: containers, Limit: limit,
	})
}

func TestSettleIndexesRepairs(t *testing.T) {
	for what, c := range map[string]struct {
		count   int
		indexes []int
		// untouched are containers that run on; calls the writes to Nomad.
		untouched []int
		calls     string
	}{
		"right":                        {3, []int{0, 1, 2}, []int{0, 1, 2}, ""},
		"a drained node's hole":        {3, []int{0, 2, 3}, []int{0, 2}, "SetCount SetCount"},
		"two holes":                    {4, []int{0, 2, 5, 6}, []int{0, 2}, "SetCount SetCount"},
		"a double":                     {3, []int{0, 1, 1}, []int{0}, "SetCount SetCount"},
		"a double that is low":         {3, []int{0, 0, 2}, nil, "SetCount SetCount"},
		"one too many":                 {2, []int{0, 1, 2}, []int{0, 1}, "StopAllocation"},
		"a double too many":            {2, []int{0, 1, 1}, []int{0}, "StopAllocation"},
		"the count of a dead repair":   {2, []int{0, 2}, []int{0, 2}, "SetCount"},
		"a hole and a double, far off": {5, []int{0, 2, 2, 4, 9}, []int{0}, "SetCount SetCount SetCount SetCount"},
	} {
		b := placedAt(t, c.count, c.indexes...)
		wanted := c.count
		if c.calls == "SetCount" {
			wanted++
		}
		before := slices.Clone(b.Jobs.Allocations[settleJob])
		if err := settle(t, b, wanted, time.Minute); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for i, index := range b.Jobs.Indexes(settleJob) {
			if i != index || len(b.Jobs.Indexes(settleJob)) != wanted {
				t.Errorf("%s: indexes %v, want 0 to %d", what, b.Jobs.Indexes(settleJob), wanted-1)
				break
			}
		}
		for _, index := range c.untouched {
			id := before[slices.IndexFunc(before, func(one nomad.Container) bool { return one.Index == index })].ID
			if !slices.ContainsFunc(b.Jobs.Allocations[settleJob], func(one nomad.Container) bool { return one.ID == id && one.Running() }) {
				t.Errorf("%s: container %d was not left alone", what, index)
			}
		}
		var calls []string
		for _, call := range b.Jobs.Calls {
			if call == "SetCount" || call == "StopAllocation" {
				calls = append(calls, call)
			}
		}
		if got := strings.Join(calls, " "); got != c.calls {
			t.Errorf("%s: wrote %q, want %q", what, got, c.calls)
		}
	}
}

func TestSettleIndexesReplacesContainersOfAnotherID(t *testing.T) {
	b := placedAt(t, 2, 0, 1)
	job := *b.Jobs.Jobs[settleJob]
	job.Meta = map[string]string{jobspec.MetaTopologyID: "words5678"}
	b.Jobs.Put(&job) // the containers run the version before
	err := b.Cluster.SettleIndexes(t.Context(), cluster.Settle{
		Topology: "words", ID: "words5678", JobID: settleJob, Containers: 2, Limit: time.Minute,
	})
	if err != nil || !slices.Equal(b.Jobs.Indexes(settleJob), []int{0, 1}) {
		t.Errorf("%v, %v", b.Jobs.Indexes(settleJob), err)
	}
	for _, c := range b.Jobs.Allocations[settleJob] {
		if c.Running() && c.JobVersion == 0 {
			t.Errorf("container %d still is of the earlier version", c.Index)
		}
	}
}

func TestSettleIndexesSaysWhatItCouldNotRepair(t *testing.T) {
	soon := 700 * time.Millisecond
	for what, c := range map[string]struct {
		broken func(*clustertest.Bench)
		kind   outcome.Kind
		says   string
	}{
		"no place": {func(b *clustertest.Bench) {
			b.Jobs.OnPlace = func(one *nomad.Container) { one.Status = api.AllocClientStatusFailed }
		}, outcome.LeftBehind, "missing 1"},
		"another topology's job": {func(b *clustertest.Bench) {
			b.Jobs.Jobs[settleJob].Meta[jobspec.MetaTopologyID] = "words0000"
		}, outcome.LeftBehind, "of topology id words0000, not of words1234"},
		"Nomad refuses": {func(b *clustertest.Bench) {
			b.Jobs.Before = func(method string) error {
				if method == "SetCount" {
					return errors.New("nomad refuses")
				}
				return nil
			}
		}, outcome.LeftBehind, "exactly 0 to 2: nomad refuses"},
		"Nomad never decides": {func(b *clustertest.Bench) {
			b.Jobs.Before = func(method string) error {
				if method != "Settled" {
					return nil
				}
				over, cancel := context.WithTimeout(t.Context(), 2*soon)
				defer cancel()
				<-over.Done()
				return over.Err()
			}
		}, outcome.LeftBehind, "not yet decided by Nomad"},
	} {
		b := placedAt(t, 3, 0, 2, 3)
		c.broken(b)
		err := settle(t, b, 3, soon)
		remedy, ok := outcome.RemedyOf(err)
		if outcome.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || !ok || remedy.Action != outcome.Repeat || remedy.Topology != "words" {
			t.Errorf("%s: %v (%s), remedy %+v", what, err, outcome.KindOf(err), remedy)
		}
	}
}

func TestSettleIndexesAsksItsGuard(t *testing.T) {
	b := placedAt(t, 3, 0, 2, 3)
	lost := outcome.New(outcome.Busy, "taken over")
	err := b.Cluster.SettleIndexes(t.Context(), cluster.Settle{
		Topology: "words", ID: "words1234", JobID: settleJob, Containers: 3, Limit: time.Minute,
		Guard: func(context.Context) error { return lost },
	})
	if !errors.Is(err, lost) || slices.Contains(b.Jobs.Calls, "SetCount") {
		t.Errorf("%v, calls %v", err, b.Jobs.Calls)
	}
}
