package nomad

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/hashicorp/nomad/api"
)

func TestChangesComeThroughFaults(t *testing.T) {
	for name, f := range map[string]fault{"no fault": pass, "500 before": answer500, "500 after": lose500, "cut before": cut, "reply lost": loseReply} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			stored := mustRegister(t, realClient(t), unplaceable(testJob(t, 1)))
			c := newClient(t, newFaultProxy(t, realNomad(t), registers(1, f)).URL, patience)
			grown, err := c.SetCount(ctx, stored, 3)
			if err != nil || value(grown.TaskGroups[0].Count) != 3 || value(grown.Version) != value(stored.Version)+1 {
				t.Fatalf("%+v, %v", grown, err)
			}
			if same, err := c.SetCount(ctx, grown, 3); err != nil || same != grown {
				t.Errorf("nothing to change: %v", err)
			}
			if _, err := c.SetCount(ctx, stored, 4); !errors.Is(err, ErrConflict) {
				t.Errorf("an old reading: %v", err)
			}
		})
	}
}

// A request that was sent twice because its answer was late may be carried out
// twice: then what is there is right, under another index than was answered.
func TestAChangeThatWasCarriedOutTwice(t *testing.T) {
	c := realClient(t)
	stored := mustRegister(t, c, unplaceable(testJob(t, 1)))
	written, priority := false, value(stored.Priority)
	p := newFaultProxy(t, realNomad(t), func(r *http.Request) fault {
		switch {
		case r.Method == http.MethodPut:
			written = true
		case written && priority == value(stored.Priority):
			priority++ // which containers do not see
			job, err := c.Job(t.Context(), *stored.ID)
			if err == nil {
				job.Priority = &priority
				_, err = c.Register(t.Context(), job, value(job.JobModifyIndex))
			}
			if err != nil {
				t.Error(err)
			}
		}
		return pass
	})
	grown, err := newClient(t, p.URL, patience).SetCount(t.Context(), stored, 3)
	if err != nil || value(grown.TaskGroups[0].Count) != 3 || value(grown.Priority) != priority {
		t.Errorf("%+v, %v", grown, err)
	}
}

func TestASpecComesThroughFaults(t *testing.T) {
	for name, f := range map[string]fault{"500 after": lose500, "cut before": cut, "reply lost": loseReply} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			stored := mustRegister(t, realClient(t), unplaceable(testJob(t, 2)))
			spec := *stored
			group, task := *stored.TaskGroups[0], *stored.TaskGroups[0].Tasks[0]
			task.Env = map[string]string{"WHAT": "changed"}
			update := *stored.TaskGroups[0].Update
			update.Canary = new(1)
			group.Count, group.Tasks, group.Update = new(5), []*api.Task{&task}, &update
			spec.TaskGroups = []*api.TaskGroup{&group}
			c := newClient(t, newFaultProxy(t, realNomad(t), registers(1, f)).URL, patience)
			now, err := c.SetSpec(ctx, stored, &spec)
			if err != nil {
				t.Fatal(err)
			}
			g := now.TaskGroups[0]
			if value(g.Count) != 2 || value(g.Update.Canary) != 0 || g.Tasks[0].Env["WHAT"] != "changed" {
				t.Errorf("count %d, canaries %d, environment %v", value(g.Count), value(g.Update.Canary), g.Tasks[0].Env)
			}
		})
	}
}

func TestChangesOfWhatIsNotAsItWasRead(t *testing.T) {
	ctx, c := context.Background(), realClient(t)
	stored := mustRegister(t, c, unplaceable(testJob(t, 1)))
	unread := *stored
	unread.JobModifyIndex = nil
	if _, err := c.SetCount(ctx, &unread, 2); err == nil {
		t.Error("a job that was not read was changed")
	}
	if _, err := c.SetSpec(ctx, stored, unplaceable(sleepingJob(1))); err == nil {
		t.Error("a job became another")
	}
	if err := c.Stop(ctx, stored); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetCount(ctx, stored, 2); !errors.Is(err, ErrConflict) {
		t.Errorf("stopped meanwhile: %v", err)
	}
	if _, err := c.SetCount(ctx, mustRead(t, c, *stored.ID), 2); !errors.Is(err, ErrConflict) {
		t.Errorf("stopped: %v", err)
	}
	removeJob(t, *stored.ID)
	if _, err := c.SetCount(ctx, stored, 2); !errors.Is(err, ErrNotFound) {
		t.Errorf("purged: %v", err)
	}
}
