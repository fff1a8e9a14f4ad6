package cluster_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/nomad"
)

// failing is a bench with a job of count containers of which one has failed.
func failing(t *testing.T, count, index int, indexes ...int) (b *clustertest.Bench, before []nomad.Container) {
	t.Helper()
	b = placedAt(t, count, indexes...)
	for i, one := range b.Jobs.Allocations[settleJob] {
		if one.Index == index {
			b.Jobs.Allocations[settleJob][i].Status = api.AllocClientStatusFailed
		}
	}
	return b, slices.Clone(b.Jobs.Allocations[settleJob])
}

// wantAlone wants containers 0 to n-1 to run as they did before, and no other.
func wantAlone(t *testing.T, b *clustertest.Bench, n int, before []nomad.Container) {
	t.Helper()
	if got := b.Jobs.Indexes(settleJob); len(got) != n || got[n-1] != n-1 {
		t.Errorf("containers %v, want 0 to %d", got, n-1)
	}
	for _, one := range before[:n] {
		if !slices.ContainsFunc(b.Jobs.Allocations[settleJob], func(now nomad.Container) bool { return now.ID == one.ID && now.Running() }) {
			t.Errorf("container %d was not left alone", one.Index)
		}
	}
}

// Nomad takes away any other container where the one with the highest index has
// failed.
func TestSetCountTakesTheHighestAwayThoughItHasFailed(t *testing.T) {
	b, before := failing(t, 4, 3, 0, 1, 2, 3)
	again := 0
	b.Jobs.OnPlace = func(one *nomad.Container) {
		if again++; again < 3 {
			one.Status = api.AllocClientStatusFailed // once more, at once
		}
	}
	if _, err := b.Cluster.SetCount(t.Context(), b.Jobs.Jobs[settleJob], 3); err != nil {
		t.Fatal(err)
	}
	wantAlone(t, b, 3, before)
}

// A failed container that must not be there would come back.
func TestSettleIndexesTakesAwayWhatHasFailed(t *testing.T) {
	b, before := failing(t, 3, 3, 0, 1, 2, 3)
	if err := settle(t, b, 3, time.Minute); err != nil {
		t.Fatal(err)
	}
	wantAlone(t, b, 3, before)
	for _, one := range b.Jobs.Allocations[settleJob] {
		if one.Index == 3 && one.Desired == api.AllocDesiredStatusRun {
			t.Errorf("%+v is left", one)
		}
	}
}
