package submit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

var errNoPlace = outcome.New(outcome.WaitExpired, "no place for 3 containers")

// submitAndWait submits the bench's manifest with --wait and --rollback.
func (b *bench) submitAndWait(ctx context.Context, cl cluster.Cluster) ([]*Submitted, error) {
	b.T.Helper()
	there, err := cl.Look(ctx, "words", scope())
	b.Must(err)
	return Submit(ctx, cl, []Decision{{b.d, there}}, Options{Wait: time.Minute, Rollback: true})
}

// notRunning makes the wait fail, after f if that is not nil.
func (b *bench) notRunning(f func()) {
	b.Jobs.Before = func(method string) error {
		if method != "WaitRunning" {
			return nil
		}
		if f != nil {
			f()
		}
		return errNoPlace
	}
}

func TestRollbackUndoesASubmissionThatDoesNotRun(t *testing.T) {
	b := newBench(t)
	b.notRunning(nil)
	done, err := b.submitAndWait(t.Context(), b.Cluster)
	if !errors.Is(err, errNoPlace) || outcome.KindOf(err) != outcome.Undone || len(done) > 0 {
		t.Errorf("kind %s, %v, %v", outcome.KindOf(err), err, done)
	}
	var f *operation.Failure
	if !errors.As(err, &f) || len(f.Undone) != 3 || f.Error() != "wait for the topology words: no place for 3 containers" {
		t.Errorf("%v: undone %v", err, f.Undone)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRollbackAfterAnInterrupt(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.notRunning(cancel)
	if _, err := b.submitAndWait(ctx, b.Cluster); outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("kind %s, %v", outcome.KindOf(err), err)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRollbackNamesWhatItLeaves(t *testing.T) {
	for what, c := range map[string]struct {
		arrange func(b *bench)
		left    string
	}{
		"the package stays": {func(b *bench) { b.Uploader.OnDelete = func() error { return errBroken } }, outcome.Package},
		"somebody else acts on it": {func(b *bench) {
			intent := statemgr.Intent{Operation: statemgr.OperationActivate, TopologyID: "words1234", Owner: statemgr.NewOwner(statemgr.OperationActivate, "bob", time.Now())}
			_, err := operation.Take(context.WithoutCancel(t.Context()), b.Cluster.State, b.Log, "words", intent, nil)
			b.Must(err)
		}, outcome.Package},
	} {
		b := newBench(t)
		b.notRunning(func() { c.arrange(b) })
		_, err := b.submitAndWait(t.Context(), b.Cluster)
		var f *operation.Failure
		if outcome.KindOf(err) != outcome.LeftBehind || !errors.As(err, &f) || f.Left[0].Kind != c.left || f.Remedy == nil {
			t.Errorf("%s: kind %s, %v", what, outcome.KindOf(err), err)
		}
	}
}

func TestKillRemovesWhatADeadRollbackLeft(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			b := newBench(t)
			env, m := b.Mortal(at, after)
			waiting := false
			b.notRunning(func() { waiting = true })
			_, _ = b.submitAndWait(t.Context(), env)
			if !m.Dead {
				if at < 12 {
					t.Fatalf("a rolled back submission has only %d calls", at-1)
				}
				break
			}
			if !waiting {
				continue // it died in the submission
			}
			t.Run(fmt.Sprintf("%d-%v", at, after), func(t *testing.T) {
				b.T = t
				b.Cluster.Progress, b.Jobs.Before = b.Log, nil
				if _, err := b.kill(t.Context(), lifecycle.KillOptions{IgnoreMissing: true}); err != nil {
					t.Error(err)
				}
				if left := b.Left(); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
			})
		}
	}
}
