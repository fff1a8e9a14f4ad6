package update

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
)

// once fails the n-th call of a method, which may be made by several goroutines.
func once(method string, n int64) func(string) error {
	var calls atomic.Int64
	return func(called string) error {
		if called == method && calls.Add(1) == n {
			return errBroken
		}
		return nil
	}
}

// first fails the first call.
func first() func() error {
	failed := false
	return func() error {
		if failed {
			return nil
		}
		failed = true
		return errBroken
	}
}

func TestWhatFailsOnTheWayIsUndone(t *testing.T) {
	t.Parallel()
	grow, shrink := bolts(4), Request{Containers: new(1)}
	for what, c := range map[string]struct {
		request Request
		broken  func(*bench)
	}{
		"more containers":             {grow, func(b *bench) { b.Jobs.Before = once("SetCount", 1) }},
		"more containers, reply lost": {grow, func(b *bench) { b.Jobs.After = once("SetCount", 1) }},
		"they do not run":             {grow, func(b *bench) { b.Jobs.Before = once("WaitRunning", 1) }},
		"the pause":                   {grow, func(b *bench) { b.m.Before = first() }},
		"the state":                   {grow, func(b *bench) { b.Store.Before = first() }},
		"the state, reply lost":       {grow, func(b *bench) { b.Store.After = first() }},
		"the new containers' job":     {shrink, func(b *bench) { b.Jobs.Before = once("SetSpec", 1) }},
		"the job, reply lost":         {shrink, func(b *bench) { b.Jobs.After = once("SetSpec", 1) }},
		"the wait for the plan":       {grow, func(b *bench) { b.Jobs.Before = once("WaitRunning", 2) }},
		"the configuration":           {runtime("rate:5"), func(b *bench) { b.m.Before = first() }},
	} {
		for _, state := range []string{"RUNNING", "PAUSED"} {
			b := up(t, running)
			if state == "PAUSED" {
				if what == "the pause" {
					continue
				}
				b.m.State = paused
				b.m.Store(topoID, paused)
			}
			before := strings.Replace(b.is(), "stored RUNNING", "stored "+state, 1)
			c.broken(b)
			_, err := b.update(c.request)
			if kind := outcome.KindOf(err); kind != outcome.Undone || !errors.Is(err, errBroken) {
				t.Errorf("%s, %s: %v (%s)", what, state, err, kind)
			}
			b.Jobs.Before, b.Jobs.After, b.Store.Before, b.Store.After, b.m.Before = nil, nil, nil, nil, nil
			got := strings.Replace(b.is(), "stored RUNNING", "stored "+state, 1)
			if got != before {
				t.Errorf("%s, %s:\n%s\nwant\n%s", what, state, got, before)
			}
			if _, err := b.update(c.request); err != nil {
				t.Errorf("%s, %s: again: %v", what, state, err)
			}
		}
	}
}

// A TManager that does not come back with the new plan is given the old one.
func TestAPlanThatDoesNotComeIsUndone(t *testing.T) {
	t.Parallel()
	b := up(t, running)
	restart := b.Store.OnPacking
	b.Store.OnPacking = func(ctx context.Context) {
		b.m.Down = !b.m.Down
		restart(ctx)
	}
	_, err := Update(t.Context(), b.Cluster, "words", bolts(4), Options{Limit: patient / 5})
	if outcome.KindOf(err) != outcome.Undone {
		t.Errorf("%v (%s)", err, outcome.KindOf(err))
	}
	b.want("undone", words(running, "[]", 2, 2))
}

// An added container that ran at first and then fails keeps nothing from being
// put back.
func TestAnAddedContainerThatFailsIsUndone(t *testing.T) {
	t.Parallel()
	for what, r := range map[string]Request{"a container more": bolts(4), "and all others replaced": {Parallelism: bolts(12).Parallelism, Containers: new(3)}} {
		b := up(t, running)
		waits := 0
		b.Jobs.OnWait = func(count int) error {
			if count < 4 {
				return nil
			}
			if waits++; waits == 1 {
				return nil
			}
			return errBroken
		}
		if _, err := b.update(r); outcome.KindOf(err) != outcome.Undone || waits < 2 {
			t.Errorf("%s: %v (%s) after %d waits", what, err, outcome.KindOf(err), waits)
		}
		b.want(what, words(running, "[]", 2, 2))
		t.Logf("%s: %s", what, b.wrote())
	}
}

func TestAnInterruptIsUndone(t *testing.T) {
	t.Parallel()
	b := up(t, running)
	ctx, cancel := context.WithCancel(t.Context())
	b.Jobs.After = func(method string) error {
		if method == "SetCount" {
			cancel()
		}
		return nil
	}
	_, err := Update(ctx, b.Cluster, "words", bolts(4), Options{Limit: patient})
	if outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("%v (%s)", err, outcome.KindOf(err))
	}
	b.want("interrupted", words(running, "[]", 2, 2))
}

// scaledUp is a topology with a container more.
func scaledUp(t *testing.T) *bench {
	t.Helper()
	b := up(t, running)
	if _, err := b.update(bolts(4)); err != nil {
		t.Fatal(err)
	}
	b.Jobs.Calls = nil
	return b
}

func TestContainersThatCannotBeTakenAwayYet(t *testing.T) {
	t.Parallel()
	of := func(b *bench, index int) *nomad.Container {
		list := b.Jobs.Allocations[jobID]
		for i := range list {
			if list[i].Index == index && list[i].Live() {
				return &list[i]
			}
		}
		t.Fatalf("no container %d", index)
		return nil
	}
	for what, c := range map[string]struct {
		broken, mended func(*bench)
		says           string
	}{
		"a node is drained": {
			func(b *bench) { of(b, 1).Migrate = true }, func(b *bench) { of(b, 1).Migrate = false },
			"containers 1 are being moved",
		},
		"a container has failed, again and again": {
			func(b *bench) {
				of(b, 1).Status = api.AllocClientStatusFailed
				b.Jobs.OnPlace = func(one *nomad.Container) { one.Status = api.AllocClientStatusFailed }
			},
			func(b *bench) { b.Jobs.OnPlace = nil; b.Must(b.Jobs.RescheduleFailed(t.Context(), jobID)) },
			"containers 1 do not run",
		},
		"Nomad refuses": {
			func(b *bench) {
				b.Jobs.Before = func(m string) error { return map[string]error{"SetCount": errBroken}[m] }
			},
			func(b *bench) { b.Jobs.Before = nil }, "broken on purpose",
		},
	} {
		b := scaledUp(t)
		c.broken(b)
		_, err := Update(t.Context(), b.Cluster, "words", bolts(2), Options{Limit: patient / 5})
		var failed *operation.Failure
		if outcome.KindOf(err) != outcome.LeftBehind || !errors.As(err, &failed) || failed.Remedy == nil || failed.Remedy.Action != outcome.Repeat || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v (%s)", what, err, outcome.KindOf(err))
		}
		if now := b.is(); !strings.Contains(now, "map[bolt:2 spout:2] in 2\ncount 4") || !strings.Contains(now, "RUNNING, stored RUNNING") {
			t.Errorf("%s: %s", what, now)
		}
		c.mended(b)
		if got, err := b.update(bolts(2)); err != nil || got.Containers != 2 {
			t.Errorf("%s: again: %+v, %v", what, got, err)
		}
		b.want(what, words(running, "[]", 2, 2))
	}
}

// A failed container is started anew before others are taken away.
func TestAFailedContainerIsStartedBeforeAShrink(t *testing.T) {
	t.Parallel()
	b := scaledUp(t)
	for i, c := range b.Jobs.Allocations[jobID] {
		if c.Index == 1 {
			b.Jobs.Allocations[jobID][i].Status = api.AllocClientStatusFailed
		}
	}
	if _, err := b.update(bolts(2)); err != nil || b.wrote() != "RescheduleFailed SetCount" {
		t.Errorf("%v; wrote %s", err, b.wrote())
	}
	b.want("shrunk", words(running, "[]", 2, 2))
}

// crashes runs f after an update that died at each of its changes, before and
// after it.
func crashes(t *testing.T, start func(*testing.T) *bench, r Request, f func(b *bench, died string)) {
	t.Helper()
	points := 0
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b := start(t)
			process, mortal := b.Mortal(at, after)
			_, err := Update(t.Context(), process, "words", r, Options{Limit: patient})
			if died = mortal.Dead; !died {
				b.Must(err)
				break
			}
			points++
			t.Run(fmt.Sprintf("%d-%v", at, after), func(t *testing.T) {
				b.T = t
				f(b, fmt.Sprintf("died at %d, after %v", at, after))
			})
		}
	}
	t.Logf("%d points of death", points)
	if points < 20 {
		t.Errorf("an update has only %d points of death", points)
	}
}

func fresh(t *testing.T) *bench { t.Helper(); return up(t, running) }

func asleep(t *testing.T) *bench {
	t.Helper()
	b := up(t, running)
	b.m.State = paused
	b.m.Store(topoID, paused)
	return b
}

func TestTheSameUpdateFinishesOneThatDied(t *testing.T) {
	t.Parallel()
	crashes(t, fresh, bolts(4), func(b *bench, died string) {
		if _, err := b.update(bolts(4)); err != nil {
			b.T.Fatal(err)
		}
		b.want(died, words(running, "[]", 4, 3))
	})
}

func TestTheSameUpdateFinishesOneThatDiedWhilePaused(t *testing.T) {
	t.Parallel()
	both := Request{Containers: new(1), Runtime: runtime("rate:5").Runtime}
	crashes(t, asleep, both, func(b *bench, died string) {
		if _, err := b.update(both); err != nil {
			b.T.Fatal(err)
		}
		b.want(died, words(paused, "[rate:5]", 2, 1))
	})
}

func TestTheSameUpdateFinishesAShrinkThatDied(t *testing.T) {
	t.Parallel()
	crashes(t, scaledUp, bolts(2), func(b *bench, died string) {
		if _, err := b.update(bolts(2)); err != nil {
			b.T.Fatal(err)
		}
		b.want(died, words(running, "[]", 2, 2))
	})
}

// Another update is about the plan before the one that died.
func TestAnotherUpdateTakesThePlaceOfOneThatDied(t *testing.T) {
	t.Parallel()
	other := Request{Runtime: runtime("rate:5").Runtime, Containers: new(2)}
	crashes(t, fresh, bolts(4), func(b *bench, died string) {
		if there := b.is(); strings.Contains(there, "map[bolt:4") && len(b.extra()) == 0 {
			return // it had ended
		}
		if _, err := b.update(other); err != nil {
			b.T.Fatal(err)
		}
		got := b.is()
		if got != words(running, "[rate:5]", 2, 2) && !strings.HasSuffix(died, "true") {
			b.T.Errorf("%s:\n%s\nwant\n%s", died, got, words(running, "[rate:5]", 2, 2))
		}
	})
}

func TestKillAfterAnUpdateThatDied(t *testing.T) {
	t.Parallel()
	crashes(t, fresh, bolts(4), func(b *bench, died string) {
		if _, err := lifecycle.Kill(b.T.Context(), b.Cluster, "words", lifecycle.KillOptions{}); err != nil {
			b.T.Error(err)
		}
		if left := b.Left(); len(left) > 0 {
			b.T.Errorf("%s: left %v", died, left)
		}
	})
}

func TestARollbackAfterTheWait(t *testing.T) {
	t.Parallel()
	b := up(t, running)
	calls := 0
	b.Jobs.Before = func(method string) error {
		if method == "WaitRunning" {
			if calls++; calls == 3 { // for new containers, for the plan, and the wait that was asked for
				return errBroken
			}
		}
		return nil
	}
	_, err := Update(t.Context(), b.Cluster, "words", bolts(4), Options{Limit: patient, Wait: patient, Rollback: true})
	if outcome.KindOf(err) != outcome.Undone {
		t.Errorf("%v (%s)", err, outcome.KindOf(err))
	}
	b.want("rolled back", words(running, "[]", 2, 2))
	calls = 0
	got, err := Update(t.Context(), b.Cluster, "words", bolts(4), Options{Limit: patient, Wait: patient})
	if outcome.KindOf(err) != outcome.WaitExpired || got == nil || !got.Changed || got.Waited {
		t.Errorf("%+v, %v", got, err)
	}
	b.want("not rolled back", words(running, "[]", 4, 3))
	if got, err = Update(t.Context(), b.Cluster, "words", bolts(2), Options{Limit: patient, Wait: patient, Rollback: true}); err != nil || !got.Waited {
		t.Errorf("%+v, %v", got, err)
	}
	b.want("rollback was not needed", words(running, "[]", 2, 2))
}

func TestOnlyOneUpdateAtATime(t *testing.T) {
	t.Parallel()
	b := up(t, running)
	var second error
	b.Jobs.Before = func(method string) error {
		if method == "SetCount" && second == nil {
			_, second = b.update(bolts(3))
		}
		return nil
	}
	if _, err := b.update(bolts(4)); err != nil || outcome.KindOf(second) != outcome.Busy {
		t.Errorf("%v, %v", err, second)
	}
	b.want("the first", words(running, "[]", 4, 3))
}
