package lifecycle

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// submitCrashes runs f after a submit that died at each of its changes.
func submitCrashes(t *testing.T, f func(b *bench)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b := newBench(t)
			process, m := b.Mortal(at, after)
			err := submitTo(t.Context(), process, b.d)
			if died = m.Dead; !died {
				b.Must(err)
				break
			}
			t.Run(fmt.Sprintf("%d-%v", at, after), func(t *testing.T) {
				b.T = t
				f(b)
			})
		}
	}
}

func (b *bench) unlock(force bool) (*Unlocked, error) {
	return Unlock(b.T.Context(), b.Cluster, "words", UnlockOptions{Force: force})
}

// unlockThenKill unlocks after a crash. Whatever unlock keeps and removes, a
// kill finds everything.
func unlockThenKill(b *bench) {
	found, err := operation.Find(b.T.Context(), b.Cluster.State, "words")
	b.Must(err)
	got, err := b.unlock(false)
	if err != nil {
		b.T.Fatal(err)
	}
	if (got.Operation != nil) != (found != nil) || got.Operation != nil && (got.Operation.Alive || got.Operation.PID == 0) {
		b.T.Errorf("unlocked %+v", got.Operation)
	}
	if (len(got.Kept) > 0) != (got.Remedy != nil) {
		b.T.Errorf("kept %v, remedy %v", got.Kept, got.Remedy)
	}
	for _, left := range b.Left() {
		if strings.Contains(left, "/owners/") || strings.Contains(left, "/operations/") && len(got.Kept) == 0 {
			b.T.Errorf("left: %s", left)
		}
	}
	again, err := b.unlock(false)
	if err != nil || len(again.Removed) > 0 {
		b.T.Errorf("again: %+v, %v", again, err)
	}
	if _, err := b.kill(b.T.Context(), KillOptions{IgnoreMissing: true}); err != nil {
		b.T.Error(err)
	}
	if left := b.Left(); len(left) > 0 {
		b.T.Errorf("left: %v", left)
	}
}

func TestUnlockAfterACrashedSubmit(t *testing.T) { submitCrashes(t, unlockThenKill) }

func TestUnlockAfterACrashedKill(t *testing.T) { crashes(t, unlockThenKill) }

func TestUnlockKeepsWhatIsHalfDone(t *testing.T) {
	for op, keeps := range map[string]bool{
		statemgr.OperationActivate: false, statemgr.OperationDeactivate: false, statemgr.OperationRestart: false,
		statemgr.OperationUpdate: true, statemgr.OperationReplace: true, statemgr.OperationRollback: true,
		statemgr.OperationSubmit: false, statemgr.OperationKill: false, // all of the topology is there
	} {
		b := newBench(t)
		b.Must(b.submit(t.Context()))
		b.claimed(op).Release(t.Context())
		got, err := b.unlock(false)
		if err != nil || (len(got.Kept) > 0) != keeps || got.Operation == nil || got.Operation.Name != op {
			t.Errorf("%s: %+v, %v", op, got, err)
			continue
		}
		if keeps && got.Remedy.Action != outcome.Repeat {
			t.Errorf("%s: remedy %+v", op, got.Remedy)
		}
		if found, err := operation.Find(t.Context(), b.Cluster.State, "words"); err != nil || (found != nil) != keeps {
			t.Errorf("%s: found %+v, %v", op, found, err)
		}
	}
}

// claimed takes a claim as another process does.
func (b *bench) claimed(op string) *operation.Claim {
	b.T.Helper()
	c, err := operation.Take(b.T.Context(), b.Cluster.State, nil, "words", statemgr.Intent{
		Operation: op, Step: "one", TopologyID: "words1234", Cluster: "nomad", Role: "ads", Environ: "prod",
		Owner: statemgr.NewOwner(op, "bob", time.Now()),
	}, nil)
	b.Must(err)
	return c
}

func TestUnlockWhileTheOwnerLives(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	claim := b.claimed(statemgr.OperationActivate)
	before := b.Left()
	_, err := b.unlock(false)
	var busy *operation.BusyError
	if !errors.As(err, &busy) || busy.Owner.User != "bob" {
		t.Fatalf("%v", err)
	}
	if now := b.Left(); strings.Join(now, " ") != strings.Join(before, " ") {
		t.Errorf("refused, but changed %v to %v", before, now)
	}
	got, err := b.unlock(true)
	if err != nil || len(got.Removed) != 2 || !got.Operation.Alive {
		t.Fatalf("%+v, %v", got, err)
	}
	if !claim.Lost(t.Context()) {
		t.Error("the owner still has its claim")
	}
	b.wantNoClaim()
}

func TestUnlockRefusesAnotherPlace(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	b.claimed(statemgr.OperationActivate).Release(t.Context())
	b.Settings.Environ = "test"
	if _, err := b.unlock(true); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("%v", err)
	}
}

// The lock of the original client is a file in a folder: nothing tells whether
// its owner lives.
func TestUnlockTheOriginalsLock(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	path := b.Cluster.State.Locks("words")
	b.Must(b.Store.Apply(t.Context(), statemgr.Create(path, []byte("pool-1-thread-1\n"))))
	if _, err := b.unlock(false); outcome.KindOf(err) != outcome.Busy || !strings.Contains(fmt.Sprint(err), "pool-1-thread-1") {
		t.Errorf("%v", err)
	}
	got, err := b.unlock(true)
	if err != nil || len(got.Removed) != 1 || got.Removed[0].ID != path {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := b.unlock(false); err != nil || len(got.Removed) > 0 {
		t.Errorf("again: %+v, %v", got, err)
	}
}
