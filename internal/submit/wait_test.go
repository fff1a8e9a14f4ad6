package submit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// fakeTManager answers with errors, one after the other, and then with a plan.
type fakeTManager struct {
	answers []error
	asked   []string
}

func (f *fakeTManager) PhysicalPlan(_ context.Context, at *heronpb.TManagerLocation) (*heronpb.PhysicalPlan, error) {
	f.asked = append(f.asked, fmt.Sprintf("%s:%d", at.GetHost(), at.GetControllerPort()))
	if len(f.asked) <= len(f.answers) {
		return nil, f.answers[len(f.asked)-1]
	}
	return &heronpb.PhysicalPlan{}, nil
}

// place stores what a TManager of a topology does.
func (b *bench) place(id string) {
	b.t.Helper()
	data, err := proto.Marshal(&heronpb.TManagerLocation{
		TopologyName: proto.String("words"), TopologyId: &id, Host: proto.String("node"),
		ControllerPort: proto.Int32(6001), ServerPort: proto.Int32(6000),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx := b.t.Context()
	if err := b.store.EnsureDirs(ctx, b.layout.Dirs()...); err != nil {
		b.t.Fatal(err)
	}
	for _, op := range []statemgr.Op{statemgr.Create(b.layout.TManager("words"), data), statemgr.Create(b.layout.PhysicalPlan("words"), []byte("a plan"))} {
		if err := b.store.Apply(ctx, op); err != nil && !errors.Is(err, statemgr.ErrExists) {
			b.t.Fatal(err)
		}
	}
}

// waited is what was told during a wait, and how that ended.
func (b *bench) waited(limit time.Duration) (string, error) {
	b.t.Helper()
	var told strings.Builder
	b.env.Report = func(format string, args ...any) { fmt.Fprintf(&told, format+"\n", args...) }
	ctx, cancel := context.WithTimeout(b.t.Context(), limit)
	defer cancel()
	s := &submission{env: b.env, d: b.d, layout: b.layout}
	err := s.waitPlan(ctx, "words")
	return told.String(), err
}

func TestWaitAsksTheTManager(t *testing.T) {
	const patience = time.Minute
	away := fmt.Errorf("ask: %w at node:6001", tmanager.ErrUnreachable)
	for what, c := range map[string]struct {
		tmanager *fakeTManager
		asked    int
		says     string
	}{
		"it has a plan":             {&fakeTManager{}, 1, ""},
		"it has none yet":           {&fakeTManager{answers: []error{tmanager.ErrNoPlan, tmanager.ErrNoPlan}}, 3, ""},
		"it is out of reach":        {&fakeTManager{answers: []error{away}}, 1, "at node:6001; the physical plan in the state counts"},
		"it goes out of reach then": {&fakeTManager{answers: []error{tmanager.ErrNoPlan, away}}, 2, "the physical plan in the state counts"},
	} {
		b := newBench(t)
		b.place("words1234")
		b.env.TManager = c.tmanager
		told, err := b.waited(patience)
		if err != nil || len(c.tmanager.asked) != c.asked || c.tmanager.asked[0] != "node:6001" {
			t.Errorf("%s: %v, asked %v", what, err, c.tmanager.asked)
		}
		if !strings.Contains(told, c.says) || c.says == "" && told != "" {
			t.Errorf("%s: told %q, want %q", what, told, c.says)
		}
	}

	b := newBench(t)
	b.place("words1234")
	if _, err := b.waited(patience); err != nil {
		t.Errorf("nobody to ask: %v", err)
	}
}

func TestWaitEndsWithoutACompletePlan(t *testing.T) {
	soon := 400 * time.Millisecond
	never := &fakeTManager{answers: make([]error, 1000)}
	for i := range never.answers {
		never.answers[i] = tmanager.ErrNoPlan
	}
	for what, c := range map[string]struct {
		id   string // of the location in the state; "" is no state at all
		want string
		asks bool
	}{
		"no plan at all":                        {"", "its TManager has not made a physical plan", false},
		"never a complete one":                  {"words1234", "its TManager has no complete physical plan", true},
		"the TManager of an earlier submission": {"words0000", "its TManager has no complete physical plan", false},
	} {
		b := newBench(t)
		if c.id != "" {
			b.place(c.id)
		}
		never.asked = nil
		b.env.TManager = never
		_, err := b.waited(soon)
		if err == nil || err.Error() != c.want || len(never.asked) > 0 != c.asks {
			t.Errorf("%s: %v, asked %v", what, err, never.asked)
		}
	}
}
