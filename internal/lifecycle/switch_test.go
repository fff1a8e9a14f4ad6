package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
)

const (
	running = heronpb.TopologyState_RUNNING
	paused  = heronpb.TopologyState_PAUSED
	killed  = heronpb.TopologyState_KILLED
)

// up is a bench with a topology that is up.
func up(t *testing.T, state heronpb.TopologyState) (*bench, *clustertest.TManager) {
	t.Helper()
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	return b, b.TManager("words1234", state)
}

// patient and impatient are limits of waits that should and should not end by
// themselves.
const (
	patient   = time.Minute
	impatient = 700 * time.Millisecond
)

func (b *bench) activate(ctx context.Context, wait time.Duration) (*Switched, error) {
	return Activate(ctx, b.Cluster, "words", SwitchOptions{Wait: wait})
}

// wantNoClaim checks that no intent and no owner is left.
func (b *bench) wantNoClaim() {
	b.T.Helper()
	for _, left := range b.Left() {
		if strings.Contains(left, "/operations/") || strings.Contains(left, "/owners/") {
			b.T.Errorf("%s is left", left)
		}
	}
}

func TestActivateAndDeactivate(t *testing.T) {
	b, m := up(t, paused)
	b.Jobs.Before = func(method string) error { t.Errorf("Nomad was asked for %s", method); return nil }
	for _, step := range []struct {
		do   func(context.Context) (*Switched, error)
		want Switched
	}{
		{func(ctx context.Context) (*Switched, error) { return b.activate(ctx, patient) }, Switched{"words", "words1234", "RUNNING", true}},
		{func(ctx context.Context) (*Switched, error) { return b.activate(ctx, patient) }, Switched{"words", "words1234", "RUNNING", false}},
		{func(ctx context.Context) (*Switched, error) {
			return Deactivate(ctx, b.Cluster, "words", SwitchOptions{Wait: patient})
		}, Switched{"words", "words1234", "PAUSED", true}},
		{func(ctx context.Context) (*Switched, error) {
			return Deactivate(ctx, b.Cluster, "words", SwitchOptions{Wait: patient})
		}, Switched{"words", "words1234", "PAUSED", false}},
	} {
		got, err := step.do(t.Context())
		if err != nil || *got != step.want {
			t.Errorf("got %+v, %v; want %+v", got, err, step.want)
		}
		plan, err := b.Cluster.StoredPlan(t.Context(), "words", "words1234")
		if err != nil || plan.GetTopology().GetState().String() != step.want.State {
			t.Errorf("stored: %v, %v", plan.GetTopology().GetState(), err)
		}
		b.wantNoClaim()
	}
	if m.Changes != 2 {
		t.Errorf("%d changes, want 2", m.Changes)
	}
}

// A topology of the original client has no deployment record and a job per
// container.
func TestActivateATopologyOfTheOriginalClient(t *testing.T) {
	b, _ := up(t, paused)
	delete(b.Jobs.Jobs, "heron.nomad.words")
	b.Must(b.Store.Apply(t.Context(), statemgr.Delete(b.Cluster.State.Deployment("words"))))
	id := "words1234-0"
	b.Jobs.Put(&api.Job{ID: &id, Meta: map[string]string{jobspec.MetaTopologyName: "words", jobspec.MetaTopologyID: "words1234"}})
	if got, err := b.activate(t.Context(), patient); err != nil || !got.Changed {
		t.Errorf("%+v, %v", got, err)
	}
	b.wantNoClaim()
}

// Each fault is found before anything is changed, with its kind and a reason.
func TestActivateRefuses(t *testing.T) {
	away := fmt.Errorf("ask: %w at node:6001: connection refused", tmanager.ErrUnreachable)
	remove := func(b *bench, path string) { b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(path))) }
	for what, c := range map[string]struct {
		fault func(b *bench, m *clustertest.TManager)
		kind  outcome.Kind
		says  string
	}{
		"no such topology": {func(b *bench, _ *clustertest.TManager) {
			b.Must(b.Cluster.State.DeleteTopology(b.T.Context(), "words", true))
		}, outcome.NotFound, `no topology "words" in cluster nomad`},
		"another role":        {func(b *bench, _ *clustertest.TManager) { b.Settings.Role = "others" }, outcome.Usage, "runs at nomad/ads/prod"},
		"another environ":     {func(b *bench, _ *clustertest.TManager) { b.Settings.Environ = "test" }, outcome.Usage, "runs at nomad/ads/prod"},
		"no execution state":  {func(b *bench, _ *clustertest.TManager) { remove(b, b.Cluster.State.ExecutionState("words")) }, outcome.Differs, "incomplete"},
		"no definition":       {func(b *bench, _ *clustertest.TManager) { remove(b, b.Cluster.State.Topology("words")) }, outcome.Differs, "incomplete"},
		"a state of no sense": {func(b *bench, _ *clustertest.TManager) { b.overwrite(b.Cluster.State.ExecutionState("words")) }, outcome.Differs, "cannot be understood"},
		"no TManager":         {func(b *bench, _ *clustertest.TManager) { remove(b, b.Cluster.State.TManager("words")) }, outcome.Unreachable, "no TManager of it has registered"},
		"an earlier TManager": {func(_ *bench, m *clustertest.TManager) { m.Locate("words0000") }, outcome.Unreachable, "of an earlier run, words0000"},
		"no physical plan":    {func(b *bench, _ *clustertest.TManager) { remove(b, b.Cluster.State.PhysicalPlan("words")) }, outcome.Differs, "not made a physical plan"},
		"an earlier plan":     {func(_ *bench, m *clustertest.TManager) { m.Store("words0000", paused) }, outcome.Differs, "of an earlier run, words0000"},
		"no answer":           {func(_ *bench, m *clustertest.TManager) { m.OnPlan = func() error { return away } }, outcome.Unreachable, "connection refused; nothing was changed"},
		"no plan yet": {func(b *bench, m *clustertest.TManager) {
			remove(b, b.Cluster.State.PhysicalPlan("words"))
			m.OnPlan = func() error { return tmanager.ErrNoPlan }
		}, outcome.Differs, "not made a physical plan"},
		"a state of its own": {func(_ *bench, m *clustertest.TManager) { m.State = killed }, outcome.Differs, "it is KILLED, not PAUSED"},
		"no rights": {func(b *bench, _ *clustertest.TManager) {
			b.Store.Rights = func() error { return statemgr.ErrDenied }
		}, outcome.Denied, "access denied; nothing was changed"},
	} {
		t.Run(what, func(t *testing.T) {
			b, m := up(t, paused)
			c.fault(b, m)
			got, err := b.activate(t.Context(), patient)
			if outcome.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("%+v, kind %s: %v; want %s with %q", got, outcome.KindOf(err), err, c.kind, c.says)
			}
			if m.Changes > 0 {
				t.Error("it was changed")
			}
			b.wantNoClaim()
		})
	}
}

// overwrite makes a node that cannot be understood.
func (b *bench) overwrite(path string) {
	b.T.Helper()
	b.Must(b.Store.Apply(b.T.Context(), statemgr.Set(path, []byte{0xff})))
}

func TestActivateWhileAnotherCommandIsAtWork(t *testing.T) {
	b, m := up(t, paused)
	m.After = func() error {
		_, err := Deactivate(t.Context(), b.Cluster, "words", SwitchOptions{Wait: patient})
		if outcome.KindOf(err) != outcome.Busy || !strings.Contains(err.Error(), "activate of user ann") {
			t.Errorf("kind %s, %v", outcome.KindOf(err), err)
		}
		if _, err := b.kill(t.Context(), KillOptions{}); outcome.KindOf(err) != outcome.Busy {
			t.Errorf("kill: kind %s, %v", outcome.KindOf(err), err)
		}
		return nil
	}
	if _, err := b.activate(t.Context(), patient); err != nil {
		t.Error(err)
	}
}

// What happens after the claim is taken.
func TestActivateWaits(t *testing.T) {
	away := fmt.Errorf("ask: %w at node:6001", tmanager.ErrUnreachable)
	times := func(n int, err error) func() error {
		return func() error {
			if n--; n >= 0 {
				return err
			}
			return nil
		}
	}
	for what, c := range map[string]struct {
		set     func(b *bench, m *clustertest.TManager)
		wait    time.Duration
		changed bool
		kind    outcome.Kind
		says    string
	}{
		"the reply was lost":         {func(_ *bench, m *clustertest.TManager) { m.After = times(1, away) }, patient, true, "", ""},
		"the request was lost":       {func(_ *bench, m *clustertest.TManager) { m.Before = times(2, away) }, patient, true, "", ""},
		"the TManager is restarted":  {func(_ *bench, m *clustertest.TManager) { m.Before = times(1, fmt.Errorf("x: %w", tmanager.ErrNoPlan)) }, patient, true, "", ""},
		"stream managers come late":  {func(_ *bench, m *clustertest.TManager) { m.OnPlan = times(3, tmanager.ErrNoPlan) }, patient, true, "", ""},
		"stream managers never come": {func(_ *bench, m *clustertest.TManager) { m.OnPlan = times(1000, tmanager.ErrNoPlan) }, impatient, false, outcome.WaitExpired, "no complete physical plan"},
		"the TManager is gone for good": {func(_ *bench, m *clustertest.TManager) {
			m.After = func() error { m.OnPlan = func() error { return away }; return nil }
		}, impatient, false, outcome.WaitExpired, "not known to be RUNNING after"},
		"the state does not follow": {func(_ *bench, m *clustertest.TManager) {
			m.After = func() error { m.Store("words1234", paused); return nil }
		}, impatient, false, outcome.WaitExpired, "in the state says PAUSED"},
		"another client was first": {func(_ *bench, m *clustertest.TManager) {
			m.Before = func() error { m.State = running; m.Store("words1234", running); return nil }
		}, patient, false, "", ""},
		"it is refused": {func(_ *bench, m *clustertest.TManager) {
			m.Before = func() error { return &tmanager.RefusedError{Action: "activate", Where: "node:6001", Status: 400} }
		}, patient, false, outcome.Differs, "not in the state for that"},
		"it cannot be stored": {func(_ *bench, m *clustertest.TManager) {
			m.Before = func() error { return &tmanager.RefusedError{Action: "activate", Where: "node:6001", Status: 500} }
		}, patient, false, outcome.Failed, "refuses: 500"},
		"another topology is there": {func(_ *bench, m *clustertest.TManager) {
			m.Before = func() error { return fmt.Errorf("activate: %w: %w", tmanager.ErrUnreachable, tmanager.ErrOther) }
		}, patient, false, outcome.Unreachable, "another topology's"},
	} {
		t.Run(what, func(t *testing.T) {
			b, m := up(t, paused)
			c.set(b, m)
			got, err := b.activate(t.Context(), c.wait)
			if outcome.KindOf(err) != c.kind || c.says != "" && !strings.Contains(fmt.Sprint(err), c.says) {
				t.Fatalf("kind %q, %v; want %q with %q", outcome.KindOf(err), err, c.kind, c.says)
			}
			if err == nil && got.Changed != c.changed {
				t.Errorf("%+v, want changed %v", got, c.changed)
			}
			b.wantNoClaim()
		})
	}
}

func TestInterruptedActivate(t *testing.T) {
	b, m := up(t, paused)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.activate(ctx, patient); outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("before anything: kind %s, %v", outcome.KindOf(err), err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	m.After = func() error { cancel(); return nil }
	if _, err := b.activate(ctx, patient); outcome.KindOf(err) != outcome.WaitExpired || m.State != running {
		t.Errorf("in the wait: kind %s, %v", outcome.KindOf(err), err)
	}
	b.wantNoClaim()
}

// A process that was taken for dead asks the TManager for nothing any more.
func TestActivateThatLostItsClaim(t *testing.T) {
	b, m := up(t, paused)
	m.OnPlan = func() error {
		if m.Asked < 2 {
			return nil
		}
		m.OnPlan = nil
		path := b.Cluster.State.Operation("words")
		node, err := b.Store.Read(t.Context(), path)
		b.Must(err)
		b.Must(b.Store.Apply(t.Context(), statemgr.Set(path, node.Data)))
		return nil
	}
	_, err := b.activate(t.Context(), patient)
	if lost := new(operation.LostError); !errors.As(err, &lost) || m.Changes > 0 {
		t.Errorf("%v, %d changes", err, m.Changes)
	}
}
