package doctor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

func TestAHealthyTopology(t *testing.T) {
	b := healthy(t)
	r := b.examine()
	if list := ofTopologies(r); len(list) > 0 || r.Err() != nil {
		t.Errorf("%+v", r)
	}
	found := false
	for _, c := range r.Checks {
		found = found || c.Name == doctor.Topology && c.About == "words" && strings.Contains(c.Text, "healthy")
	}
	if !found {
		t.Errorf("nothing about words in %+v", r.Checks)
	}
}

// What does not fit is found, each with the command that repairs it.
func TestWhatDoesNotFit(t *testing.T) {
	stopped := true
	other := "words9999"
	for name, c := range map[string]struct {
		spoil          func(b *bench)
		status         doctor.Status
		remedy, speaks string
	}{
		"no job":            {func(b *bench) { delete(b.Jobs.Jobs, job) }, doctor.Problem, outcome.Kill, "it has no job"},
		"another namespace": {func(b *bench) { b.Settings.Nomad.Namespace = "ads"; delete(b.Jobs.Jobs, job) }, doctor.Warning, "", "not \"ads\""},
		"a stopped job":     {func(b *bench) { b.Jobs.Jobs[job].Stop = &stopped }, doctor.Problem, outcome.Kill, "is stopped"},
		"another's job":     {func(b *bench) { b.Jobs.Jobs[job].Meta["heron.state.root"] = "/other" }, doctor.Problem, "", "is not ours"},
		"a job of other id": {func(b *bench) { b.Jobs.Jobs[job].Meta["topology.id"] = other }, doctor.Problem, outcome.Kill, "different topology ids"},
		"no definition":     {func(b *bench) { b.drop(b.Cluster.State.Topology("words")) }, doctor.Problem, outcome.Kill, "incomplete"},
		"no record":         {func(b *bench) { b.drop(b.Cluster.State.Deployment("words")) }, doctor.Problem, outcome.Kill, "incomplete"},
		"no packing plan":   {func(b *bench) { b.drop(b.Cluster.State.PackingPlan("words")) }, doctor.Problem, outcome.Kill, "incomplete"},
		"an unreadable one": {func(b *bench) { b.set(b.Cluster.State.Deployment("words"), []byte(`{"version": 99}`)) }, doctor.Problem, outcome.Kill, "cannot be understood"},
		"a plan of other id": {func(b *bench) {
			data, err := proto.Marshal(&heronpb.PhysicalPlan{Topology: &heronpb.Topology{Id: &other, Name: proto.String("words"), State: heronpb.TopologyState_RUNNING.Enum()}})
			b.Must(err)
			b.set(b.Cluster.State.PhysicalPlan("words"), data)
		}, doctor.Problem, outcome.Restart, "earlier run"},
		"the package is gone": {func(b *bench) { b.Must(os.RemoveAll(b.Packages)) }, doctor.Problem, "", "its package is gone"},
		"the original's lock": {func(b *bench) { b.create(b.Cluster.State.Locks("words"), "thread") }, doctor.Warning, outcome.Unlock, "lock for updates"},
		"a dead activation":   {func(b *bench) { b.die(statemgr.OperationActivate) }, doctor.Problem, outcome.Unlock, "has died"},
		"a dead update":       {func(b *bench) { b.die(statemgr.OperationUpdate) }, doctor.Problem, outcome.Kill, "has died"},
		"a container failed": {func(b *bench) {
			b.Jobs.Change(job, func(c *nomad.Container) {
				if c.Index == 1 {
					c.Status, c.Failure = "failed", "failed: exit code 1"
				}
			})
		}, doctor.Problem, "", "not running: container 1"},
		"a doubled index": {func(b *bench) { b.Jobs.Place(job, 1) }, doctor.Problem, outcome.Restart, "more than once 1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := healthy(t)
			c.spoil(b)
			b.want(c.status, c.remedy, c.speaks)
			b.opts.Topology = "words"
			b.want(c.status, c.remedy, c.speaks)
		})
	}
}

func (b *bench) drop(path string) { b.Must(b.Store.Store.Apply(b.T.Context(), statemgr.Delete(path))) }
func (b *bench) set(path string, data []byte) {
	b.Must(b.Store.Store.Apply(b.T.Context(), statemgr.Set(path, data)))
}
func (b *bench) create(path string, text string) {
	b.Must(b.Store.Store.Apply(b.T.Context(), statemgr.Create(path, []byte(text))))
}

// die leaves the intent of an operation that died.
func (b *bench) die(op string) { b.claim(op).Release(b.T.Context()) }

func (b *bench) claim(op string) *operation.Claim {
	b.T.Helper()
	c, err := operation.Take(b.T.Context(), b.Cluster.State, nil, "words", statemgr.Intent{
		Operation: op, Step: "one", TopologyID: id, Cluster: "nomad", Role: "ads", Environ: "prod",
		Owner: statemgr.NewOwner(op, "ann", time.Now()),
	}, nil)
	b.Must(err)
	return c
}

// While a command is at work its topology may be in parts.
func TestACommandUnderWay(t *testing.T) {
	b := healthy(t)
	b.claim(statemgr.OperationUpdate)
	delete(b.Jobs.Jobs, job)
	if list := ofTopologies(b.examine()); len(list) > 0 {
		t.Errorf("%+v", list)
	}
}

func TestWhatIsLeftOfATopology(t *testing.T) {
	b := healthy(t)
	b.Must(os.RemoveAll(filepath.Dir(b.Cluster.State.Topology("words"))))
	for _, path := range []string{b.Cluster.State.ExecutionState("words"), b.Cluster.State.PackingPlan("words"), b.Cluster.State.Scheduler("words"), b.Cluster.State.Deployment("words")} {
		b.Must(os.Remove(path))
	}
	list := ofTopologies(b.examine())
	if len(list) != 1 || !strings.Contains(list[0].Text, "and no state") || list[0].Remedy == nil {
		t.Errorf("%+v", list)
	}
	delete(b.Jobs.Jobs, job)
	list = ofTopologies(b.examine())
	if len(list) != 1 || !strings.Contains(list[0].Text, "nodes are left of it") || list[0].Remedy == nil {
		t.Errorf("%+v", list)
	}
}

func TestAHistoryThatIsLeft(t *testing.T) {
	b := healthy(t)
	tree := b.Cluster.State
	b.Must(b.Store.Store.Apply(t.Context(), tree.CreateHistory("gone"), statemgr.Create(tree.Version("gone", 1), []byte("{}"))))
	list := ofTopologies(b.examine())
	if len(list) != 1 || list[0].About != "gone" || !strings.Contains(list[0].Text, "nodes are left of it") || list[0].Remedy == nil {
		t.Errorf("%+v", list)
	}
}

func TestOneTopology(t *testing.T) {
	b := healthy(t)
	b.opts.Topology = "nosuch"
	if r := b.examine(); outcome.KindOf(r.Err()) != outcome.Differs || len(wrong(r, doctor.Topology)) != 1 {
		t.Errorf("%+v", r)
	}
	b.opts.Topology, b.opts.Role = "words", "others"
	if list := wrong(b.examine(), doctor.Topology); len(list) != 1 || !strings.Contains(list[0].Text, "it is at nomad/ads/prod") {
		t.Errorf("%+v", list)
	}
	b.opts.Topology = ""
	if list := wrong(b.examine(), doctor.Topology); len(list) > 0 {
		t.Errorf("a topology of another role: %+v", list)
	}
}

// Wherever a submit or a kill dies, doctor finds it if anything is left, and the
// command that it names removes all there is to find.
func TestTheRemedyRepairs(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b := newBench(t)
			process, m := b.Mortal(at, after)
			err := submitTo(t.Context(), b, process)
			if died = m.Dead; !died {
				b.Must(err)
			}
			b.repaired(fmt.Sprintf("submit %d-%v", at, after))
		}
		for at, died := 1, true; died; at++ {
			b := newBench(t)
			b.Must(submitTo(t.Context(), b, b.Cluster))
			process, m := b.Mortal(at, after)
			_, err := lifecycle.Kill(t.Context(), process, "words", lifecycle.KillOptions{})
			if died = m.Dead; !died {
				b.Must(err)
			}
			b.repaired(fmt.Sprintf("kill %d-%v", at, after))
		}
	}
}

// repaired does what doctor says, until it has nothing more to say.
func (b *bench) repaired(what string) {
	b.T.Helper()
	for range 3 {
		list := wrong(b.examine(), doctor.Topology, doctor.Claim)
		if len(list) == 0 {
			return
		}
		r := list[0].Remedy
		if r == nil {
			b.T.Errorf("%s: no remedy for %+v", what, list[0])
			return
		}
		var err error
		switch r.Action {
		case outcome.Kill:
			_, err = lifecycle.Kill(b.T.Context(), b.Cluster, r.Topology, lifecycle.KillOptions{})
		case outcome.Unlock:
			_, err = lifecycle.Unlock(b.T.Context(), b.Cluster, r.Topology, lifecycle.UnlockOptions{})
		default:
			b.T.Errorf("%s: the remedy is %q", what, r.Action)
		}
		if err != nil {
			b.T.Errorf("%s: %s: %v", what, r.Action, err)
			return
		}
	}
	b.T.Errorf("%s: still wrong", what)
}
