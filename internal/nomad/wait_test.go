package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestWaitRunningAndStopped(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), testJob(t, 3)
	stored := mustRegister(t, c, job)
	var seen []RunProgress
	if err := c.WaitRunning(ctx, *job.ID, 3, patience, func(p RunProgress) { seen = append(seen, p) }); err != nil {
		t.Fatal(err)
	}
	if last := seen[len(seen)-1]; !last.equal(RunProgress{Want: 3, Placed: 3, Running: 3}) {
		t.Errorf("last report: %+v", last)
	}
	allocs, err := c.Allocations(ctx, *job.ID)
	if err != nil {
		t.Fatal(err)
	}
	var indexes []int
	for _, a := range allocs {
		index, ok := ContainerIndex(a.Name)
		if !ok || a.ClientStatus != api.AllocClientStatusRunning {
			t.Errorf("%s is %s", a.Name, a.ClientStatus)
		}
		indexes = append(indexes, index)
	}
	if !slices.Equal(indexes, []int{0, 1, 2}) {
		t.Errorf("indexes %v, want 0 1 2", indexes)
	}

	if err := c.Stop(ctx, stored); err != nil {
		t.Fatal(err)
	}
	var last StopProgress
	lost, err := c.WaitStopped(ctx, *job.ID, patience, func(p StopProgress) { last = p })
	if err != nil || len(lost) != 0 {
		t.Fatalf("lost %v, %v", lost, err)
	}
	if last.Total != 3 || last.Ended != 3 || len(last.Running) != 0 {
		t.Errorf("last report: %+v", last)
	}
	allocs, err = c.Allocations(ctx, *job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if live, _ := split(allocs); len(live) > 0 {
		t.Errorf("the wait is over, but %v", refs(live))
	}
	if err := c.WaitRunning(ctx, *job.ID, 3, patience, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("waiting for a stopped job to run: got %v, want ErrNotFound", err)
	}
}

func TestWaitStoppedRightAfterTheStart(t *testing.T) {
	// The stop overtakes the evaluation that places the containers.
	ctx, c := context.Background(), realClient(t)
	for range 2 {
		job := testJob(t, 4)
		if err := c.Stop(ctx, mustRegister(t, c, job)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WaitStopped(ctx, *job.ID, patience, nil); err != nil {
			t.Fatal(err)
		}
		allocs, err := c.Allocations(ctx, *job.ID)
		if err != nil {
			t.Fatal(err)
		}
		if live, _ := split(allocs); len(live) > 0 {
			t.Errorf("the wait is over, but %v", refs(live))
		}
	}
}

func TestWaitStoppedRunsOutOfTime(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), shell(testJob(t, 2), "trap '' INT TERM; while :; do sleep 1; done")
	job.TaskGroups[0].Tasks[0].KillTimeout = new(8 * time.Second)
	stored := mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 2, patience, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(ctx, stored); err != nil {
		t.Fatal(err)
	}
	const timeout = time.Second
	_, err := c.WaitStopped(ctx, *job.ID, timeout, nil)
	var running *StillRunningError
	if !errors.As(err, &running) || running.Waited != timeout || len(running.Running) != 2 {
		t.Fatalf("got %v, want a *StillRunningError with two containers", err)
	}
	for i, r := range running.Running {
		if r.Index != i || r.ID == "" || r.Node == "" || r.JobID != *job.ID || !strings.Contains(err.Error(), r.String()) {
			t.Errorf("%+v in %q", r, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.WaitStopped(ended, *job.ID, patience, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestWaitsOutlastAShortOutage(t *testing.T) {
	ctx, job := context.Background(), testJob(t, 1)
	broken := 0
	p := newFaultProxy(t, realNomad(t), func(r *http.Request) fault {
		if strings.HasSuffix(r.URL.Path, "/allocations") || strings.HasSuffix(r.URL.Path, "/evaluations") {
			if broken++; broken <= 4 {
				return []fault{cut, answer500}[broken%2]
			}
		}
		return pass
	})
	c := newClient(t, p.URL, patience)
	stored := mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 1, patience, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(ctx, stored); err != nil {
		t.Fatal(err)
	}
	broken = 0
	if _, err := c.WaitStopped(ctx, *job.ID, patience, nil); err != nil || broken < 4 {
		t.Fatalf("%d requests, %v", broken, err)
	}
}

func TestWaitRunningTellsWhyThereIsNoPlace(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*api.Job)
		want   []string
	}{
		"constraint": {func(j *api.Job) { unplaceable(j) }, []string{`constraint "${attr.kernel.name} = plan9" rules out 1 node`}},
		"memory":     {func(j *api.Job) { j.TaskGroups[0].Tasks[0].Resources.MemoryMB = new(100 << 20) }, []string{"not enough memory on 1 node"}},
		"datacenter": {func(j *api.Job) { j.Datacenters = []string{"mars"} }, []string{"no node is ready in datacenter mars (elsewhere: 1 node in datacenter dc1)"}},
		"driver":     {func(j *api.Job) { j.TaskGroups[0].Tasks[0].Driver = "qemu" }, []string{`driver "qemu" is missing or not healthy on 1 node`}},
	} {
		t.Run(name, func(t *testing.T) {
			job := testJob(t, 3)
			c.change(job)
			mustRegister(t, realClient(t), job)
			const limit = time.Hour
			start := time.Now()
			err := realClient(t).WaitRunning(context.Background(), *job.ID, 3, limit, nil)
			var not *NoPlaceError
			if !errors.As(err, &not) || not.Waited > time.Since(start) || not.Want != 3 || not.Running != 0 || outcome.KindOf(err) != outcome.WaitExpired {
				t.Fatalf("got %v, want a *NoPlaceError before the time is over", err)
			}
			for _, want := range append(c.want, "no place for 3 containers", "gave up after "+rounded(not.Waited).String()) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), limit.String()) {
				t.Errorf("it speaks of the time given: %v", err)
			}
			if _, err := realClient(t).Forecast(t.Context(), job); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWaitRunningWaitsForRoom(t *testing.T) {
	c, reserved := realClient(t), &api.NetworkResource{ReservedPorts: []api.Port{{Label: "mine", Value: 18_997}}}
	first, second := testJob(t, 1), testJob(t, 1)
	for _, job := range []*api.Job{first, second} {
		job.TaskGroups[0].Networks = []*api.NetworkResource{reserved}
	}
	stored := mustRegister(t, c, first)
	if err := c.WaitRunning(t.Context(), *first.ID, 1, patience, nil); err != nil {
		t.Fatal(err)
	}
	mustRegister(t, c, second)
	stopped := make(chan error, 1)
	var said []string
	err := c.WaitRunning(t.Context(), *second.ID, 1, patience, func(p RunProgress) {
		if len(p.Waiting) > 0 && said == nil {
			said = p.Waiting
			go func() { stopped <- c.Stop(context.Background(), stored) }()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "no place for 1 container: not enough network") {
		t.Errorf("it said %q", said)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestWaitRunningTellsWhyTasksFail(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*api.Job)
		want   []string
		// restarts is how often a task must have been restarted, at least: more
		// happen until Nomad's news of them arrives.
		restarts int
	}{
		// Which of the two has failed for good by then is a matter of time.
		"exits":         {change: func(j *api.Job) { shell(j, "echo no >&2; echo boom >&2; echo >&2; exit 7") }, want: []string{" failed: exit code 7", "; the last line of its standard error: boom"}},
		"writes to out": {change: func(j *api.Job) { shell(j, "echo boom; exit 7") }, want: []string{" failed: exit code 7", "; the last line of its standard output: boom"}},
		"writes a log": {change: func(j *api.Job) {
			shell(j, "d=local/container-$NOMAD_ALLOC_INDEX; mkdir -p $d; echo boom >$d/heron-executor-$NOMAD_ALLOC_INDEX.stdout; echo unpacked; exit 7")
		}, want: []string{" failed: exit code 7", "; the last line of its executor/local/container-", ".stdout: boom"}},
		"is ended": {change: func(j *api.Job) { shell(j, "kill -9 $$") }, want: []string{" failed: ", "9"}},
		"exits and is restarted": {change: func(j *api.Job) {
			shell(j, "exit 7")
			j.TaskGroups[0].RestartPolicy = &api.RestartPolicy{Attempts: new(100), Interval: new(time.Hour), Delay: new(10 * time.Millisecond), Mode: new(api.RestartPolicyModeDelay)}
		}, want: []string{"exit code 7, restarted "}, restarts: 3},
		"no such program": {change: func(j *api.Job) { j.TaskGroups[0].Tasks[0].Config = map[string]any{"command": "/no/such/program"} }, want: []string{"/no/such/program"}},
		"no artifact": {change: func(j *api.Job) {
			j.TaskGroups[0].Tasks[0].Artifacts = []*api.TaskArtifact{{GetterSource: new("http://127.0.0.1:1/core.tar.gz")}}
		}, want: []string{"failed to download artifact"}},
	} {
		t.Run(name, func(t *testing.T) {
			job := testJob(t, 2)
			c.change(job)
			mustRegister(t, realClient(t), job)
			err := realClient(t).WaitRunning(context.Background(), *job.ID, 3, time.Hour, nil)
			var not *FailingError
			if !errors.As(err, &not) || strings.Contains(err.Error(), "1h0m0s") {
				t.Fatalf("got %v, want a *FailingError before the time is over", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if c.restarts > 0 {
				times := 0
				_, text, _ := strings.Cut(err.Error(), ", restarted ")
				if _, scanErr := fmt.Sscanf(text, "%d times", &times); scanErr != nil || times < c.restarts {
					t.Errorf("restarted %d times (%v), want at least %d: %v", times, scanErr, c.restarts, err)
				}
			}
		})
	}
}

func TestWaitRunningRunsOutOfTime(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), testJob(t, 1)
	mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 1, patience, nil); err != nil {
		t.Fatal(err)
	}
	const timeout = 3 * time.Second
	err := c.WaitRunning(ctx, *job.ID, 2, timeout, nil)
	var not *NotRunningError
	if !errors.As(err, &not) || not.Limit != timeout || not.Waited < timeout || not.Placed != 1 || not.Running != 1 || not.Want != 2 {
		t.Fatalf("got %v, want a *NotRunningError with 1 of 2", err)
	}
	if err := c.WaitRunning(ctx, "no-such-job", 1, patience, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such job: got %v, want ErrNotFound", err)
	}
}

// What had ended before a job was stopped is nothing that stopping it ends.
func TestWaitStoppedCountsWhatTheStopEnds(t *testing.T) {
	ctx, c := context.Background(), realClient(t)
	job := testJob(t, 3)
	stored := mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 3, patience, nil); err != nil {
		t.Fatal(err)
	}
	stored.TaskGroups[0].Tasks[0].Env = map[string]string{"CHANGED": "yes"}
	if _, err := c.Register(ctx, stored, *stored.JobModifyIndex); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitRunning(ctx, *job.ID, 3, patience, nil); err != nil {
		t.Fatal(err)
	}
	awaitEnded(t, c, *job.ID, 3)
	stored = mustRead(t, c, *job.ID)
	if err := c.Stop(ctx, stored); err != nil {
		t.Fatal(err)
	}
	var reports []StopProgress
	if _, err := c.WaitStopped(ctx, *job.ID, patience, func(p StopProgress) { reports = append(reports, p) }); err != nil {
		t.Fatal(err)
	}
	for _, p := range reports {
		if p.Total != 3 || p.Ended+len(p.Running) != 3 {
			t.Errorf("report: %+v, want 3 in all", p)
		}
	}
}

// awaitEnded waits until n containers of a job have ended.
func awaitEnded(t *testing.T, c *Client, id string, n int) {
	t.Helper()
	list := c.watchAllocations(id, true)
	for {
		allocs, _, err := list.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		live, _ := split(allocs)
		if len(allocs)-len(live) == n {
			return
		}
	}
}

func TestWaitRunningSeesTheJobChange(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Client, *api.Job) error
		want   error
	}{
		"stopped": {func(c *Client, job *api.Job) error { return c.Stop(context.Background(), job) }, ErrNotFound},
		"changed": {func(c *Client, job *api.Job) error {
			job.TaskGroups[0].Count = new(2)
			_, err := c.Register(context.Background(), job, *job.JobModifyIndex)
			return err
		}, ErrConflict},
		"purged": {func(c *Client, job *api.Job) error { return c.Purge(context.Background(), *job.ID) }, ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			client, job := realClient(t), testJob(t, 1)
			stored := mustRegister(t, client, job)
			changed := make(chan error, 1)
			started := false
			// Three are wanted and one runs, so the wait goes on until the change.
			err := client.WaitRunning(context.Background(), *job.ID, 3, patience, func(p RunProgress) {
				if p.Running == 1 && !started {
					started = true
					go func() { changed <- c.change(client, stored) }()
				}
			})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if !started {
				t.Fatal("the container never ran")
			}
			if err := <-changed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWaitRunningLooksAtThePresentVersionOnly(t *testing.T) {
	ctx, c := context.Background(), realClient(t)
	// A program that is not there never runs, not even for a moment.
	job := testJob(t, 1)
	job.TaskGroups[0].Tasks[0].Config = map[string]any{"command": "/no/such/program"}
	stored := mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 1, patience, nil); err == nil {
		t.Fatal("it runs")
	}
	stored.TaskGroups[0].Tasks[0].Config = map[string]any{"command": "/bin/sleep", "args": []string{"3600"}}
	if _, err := c.Register(ctx, stored, *stored.JobModifyIndex); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitRunning(ctx, *job.ID, 1, patience, nil); err != nil {
		t.Fatal(err)
	}
}
