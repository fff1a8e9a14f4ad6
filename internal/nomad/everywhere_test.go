package nomad

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/outcome"
)

// everywhere is a job that runs a script once on every node.
func everywhere(t *testing.T, script string) *api.Job {
	t.Helper()
	job := testJob(t, 1)
	job.Type = new(api.JobTypeSysbatch)
	group := job.TaskGroups[0]
	group.Update, group.ReschedulePolicy = nil, nil
	group.Tasks = []*api.Task{{
		Name: "say", Driver: "raw_exec", Config: map[string]any{"command": "/bin/sh", "args": []string{"-c", script}},
		Resources: &api.Resources{CPU: new(10), MemoryMB: new(10)}, LogConfig: &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)},
	}}
	return job
}

func wantNoJob(t *testing.T, c *Client, job *api.Job) {
	t.Helper()
	if _, err := c.Job(context.Background(), *job.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the job is left: %v", err)
	}
}

func TestRunEverywhere(t *testing.T) {
	c := realClient(t)
	for name, want := range map[string]struct {
		script, status, output string
		fails                  bool
	}{
		"what it says": {"echo one; echo two", "complete", "one\ntwo\n", false},
		"a failure":    {"echo one; exit 3", "failed", "one\n", true},
	} {
		job := everywhere(t, want.script)
		runs, err := c.RunEverywhere(context.Background(), job, "say", time.Minute)
		if err != nil || len(runs) != 1 || runs[0].Status != want.status || runs[0].Output != want.output || (runs[0].Err != nil) != want.fails || runs[0].Node == "" {
			t.Errorf("%s: %+v, %v", name, runs, err)
		}
		wantNoJob(t, c, job)
	}
}

// Whatever ends it, the job goes.
func TestRunEverywhereEnds(t *testing.T) {
	c := realClient(t)
	job := everywhere(t, "sleep 600")
	runs, err := c.RunEverywhere(context.Background(), job, "say", 2*time.Second)
	if err != nil || len(runs) != 1 || runs[0].Output != "" {
		t.Errorf("out of time: %+v, %v", runs, err)
	}
	wantNoJob(t, c, job)

	job = everywhere(t, "sleep 600")
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for ctx.Err() == nil {
			if list, err := c.Allocations(ctx, *job.ID); err == nil && len(list) > 0 {
				cancel()
			}
		}
	}()
	if _, err = c.RunEverywhere(ctx, job, "say", time.Minute); outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("interrupted: %v", err)
	}
	wantNoJob(t, c, job)

	if _, err := c.RunEverywhere(context.Background(), testJob(t, 1), "say", time.Minute); outcome.KindOf(err) != outcome.Usage {
		t.Errorf("another type of job: %v", err)
	}
}

func TestClockAhead(t *testing.T) {
	for _, want := range []time.Duration{0, time.Hour, -time.Hour} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(want).UTC().Format(http.TimeFormat))
			_, _ = w.Write([]byte(`"127.0.0.1:4647"`))
		}))
		t.Cleanup(server.Close)
		got, ok, err := newClient(t, server.URL, time.Second).ClockAhead(t.Context())
		if err != nil || !ok || (got-want).Abs() > 5*time.Second {
			t.Errorf("%s: %s, %v, %v", want, got, ok, err)
		}
	}
}

func TestDefects(t *testing.T) {
	for version, want := range map[string]string{
		"1.6.1": "before 1.8; before 1.6.3", "1.6.3": "before 1.8", "1.5.9": "before 1.8; before 1.6.3", "1.4.14": "before 1.8", "1.3.0": "before 1.8; before 1.6.3",
		"1.8.0": "", "1.10.5": "", "": "", "dev": "",
	} {
		got := Defects(version)
		parts := strings.Split(want, "; ")
		if want == "" {
			parts = nil
		}
		if len(got) != len(parts) {
			t.Errorf("%q: %q, want %q", version, got, want)
			continue
		}
		for i, part := range parts {
			if !strings.Contains(got[i], part) {
				t.Errorf("%q: %q, want %q", version, got, want)
			}
		}
	}
}
