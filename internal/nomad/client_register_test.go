package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

func TestRegisterNew(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), unplaceable(testJob(t, 2))
	first, err := c.RegisterNew(ctx, job)
	if err != nil || first.EvalID == "" {
		t.Fatalf("got %+v, %v", first, err)
	}
	again, err := c.RegisterNew(ctx, job)
	if err != nil || again.JobModifyIndex != first.JobModifyIndex {
		t.Fatalf("the same run again: got %+v, %v; want the index %d", again, err, first.JobModifyIndex)
	}
	_, err = c.RegisterNew(ctx, otherRun(job, "another"))
	var exists *ExistsError
	if !errors.As(err, &exists) || !errors.Is(err, ErrExists) || exists.Job.Meta[jobspec.MetaTopologyID] != job.Meta[jobspec.MetaTopologyID] {
		t.Fatalf("another run: got %v, want an *ExistsError with what is there", err)
	}
	if stored := mustRead(t, c, *job.ID); *stored.Version != 0 {
		t.Errorf("version %d is stored, want 0", *stored.Version)
	}
}

func TestRegisterNewNeedsATopologyID(t *testing.T) {
	job := unplaceable(testJob(t, 1))
	job.Meta = nil
	if _, err := realClient(t).RegisterNew(context.Background(), job); outcome.KindOf(err) != outcome.Usage {
		t.Fatalf("got %v, want an error of kind usage", err)
	}
}

func TestRegisterNewComesThroughFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault
		times int
		ok    bool
	}{
		"500 before":           {answer500, 1, true},
		"refused as too many":  {answer429, 3, true},
		"no leader for a time": {noLeader, 6, true},
		"500 after":            {lose500, 1, true},
		"cut before":           {cut, 1, true},
		"reply lost":           {loseReply, 1, true},
		"every reply lost":     {loseReply, 99, true},
		"never answers":        {silent, 1, true},
		"slow":                 {slow, 99, true},
		"500 every time":       {answer500, 99, false},
		"always silent":        {silent, 99, false},
		"cut before each time": {cut, 99, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, job := context.Background(), unplaceable(testJob(t, 2))
			timeout := patience
			if c.fault == silent || !c.ok {
				timeout = 3 * time.Second
			}
			p := newFaultProxy(t, realNomad(t), registers(c.times, c.fault))
			reg, err := newClient(t, p.URL, timeout).RegisterNew(ctx, job)
			if !c.ok {
				if !errors.Is(err, ErrUnknownOutcome) || !errors.Is(err, ErrUnreachable) {
					t.Fatalf("got %v, want an unknown outcome", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			stored := mustRead(t, realClient(t), *job.ID)
			if *stored.JobModifyIndex != reg.JobModifyIndex || *stored.Version != 0 {
				t.Errorf("stored version %d at index %d, want 0 at %d", *stored.Version, *stored.JobModifyIndex, reg.JobModifyIndex)
			}
		})
	}
}

func TestLostReplyOfAForeignJobIsNoSuccess(t *testing.T) {
	ctx, job := context.Background(), unplaceable(testJob(t, 1))
	mustRegister(t, realClient(t), otherRun(job, "another"))
	for _, f := range []fault{loseReply, lose500, cut} {
		p := newFaultProxy(t, realNomad(t), registers(1, f))
		if _, err := newClient(t, p.URL, patience).RegisterNew(ctx, job); !errors.Is(err, ErrExists) {
			t.Errorf("got %v, want ErrExists", err)
		}
	}
}

func TestRegisterNewOverAStoppedJob(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), unplaceable(testJob(t, 1))
	if err := c.Stop(ctx, mustRegister(t, c, job)); err != nil {
		t.Fatal(err)
	}
	var exists *ExistsError
	if _, err := c.RegisterNew(ctx, job); !errors.As(err, &exists) || !*exists.Job.Stop {
		t.Fatalf("its own run, stopped: got %v, want an *ExistsError with a stopped job", err)
	}
	next := otherRun(job, "the next")
	stale := *exists.Job
	stale.JobModifyIndex = new(*stale.JobModifyIndex - 1)
	if _, err := c.TakeOver(ctx, next, &stale); !errors.Is(err, ErrExists) {
		t.Fatalf("as it was before: got %v, want ErrExists", err)
	}
	p := newFaultProxy(t, realNomad(t), registers(1, loseReply))
	if _, err := newClient(t, p.URL, patience).TakeOver(ctx, next, exists.Job); err != nil {
		t.Fatal(err)
	}
	stored := mustRead(t, c, *job.ID)
	if *stored.Stop || stored.Meta[jobspec.MetaTopologyID] != "the next" {
		t.Errorf("stored: stop %v, %s", *stored.Stop, stored.Meta[jobspec.MetaTopologyID])
	}
	if _, err := c.TakeOver(ctx, otherRun(job, "a third"), stored); !errors.Is(err, ErrExists) {
		t.Fatalf("a job that is not stopped: got %v, want ErrExists", err)
	}
	// A resumed submit finds its own job, with the history of the one before.
	if _, err := c.RegisterNew(ctx, next); err != nil {
		t.Fatal(err)
	}
	if now := mustRead(t, c, *job.ID); *now.JobModifyIndex != *stored.JobModifyIndex {
		t.Error("finding it wrote to it")
	}
}

// race runs several registrations of one id at once, of different runs, and
// checks that exactly one succeeded and is stored.
func race(t *testing.T, id string, register func(topologyID string) error) {
	t.Helper()
	const rivals = 3
	start := make(chan struct{})
	errs := make([]error, rivals)
	var all sync.WaitGroup
	for i := range rivals {
		all.Go(func() {
			<-start
			errs[i] = register(fmt.Sprint("run ", i))
		})
	}
	close(start)
	all.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Errorf("runs %d and %d both succeeded", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, ErrExists):
			t.Errorf("run %d: got %v, want ErrExists", i, err)
		}
	}
	stored := mustRead(t, realClient(t), id)
	if want := fmt.Sprint("run ", winner); stored.Meta[jobspec.MetaTopologyID] != want {
		t.Errorf("stored is %s, but %s succeeded", stored.Meta[jobspec.MetaTopologyID], want)
	}
}

func TestRaceHasOneWinner(t *testing.T) {
	c := realClient(t)
	for range 20 {
		job := unplaceable(testJob(t, 1))
		race(t, *job.ID, func(topologyID string) error {
			_, err := c.RegisterNew(context.Background(), otherRun(job, topologyID))
			return err
		})
	}
}

func TestRaceToTakeOverHasOneWinner(t *testing.T) {
	ctx, c := context.Background(), realClient(t)
	for range 5 {
		job := unplaceable(testJob(t, 1))
		if err := c.Stop(ctx, mustRegister(t, c, job)); err != nil {
			t.Fatal(err)
		}
		stopped := mustRead(t, c, *job.ID)
		race(t, *job.ID, func(topologyID string) error {
			_, err := c.TakeOver(ctx, otherRun(job, topologyID), stopped)
			return err
		})
	}
}

// A registration that passed Nomad's comparison in the same moment as another
// is rare; here its effect is made: the second write follows the first, and
// only then do both read back.
func TestSettlePutsTheFirstBack(t *testing.T) {
	ctx, c := context.Background(), realClient(t)
	job := unplaceable(testJob(t, 1))
	one, two := otherRun(job, "first"), otherRun(job, "second")
	reg1, err := c.Register(ctx, one, 0)
	if err != nil {
		t.Fatal(err)
	}
	reg2, err := c.Register(ctx, two, reg1.JobModifyIndex)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.settle(ctx, two, reg2, 0); !errors.Is(err, ErrExists) {
		t.Errorf("the second: got %v, want ErrExists", err)
	}
	if _, err := c.settle(ctx, one, reg1, 0); err != nil {
		t.Errorf("the first: %v", err)
	}
	if now := mustRead(t, c, *job.ID); now.Meta[jobspec.MetaTopologyID] != "first" {
		t.Errorf("stored is %s", now.Meta[jobspec.MetaTopologyID])
	}
}

func TestStop(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), testJob(t, 1)
	stored := mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 1, patience, nil); err != nil {
		t.Fatal(err)
	}
	stale := *stored
	stale.JobModifyIndex = new(*stored.JobModifyIndex + 1)
	if err := c.Stop(ctx, &stale); !errors.Is(err, ErrConflict) {
		t.Fatalf("wrong index: got %v, want ErrConflict", err)
	}
	if now := mustRead(t, c, *job.ID); *now.Stop || *now.JobModifyIndex != *stored.JobModifyIndex {
		t.Fatal("the refused stop changed the job")
	}
	for range 2 {
		if err := c.Stop(ctx, stored); err != nil {
			t.Fatal(err)
		}
	}
	now := mustRead(t, c, *job.ID)
	if !*now.Stop || *now.TaskGroups[0].Count != 1 || now.Meta[jobspec.MetaTopologyID] != job.Meta[jobspec.MetaTopologyID] {
		t.Fatalf("after the stop: %+v", now)
	}
	if err := c.Stop(ctx, now); err != nil {
		t.Errorf("stopped already: %v", err)
	}
	if *stored.Stop {
		t.Error("the caller's job was changed")
	}
}

func TestStopOfAJobThatIsNotThere(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), unplaceable(testJob(t, 1))
	stored := mustRegister(t, c, job)
	if err := c.Purge(ctx, *job.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(ctx, stored); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if err := c.Stop(ctx, job); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("a job that was never read: got %v, want an error of kind usage", err)
	}
	if err := c.Purge(ctx, *job.ID); err != nil {
		t.Errorf("purging again: %v", err)
	}
}

func TestStopSparesAJobMadeAnew(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), unplaceable(testJob(t, 1))
	stored := mustRegister(t, c, job)
	if err := c.Purge(ctx, *job.ID); err != nil {
		t.Fatal(err)
	}
	mustRegister(t, c, otherRun(job, "the next"))
	if err := c.Stop(ctx, stored); !errors.Is(err, ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	if now := mustRead(t, c, *job.ID); *now.Stop {
		t.Error("the new job was stopped")
	}
}

func TestStopComesThroughFaults(t *testing.T) {
	for name, f := range map[string]fault{"500 before": answer500, "500 after": lose500, "cut before": cut, "reply lost": loseReply} {
		t.Run(name, func(t *testing.T) {
			job := unplaceable(testJob(t, 1))
			stored := mustRegister(t, realClient(t), job)
			p := newFaultProxy(t, realNomad(t), registers(1, f))
			if err := newClient(t, p.URL, patience).Stop(context.Background(), stored); err != nil {
				t.Fatal(err)
			}
			if now := mustRead(t, realClient(t), *job.ID); !*now.Stop {
				t.Error("it is not stopped")
			}
		})
	}
}

func TestPurgeOwned(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), shell(testJob(t, 1), "trap '' INT TERM; while :; do sleep 1; done")
	job.TaskGroups[0].Tasks[0].KillTimeout = new(3 * time.Second)
	id, topology := *job.ID, job.Meta[jobspec.MetaTopologyID]
	stored := mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, id, 1, patience, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.PurgeOwned(ctx, id, "another"); !errors.Is(err, ErrExists) {
		t.Errorf("another's: got %v, want ErrExists", err)
	}
	if err := c.PurgeOwned(ctx, id, topology); !errors.Is(err, ErrConflict) {
		t.Errorf("not stopped: got %v, want ErrConflict", err)
	}
	if err := c.Stop(ctx, stored); err != nil {
		t.Fatal(err)
	}
	var running *StillRunningError
	if err := c.PurgeOwned(ctx, id, topology); !errors.As(err, &running) || len(running.Running) != 1 {
		t.Errorf("still ending: got %v, want a *StillRunningError", err)
	}
	if _, err := c.WaitStopped(ctx, id, patience, nil); err != nil {
		t.Fatal(err)
	}
	lost := 1
	p := newFaultProxy(t, realNomad(t), func(r *http.Request) fault {
		if r.Method == http.MethodDelete && lost > 0 {
			lost--
			return loseReply
		}
		return pass
	})
	if err := newClient(t, p.URL, patience).PurgeOwned(ctx, id, topology); err != nil {
		t.Errorf("the reply is lost: %v", err)
	}
	if _, err := c.Job(ctx, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("after the purge: %v", err)
	}
	if err := c.PurgeOwned(ctx, id, topology); err != nil {
		t.Errorf("gone already: %v", err)
	}
}

func TestExistsErrorNamesWhatIsThere(t *testing.T) {
	err := &ExistsError{Job: &api.Job{ID: new("heron.c.wc"), Status: new("running"), Meta: map[string]string{jobspec.MetaTopologyID: "wc1"}}}
	if got, want := err.Error(), `job exists already: "heron.c.wc" is running, of topology id "wc1"`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
