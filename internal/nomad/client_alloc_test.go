package nomad

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"
)

// containerWith waits until one container of a job is as it should be.
func containerWith(t *testing.T, c *Client, jobID string, is func(Container) bool) Container {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var index uint64
	for {
		list, seen, err := c.ContainersSince(ctx, jobID, index)
		if err != nil {
			t.Fatalf("%v; last seen: %+v", err, list)
		}
		for _, one := range list {
			if is(one) {
				return one
			}
		}
		index = seen
	}
}

// starting changes the job so that its containers are started again at once.
func starting(job *api.Job) *api.Job {
	g := job.TaskGroups[0]
	g.RestartPolicy = &api.RestartPolicy{Attempts: new(3), Interval: new(time.Minute), Delay: new(time.Millisecond), Mode: new(api.RestartPolicyModeDelay)}
	g.ReschedulePolicy = &api.ReschedulePolicy{Unlimited: new(true), Delay: new(time.Hour), MaxDelay: new(time.Hour), DelayFunction: new("constant")}
	return job
}

// allocations selects changing requests about allocations, the first n of them.
func allocations(n int, f fault) func(*http.Request) fault {
	return func(r *http.Request) fault {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/allocation/") && n > 0 {
			n--
			return f
		}
		return pass
	}
}

func TestRestartInPlace(t *testing.T) {
	c, job := realClient(t), starting(testJob(t, 1))
	mustRegister(t, c, job)
	before := containerWith(t, c, *job.ID, Container.Running)
	if before.Started.IsZero() || !before.Signaled.IsZero() {
		t.Errorf("before: %+v", before)
	}
	restarted := func(than Container) Container {
		return containerWith(t, c, *job.ID, func(now Container) bool { return now.Running() && now.Started.After(than.Started) })
	}
	if err := c.RestartInPlace(t.Context(), before.ID, "executor"); err != nil {
		t.Fatal(err)
	}
	after := restarted(before)
	if after.ID != before.ID || after.Restarts != before.Restarts+1 || !after.Signaled.After(before.Started) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	// A lost answer is told apart, and the request is not repeated.
	p := newFaultProxy(t, realNomad(t), allocations(99, loseReply))
	if err := newClient(t, p.URL, patience).RestartInPlace(t.Context(), before.ID, "executor"); !errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("with a lost answer: %v", err)
	}
	if again := restarted(after); again.Restarts != after.Restarts+1 {
		t.Errorf("after a lost answer: %+v, then %+v", after, again)
	}
	// One that was certainly not made is repeated.
	p = newFaultProxy(t, realNomad(t), allocations(1, answer429))
	if err := newClient(t, p.URL, patience).RestartInPlace(t.Context(), before.ID, "executor"); err != nil {
		t.Errorf("refused once as too many: %v", err)
	}
	if err := c.RestartInPlace(t.Context(), uuid.NewString(), "executor"); !errors.Is(err, ErrNoAllocation) {
		t.Errorf("an unknown allocation: %v", err)
	}
}

func TestRestartInPlaceOfWhatDoesNotRun(t *testing.T) {
	c, job := realClient(t), shell(testJob(t, 1), "exit 1")
	mustRegister(t, c, job)
	dead := containerWith(t, c, *job.ID, func(one Container) bool { return one.Status == api.AllocClientStatusFailed })
	if err := c.RestartInPlace(t.Context(), dead.ID, "executor"); !errors.Is(err, ErrTaskNotRunning) {
		t.Errorf("an ended task: %v", err)
	}
}

func TestStopAllocation(t *testing.T) {
	c, job := realClient(t), starting(testJob(t, 2))
	mustRegister(t, c, job)
	second := func(one Container) bool { return one.Index == 1 && one.Running() }
	before := containerWith(t, c, *job.ID, second)
	p := newFaultProxy(t, realNomad(t), allocations(1, loseReply))
	if err := newClient(t, p.URL, patience).StopAllocation(t.Context(), before.ID); err != nil {
		t.Fatalf("with a lost answer: %v", err)
	}
	after := containerWith(t, c, *job.ID, func(one Container) bool { return second(one) && one.ID != before.ID })
	if err := c.StopAllocation(t.Context(), before.ID); err != nil {
		t.Errorf("one that has ended: %v", err)
	}
	if err := c.StopAllocation(t.Context(), uuid.NewString()); !errors.Is(err, ErrNoAllocation) {
		t.Errorf("an unknown allocation: %v", err)
	}
	if now := containerWith(t, c, *job.ID, second); now.ID != after.ID {
		t.Errorf("it was replaced once more: %+v, then %+v", after, now)
	}
}

func TestRescheduleFailed(t *testing.T) {
	file := t.TempDir() + "/works"
	c, job := realClient(t), shell(starting(testJob(t, 1)), "test -e "+file+" && exec sleep 3600; exit 1")
	job.TaskGroups[0].RestartPolicy.Mode, job.TaskGroups[0].RestartPolicy.Attempts = new(api.RestartPolicyModeFail), new(0)
	mustRegister(t, c, job)
	containerWith(t, c, *job.ID, func(one Container) bool { return one.Status == api.AllocClientStatusFailed })
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.RescheduleFailed(t.Context(), *job.ID); err != nil {
		t.Fatal(err)
	}
	containerWith(t, c, *job.ID, Container.Running)
}
