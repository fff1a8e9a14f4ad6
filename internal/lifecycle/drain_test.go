package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

func TestKillDrainsFirst(t *testing.T) {
	b, m := up(t, running)
	began := time.Now()
	b.Jobs.Before = func(method string) error {
		if method == "Stop" && (m.State != paused || time.Since(began) < 300*time.Millisecond) {
			t.Errorf("stopped after %v in state %s", time.Since(began), m.State)
		}
		return nil
	}
	if _, err := b.kill(t.Context(), KillOptions{Drain: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if left := b.Left(); m.Changes != 1 || len(left) > 0 {
		t.Errorf("%d changes of the state, left: %v", m.Changes, left)
	}
}

func TestKillDrainsWhatIsPaused(t *testing.T) {
	b, m := up(t, paused)
	if _, err := b.kill(t.Context(), KillOptions{Drain: time.Millisecond}); err != nil || m.Changes != 0 {
		t.Errorf("%v, %d changes", err, m.Changes)
	}
}

// What has no running job has nothing to drain, and perhaps no TManager.
func TestKillDrainsOnlyWhatRuns(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	stopped := true
	b.Jobs.Jobs["heron.nomad.words"].Stop = &stopped
	if _, err := b.kill(t.Context(), KillOptions{Drain: time.Hour}); err != nil {
		t.Error(err)
	}
}

func TestKillRefusesWhatItCannotDrain(t *testing.T) {
	b, m := up(t, running)
	m.Locate("words0000")
	before := b.Left()
	_, err := b.kill(t.Context(), KillOptions{Drain: time.Second})
	if outcome.KindOf(err) != outcome.Unreachable || !strings.Contains(fmt.Sprint(err), "nothing was changed") || m.Changes != 0 {
		t.Errorf("%v, %d changes", err, m.Changes)
	}
	if now := b.Left(); !slices.Equal(before, now) {
		t.Errorf("before %v, now %v", before, now)
	}
}

// A drain that is interrupted kills nothing, and the topology runs again.
func TestInterruptedDrain(t *testing.T) {
	b, m := up(t, running)
	ctx, cancel := context.WithCancel(t.Context())
	b.Cluster.Progress = func(e progress.Event) {
		if e.Step == "drain" && e.State == progress.Noted {
			cancel()
		}
	}
	_, err := b.kill(ctx, KillOptions{Drain: time.Hour})
	var f *operation.Failure
	if outcome.KindOf(err) != outcome.Interrupted || !errors.As(err, &f) || len(f.Undone) != 1 || m.State != running {
		t.Errorf("%v in state %s", err, m.State)
	}
	if b.Jobs.Jobs["heron.nomad.words"] == nil || slices.Contains(b.Jobs.Calls, "Stop") {
		t.Error("the job was touched")
	}
	b.wantNoClaim()
}

// A kill that dies while it drains is done again, with a drain or without.
func TestKillAfterACrashedDrain(t *testing.T) {
	drainCrashes(t, func(b *bench, _ *clustertest.TManager) {
		if _, err := b.kill(b.T.Context(), KillOptions{Drain: time.Millisecond, IgnoreMissing: true}); err != nil {
			b.T.Error(err)
		}
		if left := b.Left(); len(left) > 0 {
			b.T.Errorf("left: %v", left)
		}
	})
}

func TestUnlockAfterACrashedDrain(t *testing.T) {
	drainCrashes(t, func(b *bench, _ *clustertest.TManager) { unlockThenKill(b) })
}

func drainCrashes(t *testing.T, f func(*bench, *clustertest.TManager)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b, m := up(t, running)
			process, mortal := b.Mortal(at, after)
			_, err := killWith(t.Context(), process)
			if died = mortal.Dead; !died {
				b.Must(err)
				break
			}
			t.Run(fmt.Sprintf("%d-%v", at, after), func(t *testing.T) {
				b.T = t
				f(b, m)
			})
		}
	}
}

func killWith(ctx context.Context, cl cluster.Cluster) (*Killed, error) {
	return Kill(ctx, cl, "words", KillOptions{Drain: time.Millisecond})
}
