package versions

import (
	"fmt"
	"testing"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
)

// crashes runs f after a command that died at each of its changes, before and
// behind it; over says that it had ended everything but its claim. The points
// are those of the steps themselves: nobody lists them. A short run tries a
// sample of them, another one in each test.
func crashes(t *testing.T, prepare func(b *bench), command func(b *bench, cl cluster.Cluster) error, f func(b *bench)) {
	points, stride := 0, testenv.Times(5, 1)
	offset := 0
	for _, r := range t.Name() {
		offset = (offset + int(r)) % stride
	}
	for i, after := range []bool{false, true} {
		for at, died := 1+(offset+2*i)%stride, true; died; at += stride {
			b := submitted(t)
			if prepare != nil {
				prepare(b)
			}
			cl, m := b.Mortal(at, after)
			err := command(b, cl)
			if died = m.Dead; !died {
				break
			}
			if err == nil && at == 1 && after {
				t.Fatal("a command that died at its first change succeeded")
			}
			points++
			t.Run(fmt.Sprintf("%d-%v", at, after), func(t *testing.T) {
				b.T = t
				b.Cluster.Progress = b.Log
				b.dead, b.Jobs.Before = false, nil
				f(b)
			})
		}
	}
	t.Logf("%d points", points)
	if points < 16/stride {
		t.Errorf("tried only %d points", points)
	}
}

// replaceOnce replaces words1234 by words5678 and may die in between.
func replaceOnce(b *bench, cl cluster.Cluster) error {
	_, err := b.replaceOn(b.T.Context(), cl, b.manifest(newID, nil), ReplaceOptions{})
	return err
}

// failOnce does the same, and the new version does not become good.
func failOnce(b *bench, cl cluster.Cluster) error {
	b.Jobs.Before = func(method string) error {
		if method == "WaitRunning" {
			return errBroken
		}
		return nil
	}
	return replaceOnce(b, cl)
}

func rollbackOnce(b *bench, cl cluster.Cluster) error {
	_, err := Rollback(b.T.Context(), cl, "words", RollbackOptions{Wait: soon})
	return err
}

// replaced puts words5678 in place first.
func replaced(b *bench) { b.Must(replaceOnce(b, b.Cluster)) }

func TestTheSameReplacementGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*bench, cluster.Cluster) error{"replacing": replaceOnce, "taking back": failOnce} {
		t.Run(name, func(t *testing.T) {
			crashes(t, nil, command, func(b *bench) {
				b.Must(replaceOnce(b, b.Cluster))
				b.wantRunning(newID, oldID, newID)
				if got := b.versions(); got != "1* 2*" {
					b.T.Errorf("versions %s", got)
				}
			})
		})
	}
}

func TestAnotherReplacementAfterACrash(t *testing.T) {
	t.Parallel()
	crashes(t, nil, replaceOnce, func(b *bench) {
		whole := b.versions() == "1* 2*"
		_, err := b.replace(b.manifest("words9999", nil), ReplaceOptions{})
		b.Must(err)
		there, err := b.Cluster.Look(b.T.Context(), "words", scope())
		b.Must(err)
		packages := []string{oldID, "words9999"}
		if len(there.Versions) == 3 && whole {
			packages = append(packages, newID)
		}
		b.wantRunning("words9999", packages...)
	})
}

func TestRollbackAfterACrash(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*bench, cluster.Cluster) error{"replacing": replaceOnce, "taking back": failOnce} {
		t.Run(name, func(t *testing.T) {
			crashes(t, nil, command, func(b *bench) {
				// Nothing had been done, or all: then it is a rollback like any other.
				there, err := b.Cluster.Look(b.T.Context(), "words", scope())
				b.Must(err)
				back, err := b.rollback(RollbackOptions{})
				switch {
				case there.Pending == nil && there.ID() == oldID:
					if outcome.KindOf(err) != outcome.NotFound {
						b.T.Errorf("kind %s, %v", outcome.KindOf(err), err)
					}
				case err != nil || back.ID != oldID:
					b.T.Errorf("%+v, %v", back, err)
				}
				if there.ID() == newID && there.Newest().Stable {
					b.wantRunning(oldID, oldID, newID)
					return
				}
				b.wantRunning(oldID, oldID)
			})
		})
	}
}

func TestKillAfterACrash(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*bench, cluster.Cluster) error{"replacing": replaceOnce, "taking back": failOnce} {
		t.Run(name, func(t *testing.T) {
			crashes(t, nil, command, func(b *bench) {
				_, err := lifecycle.Kill(b.T.Context(), b.Cluster, "words", lifecycle.KillOptions{})
				b.Must(err)
				if left := b.Left(); len(left) > 0 || len(b.packages()) > 0 {
					b.T.Errorf("left: %v, packages %v", left, b.packages())
				}
			})
		})
	}
}

func TestTheSameRollbackGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	crashes(t, replaced, rollbackOnce, func(b *bench) {
		whole := b.versions() == "1* 2* 3*"
		there, err := b.Cluster.Look(b.T.Context(), "words", scope())
		b.Must(err)
		if whole && there.Pending == nil {
			return // another one would go further
		}
		_, err = b.rollback(RollbackOptions{})
		b.Must(err)
		b.wantRunning(oldID, oldID, newID)
		if got := b.versions(); got != "1* 2* 3*" {
			b.T.Errorf("versions %s", got)
		}
	})
}

func TestReplaceAfterADeadRollback(t *testing.T) {
	t.Parallel()
	crashes(t, replaced, rollbackOnce, func(b *bench) {
		_, err := b.replace(b.manifest("words9999", nil), ReplaceOptions{})
		b.Must(err)
		b.wantRunning("words9999", oldID, newID, "words9999")
	})
}

// A change that dies while it removes what is not kept any longer is over: its
// version is good, and the one before may be gone.
func TestACrashWhileOldVersionsGo(t *testing.T) {
	t.Parallel()
	none := func(b *bench) { b.Settings.Nomad.History = 0 }
	crashes(t, none, replaceOnce, func(b *bench) {
		none(b)
		b.Must(replaceOnce(b, b.Cluster))
		b.wantRunning(newID, newID)
		if got := b.versions(); got != "2*" {
			b.T.Errorf("versions %s", got)
		}
	})
	crashes(t, none, replaceOnce, func(b *bench) {
		_, err := b.replace(b.manifest("words9999", nil), ReplaceOptions{})
		b.Must(err)
		b.wantRunning("words9999", "words9999")
	})
}

// A command that dies while it goes on leaves what a third one can go on with.
func TestCrashAfterCrash(t *testing.T) {
	t.Parallel()
	stride := testenv.Times(3, 1)
	for first := 8; first < 14; first += stride {
		for at := 1 + first%stride; ; at += stride {
			b := submitted(t)
			cl, _ := b.Mortal(first, true)
			_ = replaceOnce(b, cl)
			cl, m := b.Mortal(at, false)
			_ = replaceOnce(b, cl)
			if !m.Dead {
				break
			}
			if at%2 == 0 {
				b.Must(replaceOnce(b, b.Cluster))
				b.wantRunning(newID, oldID, newID)
				continue
			}
			there, err := b.Cluster.Look(t.Context(), "words", scope())
			b.Must(err)
			if there.Pending == nil || there.ID() == newID && there.Newest().Stable {
				continue // it had ended, or misses no more than its end
			}
			back, err := b.rollback(RollbackOptions{})
			if err != nil || back.ID != oldID {
				t.Errorf("first %d, then %d: %+v, %v", first, at, back, err)
			}
			b.wantRunning(oldID, oldID)
		}
	}
}

// While a replacement is under way, others are refused.
func TestBusy(t *testing.T) {
	b := submitted(t)
	b.Uploader.OnUpload = func() error {
		b.Uploader.OnUpload = nil
		if _, err := b.replace(b.manifest("words9999", nil), ReplaceOptions{}); outcome.KindOf(err) != outcome.Busy {
			t.Errorf("replace: kind %s, %v", outcome.KindOf(err), err)
		}
		if _, err := b.rollback(RollbackOptions{To: 1}); outcome.KindOf(err) != outcome.Busy {
			t.Errorf("rollback: kind %s, %v", outcome.KindOf(err), err)
		}
		return nil
	}
	b.Must(replaceOnce(b, b.Cluster))
	b.wantRunning(newID, oldID, newID)
}

// A process that was taken for dead comes back when another has taken over, and
// touches nothing more.
func TestAReplacementThatWasTakenForDead(t *testing.T) {
	for _, at := range []string{"Stop", "TakeOver", "WaitRunning"} {
		b := submitted(t)
		paused := false
		b.Jobs.Before = func(method string) error {
			if method != at || paused {
				return nil
			}
			paused = true
			names, err := b.Store.Children(t.Context(), b.Cluster.State.Owners())
			b.Must(err)
			for _, name := range names {
				b.Must(b.Store.Apply(t.Context(), statemgr.Delete(b.Cluster.State.Owners()+"/"+name)))
			}
			_, err = b.replace(b.manifest("words9999", nil), ReplaceOptions{})
			b.Must(err)
			return nil
		}
		_, err := b.replace(b.manifest(newID, nil), ReplaceOptions{})
		if outcome.KindOf(err) != outcome.Busy {
			t.Errorf("at %s: kind %s, %v", at, outcome.KindOf(err), err)
		}
	}
}
