package lifecycle

import (
	"fmt"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
)

// crashes runs f after a kill that died at each of its changes, before and
// after it.
func crashes(t *testing.T, f func(b *bench)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b := newBench(t)
			b.Must(b.submit(t.Context()))
			process, m := b.Mortal(at, after)
			_, err := Kill(t.Context(), process, "words", KillOptions{})
			if died = m.Dead; !died {
				b.Must(err)
				if at < 8 {
					t.Fatalf("a kill has only %d changes", at-1)
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

func TestKillAgainAfterACrash(t *testing.T) {
	crashes(t, func(b *bench) {
		if _, err := b.kill(b.T.Context(), KillOptions{IgnoreMissing: true}); err != nil {
			b.T.Error(err)
		}
		if left := b.Left(); len(left) > 0 {
			b.T.Errorf("left: %v", left)
		}
	})
}

// A submit after a kill that died removes the rest of the old topology, unless
// that is still running.
func TestSubmitAfterACrashedKill(t *testing.T) {
	crashes(t, func(b *bench) {
		job := b.Jobs.Jobs["heron.nomad.words"]
		running := job != nil && (job.Stop == nil || !*job.Stop)
		old := b.d
		b.d = b.manifest("words5678")
		err := submitTo(b.T.Context(), b.Cluster, b.d)
		if running {
			if remedy, ok := outcome.RemedyOf(err); outcome.KindOf(err) != outcome.Exists || ok && remedy != b.Cluster.KillRemedy("words") {
				b.T.Errorf("kind %s, %v", outcome.KindOf(err), err)
			}
			b.d = old
		} else if err != nil {
			b.T.Error(err)
		}
		for _, op := range b.d.State {
			node, err := b.Store.Read(b.T.Context(), op.Path)
			if err != nil || string(node.Data) != string(op.Data) {
				b.T.Errorf("%s: %v, or not what was decided", op.Path, err)
			}
		}
		if _, err := b.kill(b.T.Context(), KillOptions{}); err != nil {
			b.T.Error(err)
		}
		if left := b.Left(); len(left) > 0 {
			b.T.Errorf("left: %v", left)
		}
	})
}
