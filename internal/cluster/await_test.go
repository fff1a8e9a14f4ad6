package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
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
	return plan("words1234", 1, 2), nil
}

func (*fakeTManager) Activate(context.Context, *heronpb.TManagerLocation) error { return errNotAsked }

func (*fakeTManager) Deactivate(context.Context, *heronpb.TManagerLocation) error { return errNotAsked }

func (*fakeTManager) Configure(context.Context, *heronpb.TManagerLocation, []string) error {
	return errNotAsked
}

var errNotAsked = errors.New("a wait changes nothing")

// plan is a physical plan of containers whose stream managers have the ports
// 7001 and up.
func plan(id string, containers ...int) *heronpb.PhysicalPlan {
	p := &heronpb.PhysicalPlan{Topology: clustertest.Words(id).Proto()}
	for _, index := range containers {
		p.Stmgrs = append(p.Stmgrs, &heronpb.StMgr{
			Id: proto.String(fmt.Sprintf("stmgr-%d", index)), HostName: proto.String("node"),
			DataPort: proto.Int32(int32(7000 + index)), LocalEndpoint: proto.String("/unused"),
		})
	}
	return p
}

// packed is a packing plan of containers.
func packed(id string, containers ...int) *heronpb.PackingPlan {
	p := &heronpb.PackingPlan{Id: &id}
	size := &heronpb.Resource{Cpu: proto.Float64(1), Ram: proto.Int64(1), Disk: proto.Int64(1)}
	for _, index := range containers {
		p.ContainerPlans = append(p.ContainerPlans, &heronpb.ContainerPlan{Id: proto.Int32(int32(index)), RequiredResource: size})
	}
	return p
}

// store makes or overwrites a node as a process of the topology would.
func store(b *clustertest.Bench, path string, message proto.Message) {
	b.T.Helper()
	data, err := proto.Marshal(message)
	b.Must(err)
	ctx := b.T.Context()
	b.Must(b.Store.EnsureDirs(ctx, b.Cluster.State.Dirs()...))
	err = b.Store.Apply(ctx, statemgr.Create(path, data))
	if errors.Is(err, statemgr.ErrExists) {
		err = b.Store.Apply(ctx, statemgr.Set(path, data))
	}
	b.Must(err)
}

// place stores what a TManager of a topology does.
func place(b *clustertest.Bench, id string) {
	b.T.Helper()
	store(b, b.Cluster.State.TManager("words"), &heronpb.TManagerLocation{
		TopologyName: proto.String("words"), TopologyId: &id, Host: proto.String("node"),
		ControllerPort: proto.Int32(6001), ServerPort: proto.Int32(6000),
	})
	store(b, b.Cluster.State.PhysicalPlan("words"), plan(id, 1, 2))
}

// waited is what was said during a wait, and how that ended.
func waited(b *clustertest.Bench, r cluster.Running) (string, error) {
	b.T.Helper()
	var (
		mu   sync.Mutex
		said strings.Builder
	)
	b.Cluster.Progress = func(e progress.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.State == progress.Warned || e.State == progress.Noted {
			fmt.Fprintf(&said, "%v; %s\n", e.Err, e.Note)
		}
	}
	r.Name, r.ID, r.JobID, r.Containers = "words", "words1234", "heron.nomad.words", 3
	err := b.Cluster.AwaitRunning(b.T.Context(), r)
	return said.String(), err
}

const patience = time.Minute

func TestWaitAsksTheTManager(t *testing.T) {
	away := fmt.Errorf("ask: %w at node:6001", tmanager.ErrUnreachable)
	for what, c := range map[string]struct {
		tmanager *fakeTManager
		asked    int
		says     string
	}{
		"it has a plan":             {&fakeTManager{}, 1, ""},
		"it has none yet":           {&fakeTManager{answers: []error{tmanager.ErrNoPlan, tmanager.ErrNoPlan}}, 3, ""},
		"it is another's":           {&fakeTManager{answers: []error{fmt.Errorf("%w: %w", tmanager.ErrUnreachable, tmanager.ErrOther)}}, 2, ""},
		"it is out of reach":        {&fakeTManager{answers: []error{away}}, 1, "at node:6001; the physical plan in the state counts"},
		"it goes out of reach then": {&fakeTManager{answers: []error{tmanager.ErrNoPlan, away}}, 2, "the physical plan in the state counts"},
	} {
		b := clustertest.New(t)
		place(b, "words1234")
		b.Cluster.TManager = c.tmanager
		said, err := waited(b, cluster.Running{Limit: patience})
		if err != nil || len(c.tmanager.asked) != c.asked || c.tmanager.asked[0] != "node:6001" {
			t.Errorf("%s: %v, asked %v", what, err, c.tmanager.asked)
		}
		if !strings.Contains(said, c.says) || c.says == "" && said != "" {
			t.Errorf("%s: said %q, want %q", what, said, c.says)
		}
	}

	b := clustertest.New(t)
	place(b, "words1234")
	if _, err := waited(b, cluster.Running{Limit: patience}); err != nil {
		t.Errorf("nobody to ask: %v", err)
	}
}

func TestWaitEndsWithoutAFreshPlan(t *testing.T) {
	never := &fakeTManager{answers: make([]error, 1000)}
	for i := range never.answers {
		never.answers[i] = tmanager.ErrNoPlan
	}
	for what, c := range map[string]struct {
		id      string // of the location in the state; "" is no state at all
		tm      *fakeTManager
		arrange func(*clustertest.Bench, *cluster.Running)
		want    string
		asks    bool
	}{
		"no TManager at all": {"", never, nil, "its TManager has not registered", false},
		"no plan at all": {"words1234", never, func(b *clustertest.Bench, _ *cluster.Running) {
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(b.Cluster.State.PhysicalPlan("words"))))
		}, "its TManager has not made a physical plan", false},
		"never a complete one":                  {"words1234", never, nil, "its TManager has no complete physical plan", true},
		"the TManager of an earlier submission": {"words0000", never, nil, "its TManager has not registered", false},
		"the plan of an earlier submission": {"words1234", nil, func(b *clustertest.Bench, _ *cluster.Running) {
			store(b, b.Cluster.State.PhysicalPlan("words"), plan("words0000", 1, 2))
		}, "its physical plan is of an earlier run, words0000", false},
		"a container short": {"words1234", &fakeTManager{}, func(b *clustertest.Bench, _ *cluster.Running) {
			store(b, b.Cluster.State.PackingPlan("words"), packed("words1234", 1, 2, 3))
		}, "its physical plan has no stream manager of container 3", true},
		"a container too many": {"words1234", &fakeTManager{}, func(b *clustertest.Bench, _ *cluster.Running) {
			store(b, b.Cluster.State.PackingPlan("words"), packed("words1234", 1))
		}, "its physical plan still has the stream manager of container 2", true},
		"stream managers that are gone": {"words1234", &fakeTManager{}, func(b *clustertest.Bench, _ *cluster.Running) {
			b.Jobs.Ports = map[int]int{0: 6000, 1: 7001, 2: 7099}
		}, "its physical plan is of earlier stream managers in containers 2", true},
		"a TManager that was lost with its node": {"words1234", &fakeTManager{}, func(b *clustertest.Bench, _ *cluster.Running) {
			b.Jobs.Ports, b.Jobs.TManagerPorts = map[int]int{0: 6000, 1: 7001, 2: 7002}, map[string]int{"tmanager-ctl": 6099}
		}, "its registered TManager, at node:6001, is not the one of the container 0 that runs now", true},
		"one that does not answer either": {"words1234", &fakeTManager{answers: unreachable(1000)}, func(b *clustertest.Bench, _ *cluster.Running) {
			b.Jobs.Ports = map[int]int{0: 6098, 1: 7001, 2: 7002}
		}, "its registered TManager, at node:6001, is not the one of the container 0 that runs now", true},
		"the TManager before a restart": {"words1234", &fakeTManager{}, func(b *clustertest.Bench, r *cluster.Running) {
			r.TManagerAfter = mark(b)
		}, "its TManager has not registered anew", false},
		"the plan before an update": {"words1234", &fakeTManager{}, func(b *clustertest.Bench, r *cluster.Running) {
			r.PlanAfter = mark(b)
		}, "its TManager has not made a new physical plan", false},
	} {
		b := clustertest.New(t)
		if c.id != "" {
			place(b, c.id)
		}
		if c.tm != nil {
			c.tm.asked = nil
			b.Cluster.TManager = c.tm
		}
		r := cluster.Running{Limit: 400 * time.Millisecond}
		if c.arrange != nil {
			c.arrange(b, &r)
		}
		_, err := waited(b, r)
		if err == nil || err.Error() != c.want || c.tm != nil && len(c.tm.asked) > 0 != c.asks {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func unreachable(n int) []error {
	return slices.Repeat([]error{fmt.Errorf("ask: %w", tmanager.ErrUnreachable)}, n)
}

func mark(b *clustertest.Bench) *cluster.Mark {
	b.T.Helper()
	m, err := b.Cluster.Mark(b.T.Context(), "words", "words1234")
	b.Must(err)
	return &m
}

func TestWaitTakesWhatCameAfterAMark(t *testing.T) {
	for what, before := range map[string]bool{"there was one": true, "there was none": false} {
		b := clustertest.New(t)
		if before {
			place(b, "words1234")
		}
		m := mark(b)
		place(b, "words1234")
		b.Cluster.TManager = &fakeTManager{}
		if _, err := waited(b, cluster.Running{Limit: patience, TManagerAfter: m, PlanAfter: m}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWaitGoesOnUntilItIsStable(t *testing.T) {
	b := clustertest.New(t)
	place(b, "words1234")
	// The plan goes after the second quiet time: a process in a container died.
	tm := &fakeTManager{}
	b.Cluster.TManager = tm
	b.Jobs.Restarts = [][]nomad.Restart{{{Index: 2, How: "was restarted: exit code 7"}}, nil}
	quiet := 0
	b.Jobs.After = func(method string) error {
		if method == "WaitRestart" {
			if quiet++; quiet == 2 {
				tm.answers = make([]error, len(tm.asked)+1)
				tm.answers[len(tm.asked)] = tmanager.ErrNoPlan
			}
		}
		return nil
	}
	said, err := waited(b, cluster.Running{Limit: patience, StableFor: time.Hour})
	if err != nil || quiet != 3 {
		t.Errorf("watched %d times: %v", quiet, err)
	}
	for _, want := range []string{
		"all run; they have to stay so for 1h0m0s", "container 2 was restarted: exit code 7; waiting again",
		"its TManager has no complete physical plan; waiting again",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
}

func TestWaitSaysWhatWasNotStable(t *testing.T) {
	b := clustertest.New(t)
	place(b, "words1234")
	b.Cluster.TManager = &fakeTManager{}
	b.Jobs.Restarts = [][]nomad.Restart{{{Index: 2, How: "was restarted: exit code 7"}}}
	b.Jobs.Before = func(method string) error {
		if method == "WaitRunning" && len(b.Jobs.Restarts) == 0 {
			return errors.New("the time given is over")
		}
		return nil
	}
	_, err := waited(b, cluster.Running{Limit: patience, StableFor: time.Minute})
	want := "it did not stay as it was for 1m0s: container 2 was restarted: exit code 7 (1 in all): the time given is over"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}
