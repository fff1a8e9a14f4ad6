package nomad

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

func mustRegister(t *testing.T, c *Client, job *api.Job) *api.Job {
	t.Helper()
	if _, err := c.Register(context.Background(), job, 0); err != nil {
		t.Fatal(err)
	}
	return mustRead(t, c, *job.ID)
}

func mustRead(t *testing.T, c *Client, id string) *api.Job {
	t.Helper()
	job, err := c.Job(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestRegisterOnlyIfAbsent(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), unplaceable(testJob(t, 2))
	first, err := c.Register(ctx, job, 0)
	if err != nil || first.EvalID == "" || first.JobModifyIndex == 0 {
		t.Fatalf("got %+v, %v", first, err)
	}
	_, err = c.Register(ctx, otherRun(job, "another"), 0)
	if !errors.Is(err, ErrConflict) || errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("got %v, want ErrConflict and a known outcome", err)
	}
	if stored := mustRead(t, c, *job.ID); stored.Meta[jobspec.MetaTopologyID] != job.Meta[jobspec.MetaTopologyID] || *stored.Version != 0 {
		t.Errorf("stored version %d of %s", *stored.Version, stored.Meta[jobspec.MetaTopologyID])
	}
}

func TestRegisterAtAnIndex(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), unplaceable(testJob(t, 2))
	if _, err := c.Register(ctx, job, 7); !errors.Is(err, ErrConflict) {
		t.Fatalf("index of a job that is not there: got %v, want ErrConflict", err)
	}
	stored := mustRegister(t, c, job)
	stored.TaskGroups[0].Count = new(3)
	if _, err := c.Register(ctx, stored, *stored.JobModifyIndex+1); !errors.Is(err, ErrConflict) {
		t.Fatalf("wrong index: got %v, want ErrConflict", err)
	}
	reg, err := c.Register(ctx, stored, *stored.JobModifyIndex)
	if err != nil {
		t.Fatal(err)
	}
	if now := mustRead(t, c, *job.ID); *now.TaskGroups[0].Count != 3 || *now.JobModifyIndex != reg.JobModifyIndex {
		t.Errorf("stored count %d at index %d, want 3 at %d", *now.TaskGroups[0].Count, *now.JobModifyIndex, reg.JobModifyIndex)
	}
}

func TestRegisterOfAnInvalidJob(t *testing.T) {
	job := testJob(t, 1)
	job.TaskGroups[0].Tasks[0].Driver = ""
	_, err := realClient(t).Register(context.Background(), job, 0)
	var r *RejectedError
	if !errors.As(err, &r) || !strings.Contains(r.Message, "Missing task driver") || errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("got %v, want a *RejectedError with Nomad's message", err)
	}
}

// A write is repeated where reading back shows that it was not done.
func TestRegisterToldOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		fault   fault
		unknown bool
	}{
		"500, not done":       {answer500, false},
		"500, done":           {lose500, true},
		"cut, not done":       {cut, false},
		"cut, done":           {loseReply, true},
		"no answer, not done": {silent, false},
		"too many requests":   {answer429, false},
		"slow":                {slow, false},
	} {
		t.Run(name, func(t *testing.T) {
			job := unplaceable(testJob(t, 1))
			timeout := 5 * time.Second
			if c.fault == silent {
				timeout = 500 * time.Millisecond
			}
			p := newFaultProxy(t, realNomad(t), registers(1, c.fault))
			_, err := newClient(t, p.URL, timeout).Register(context.Background(), job, 0)
			if errors.Is(err, ErrUnknownOutcome) != c.unknown || errors.Is(err, ErrUnreachable) != c.unknown {
				t.Errorf("got %v", err)
			}
			if stored := mustRead(t, realClient(t), *job.ID); *stored.Version != 0 {
				t.Errorf("it was written %d times", *stored.Version+1)
			}
		})
	}
}

func TestRefusedConnectionIsAKnownOutcome(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1", time.Second)
	_, err := c.Register(context.Background(), testJob(t, 1), 0)
	if !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("got %v, want ErrUnreachable: nothing was sent", err)
	}
}

func TestJobNotFound(t *testing.T) {
	if _, err := realClient(t).Job(context.Background(), "no such/job?x"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
}

func TestListJobs(t *testing.T) {
	ctx, c := context.Background(), realClient(t)
	one, two := unplaceable(testJob(t, 1)), unplaceable(testJob(t, 1))
	// Like a topology of the original: another id, the same topology.
	two.Meta = map[string]string{jobspec.MetaTopologyName: one.Meta[jobspec.MetaTopologyName], jobspec.MetaTopologyID: "other", "container.index": "1"}
	third := unplaceable(testJob(t, 1))
	third.Meta = nil
	for _, job := range []*api.Job{one, two, third} {
		mustRegister(t, c, job)
	}
	stubs, err := c.Jobs(ctx, *one.ID)
	if err != nil || len(stubs) != 1 || stubs[0].Meta[jobspec.MetaTopologyID] != one.Meta[jobspec.MetaTopologyID] || stubs[0].Stop {
		t.Fatalf("by prefix: %+v, %v", stubs, err)
	}
	if err := c.Stop(ctx, mustRead(t, c, *two.ID)); err != nil {
		t.Fatal(err)
	}
	stubs, err = c.TopologyJobs(ctx, one.Meta[jobspec.MetaTopologyName])
	if err != nil || len(stubs) != 2 {
		t.Fatalf("by topology: %+v, %v", stubs, err)
	}
	for _, stub := range stubs {
		if stub.Stop != (stub.ID == *two.ID) {
			t.Errorf("%s: stop is %v", stub.ID, stub.Stop)
		}
	}
	if stubs, err = c.TopologyJobs(ctx, `none " of these`); err != nil || len(stubs) != 0 {
		t.Fatalf("unknown topology: %+v, %v", stubs, err)
	}
}

func TestListIsOneRequest(t *testing.T) {
	p := newFaultProxy(t, realNomad(t), func(*http.Request) fault { return pass })
	if _, err := newClient(t, p.URL, patience).TopologyJobs(context.Background(), "wc"); err != nil || len(p.seen) != 1 {
		t.Fatalf("%d requests, %v", len(p.seen), err)
	}
}
