package lifecycle

import (
	"fmt"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/operation"
)

// restartCrashes runs f after a restart that died at each of its changes, before
// and after it.
func restartCrashes(t *testing.T, f func(b *bench)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b, _ := upWithContainers(t)
			process, mortal := b.Mortal(at, after)
			opts := every()
			opts.Batch = 2
			_, err := Restart(t.Context(), process, "words", opts)
			if died = mortal.Dead; !died {
				b.Must(err)
				if at < 10 {
					t.Fatalf("a restart has only %d changes", at-1)
				}
				break
			}
			t.Run(fmt.Sprintf("%d-%v", at, after), func(t *testing.T) {
				b.T = t
				f(b)
			})
		}
	}
}

// However a restart dies, the same one again leaves every container restarted
// exactly once.
func TestRestartAgainAfterACrash(t *testing.T) {
	restartCrashes(t, func(b *bench) {
		want := 1
		pending, err := operation.Find(b.T.Context(), b.Cluster.State, "words")
		b.Must(err)
		if pending == nil && b.Jobs.Wanted(wordsJob)[2].Restarts == 1 {
			want = 2 // it had ended, so this is another one
		}
		opts := every()
		opts.Wait = 20 * time.Second
		if _, err := b.restart(b.T.Context(), opts); err != nil {
			b.T.Error(err)
		}
		for index, c := range b.Jobs.Wanted(wordsJob) {
			if c.Restarts != want {
				b.T.Errorf("container %d was restarted %d times, want %d", index, c.Restarts, want)
			}
		}
		b.wantNoClaim()
	})
}

func TestKillAfterACrashedRestart(t *testing.T) {
	restartCrashes(t, func(b *bench) {
		if _, err := b.kill(b.T.Context(), KillOptions{}); err != nil {
			b.T.Error(err)
		}
		if left := b.Left(); len(left) > 0 {
			b.T.Errorf("left: %v", left)
		}
	})
}

func TestDeactivateAfterACrashedRestart(t *testing.T) {
	restartCrashes(t, func(b *bench) {
		got, err := Deactivate(b.T.Context(), b.Cluster, "words", SwitchOptions{Wait: patient})
		if err != nil || !got.Changed {
			b.T.Errorf("%+v, %v", got, err)
		}
		b.wantNoClaim()
	})
}
