package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/wire"
)

// Every command that changes a topology can wait for another one.
func TestCommandsThatChangeCanWait(t *testing.T) {
	changing := []string{"submit", "kill"}
	for _, g := range groups() {
		if g.id == groupOperate {
			changing = append(changing, g.commands...)
		}
	}
	for _, cmd := range runnable(t) {
		name := cmd.Name()
		if !slices.Contains(changing, name) || name == "history" || name == "unlock" {
			continue
		}
		if cmd.Flags().Lookup("lock-timeout") == nil {
			t.Errorf("heron %s has no --lock-timeout", name)
		}
	}
}

// busyBench is a cluster on whose topology another process is at work.
func busyBench(t *testing.T) (cluster.Cluster, *operation.Claim, *operation.BusyError) {
	t.Helper()
	b := clustertest.New(t)
	owner := statemgr.NewOwner("update", "ann", time.Now())
	claim, err := operation.Take(t.Context(), b.Cluster.State, nil, "words", statemgr.Intent{Operation: "update", TopologyID: "words1234", Owner: owner}, nil)
	b.Must(err)
	return b.Cluster, claim, &operation.BusyError{Topology: "words", Owner: owner}
}

func TestWhenFree(t *testing.T) {
	cl, claim, busy := busyBench(t)
	tries := 0
	do := func() error {
		if tries++; tries == 1 {
			return busy
		}
		return nil
	}
	err := (&lockFlags{}).whenFree(t.Context(), cl, do)
	if tries != 1 || outcome.KindOf(err) != outcome.Busy || !strings.Contains(err.Error(), "--lock-timeout") {
		t.Errorf("without a time: %d tries, %v", tries, err)
	}
	if h := wire.DetailsOf(err).Holder; h == nil || h.Command != "update" || h.User != "ann" || h.PID == 0 {
		t.Errorf("the holder is %+v", h)
	}
	tries = 0
	err = (&lockFlags{timeout: time.Millisecond}).whenFree(t.Context(), cl, do)
	if tries != 1 || outcome.KindOf(err) != outcome.Busy || !strings.Contains(err.Error(), "waited for 1ms") {
		t.Errorf("out of time: %d tries, %v", tries, err)
	}
	tries = 0
	ctx, cancel := context.WithCancel(t.Context())
	interrupted := cl
	interrupted.Progress = func(progress.Event) { cancel() }
	if err := (&lockFlags{timeout: time.Hour}).whenFree(ctx, interrupted, do); tries != 1 || outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("interrupted: %d tries, %v", tries, err)
	}
	tries = 0
	ending := cl
	ending.Progress = func(progress.Event) { claim.Release(context.WithoutCancel(t.Context())) }
	if err := (&lockFlags{timeout: time.Hour}).whenFree(t.Context(), ending, do); tries != 2 || err != nil {
		t.Errorf("the other one ended: %d tries, %v", tries, err)
	}
	tries = 0
	err = (&lockFlags{timeout: time.Hour}).whenFree(t.Context(), cl, func() error {
		if tries++; tries == 1 {
			return outcome.New(outcome.Busy, "another client updates it")
		}
		return nil
	})
	if tries != 2 || err != nil {
		t.Errorf("a client without a claim: %d tries, %v", tries, err)
	}
	lost := &operation.LostError{Topology: "words"}
	if err := (&lockFlags{timeout: time.Hour}).whenFree(t.Context(), cl, func() error { return lost }); !errors.Is(err, lost) {
		t.Errorf("a lost claim: %v", err)
	}
	other := errors.New("broken")
	if err := (&lockFlags{timeout: time.Hour}).whenFree(t.Context(), cl, func() error { return other }); !errors.Is(err, other) {
		t.Errorf("another failure: %v", err)
	}
	if err := (&lockFlags{timeout: -1}).whenFree(t.Context(), cl, do); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("a time below zero: %v", err)
	}
}
