package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// activationCrashes runs f after an activation that died at each of its
// changes, before and after it.
func activationCrashes(t *testing.T, f func(b *bench, m *clustertest.TManager)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b, m := up(t, paused)
			process, mortal := b.Mortal(at, after)
			_, err := Activate(t.Context(), process, "words", SwitchOptions{Wait: patient})
			if died = mortal.Dead; !died {
				b.Must(err)
				if at < 7 {
					t.Fatalf("an activation has only %d changes", at-1)
				}
				break
			}
			t.Run(fmt.Sprintf("%d-%v", at, after), func(t *testing.T) {
				b.T = t
				f(b, m)
			})
		}
	}
}

func TestActivateAgainAfterACrash(t *testing.T) {
	activationCrashes(t, func(b *bench, m *clustertest.TManager) {
		got, err := b.activate(b.T.Context(), patient)
		if err != nil || got.State != "RUNNING" || m.State != running || m.Changes != 1 {
			b.T.Errorf("%+v, %v; %d changes", got, err, m.Changes)
		}
		b.wantNoClaim()
	})
}

func TestDeactivateAfterACrashedActivate(t *testing.T) {
	activationCrashes(t, func(b *bench, m *clustertest.TManager) {
		got, err := Deactivate(b.T.Context(), b.Cluster, "words", SwitchOptions{Wait: patient})
		if err != nil || got.State != "PAUSED" || m.State != paused {
			b.T.Errorf("%+v, %v", got, err)
		}
		b.wantNoClaim()
	})
}

func TestKillAfterACrashedActivate(t *testing.T) {
	activationCrashes(t, func(b *bench, _ *clustertest.TManager) {
		// An activation asks no Nomad, so it may have known another namespace.
		if _, err := b.kill(b.T.Context(), KillOptions{}); err != nil {
			b.T.Error(err)
		}
		if left := b.Left(); len(left) > 0 {
			b.T.Errorf("left: %v", left)
		}
	})
}

// A submit never takes the topology away, even where it does not see the job:
// that may be in another namespace.
func TestSubmitAfterACrashedActivate(t *testing.T) {
	for _, seen := range []bool{true, false} {
		activationCrashes(t, func(b *bench, m *clustertest.TManager) {
			if !seen {
				b.Jobs.Before = func(method string) error {
					if method == "Job" {
						return nomad.ErrNotFound
					}
					return nil
				}
			}
			there := func() []string {
				return slices.Sorted(func(yield func(string) bool) {
					for _, what := range b.Left() {
						if !strings.Contains(what, "/owners/") && !yield(what) {
							return
						}
					}
				})
			}
			before := there()
			err := submitTo(b.T.Context(), b.Cluster, b.manifest("words5678"))
			if outcome.KindOf(err) != outcome.Exists || !strings.Contains(err.Error(), "already exists") {
				b.T.Errorf("kind %s, %v", outcome.KindOf(err), err)
			}
			if after := there(); !slices.Equal(before, after) {
				b.T.Errorf("before: %v, after: %v", before, after)
			}
			b.Jobs.Before = nil
			if got, err := b.activate(b.T.Context(), patient); err != nil || m.State != running {
				b.T.Errorf("then: %+v, %v", got, err)
			}
		})
	}
}

// A topology whose submit died after its last step is up; one whose kill died
// is not to be touched.
func TestActivateAfterCrashesOfOthers(t *testing.T) {
	for _, c := range []struct {
		operation, id, step string
		kind                outcome.Kind
		remedy              bool
	}{
		{statemgr.OperationSubmit, "words1234", "job", "", false},
		{statemgr.OperationSubmit, "words0000", "job", outcome.Differs, true},
		{statemgr.OperationKill, "words1234", "stop", outcome.Differs, true},
		{statemgr.OperationUpdate, "words1234", "count", outcome.Differs, false},
		{statemgr.OperationDeactivate, "words1234", "request", "", false},
	} {
		t.Run(c.operation+" of "+c.id, func(t *testing.T) {
			b, m := up(t, paused)
			dead := statemgr.Intent{
				Operation: c.operation, Step: c.step, TopologyID: c.id,
				Cluster: "nomad", Role: "ads", Environ: "prod",
				Owner: statemgr.Owner{Token: "0123456789abcdef", Doing: c.operation, User: "bob"},
			}
			data, err := dead.Encode()
			b.Must(err)
			b.Must(b.Store.Apply(t.Context(), statemgr.Create(b.Cluster.State.Operation("words"), data)))
			_, err = b.activate(t.Context(), patient)
			if outcome.KindOf(err) != c.kind || (err == nil) != (m.State == running) {
				t.Errorf("kind %q, %v; it is %s", outcome.KindOf(err), err, m.State)
			}
			if _, has := outcome.RemedyOf(err); has != c.remedy {
				t.Errorf("%v has a remedy: %v", err, has)
			}
			if err == nil {
				b.wantNoClaim()
			}
		})
	}
}
