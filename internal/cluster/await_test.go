package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/progress"
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

func (*fakeTManager) Activate(context.Context, *heronpb.TManagerLocation) error { return errNotAsked }

func (*fakeTManager) Deactivate(context.Context, *heronpb.TManagerLocation) error { return errNotAsked }

var errNotAsked = errors.New("a wait changes nothing")

// place stores what a TManager of a topology does.
func place(b *clustertest.Bench, id string) {
	b.T.Helper()
	data, err := proto.Marshal(&heronpb.TManagerLocation{
		TopologyName: proto.String("words"), TopologyId: &id, Host: proto.String("node"),
		ControllerPort: proto.Int32(6001), ServerPort: proto.Int32(6000),
	})
	if err != nil {
		b.T.Fatal(err)
	}
	ctx := b.T.Context()
	if err := b.Store.EnsureDirs(ctx, b.Cluster.State.Dirs()...); err != nil {
		b.T.Fatal(err)
	}
	for _, op := range []statemgr.Op{statemgr.Create(b.Cluster.State.TManager("words"), data), statemgr.Create(b.Cluster.State.PhysicalPlan("words"), []byte("a plan"))} {
		if err := b.Store.Apply(ctx, op); err != nil && !errors.Is(err, statemgr.ErrExists) {
			b.T.Fatal(err)
		}
	}
}

// waited is what was said during a wait, and how that ended.
func waited(b *clustertest.Bench, limit time.Duration) (string, error) {
	b.T.Helper()
	var (
		mu   sync.Mutex
		said strings.Builder
	)
	b.Cluster.Progress = func(e progress.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.State == progress.Warned {
			fmt.Fprintf(&said, "%v; %s\n", e.Err, e.Note)
		}
	}
	err := b.Cluster.AwaitRunning(b.T.Context(), cluster.Running{Name: "words", ID: "words1234", JobID: "heron.nomad.words", Containers: 3, Limit: limit})
	return said.String(), err
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
		b := clustertest.New(t)
		place(b, "words1234")
		b.Cluster.TManager = c.tmanager
		said, err := waited(b, patience)
		if err != nil || len(c.tmanager.asked) != c.asked || c.tmanager.asked[0] != "node:6001" {
			t.Errorf("%s: %v, asked %v", what, err, c.tmanager.asked)
		}
		if !strings.Contains(said, c.says) || c.says == "" && said != "" {
			t.Errorf("%s: said %q, want %q", what, said, c.says)
		}
	}

	b := clustertest.New(t)
	place(b, "words1234")
	if _, err := waited(b, patience); err != nil {
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
		b := clustertest.New(t)
		if c.id != "" {
			place(b, c.id)
		}
		never.asked = nil
		b.Cluster.TManager = never
		_, err := waited(b, soon)
		if err == nil || err.Error() != c.want || len(never.asked) > 0 != c.asks {
			t.Errorf("%s: %v, asked %v", what, err, never.asked)
		}
	}
}
