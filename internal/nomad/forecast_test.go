package nomad

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

func TestForecastTellsWhatFitsAndStoresNothing(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*api.Job)
		unplaced int
		want     string
	}{
		"fits":       {func(*api.Job) {}, 0, ""},
		"constraint": {func(j *api.Job) { unplaceable(j) }, 3, `constraint "${attr.kernel.name} = plan9" rules out 1 node`},
		"memory":     {func(j *api.Job) { j.TaskGroups[0].Tasks[0].Resources.MemoryMB = new(100 << 20) }, 3, "not enough memory on 1 node"},
		"datacenter": {func(j *api.Job) { j.Datacenters = []string{"mars"} }, 3, "no node is ready"},
	} {
		t.Run(name, func(t *testing.T) {
			job := testJob(t, 3)
			c.change(job)
			f, err := realClient(t).Forecast(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			if f.Unplaced != c.unplaced || !strings.Contains(strings.Join(f.Reasons, "; "), c.want) || len(f.Changes) > 0 {
				t.Errorf("got %+v", f)
			}
			if _, err := realClient(t).Job(t.Context(), *job.ID); !errors.Is(err, ErrNotFound) {
				t.Errorf("reading the job: %v, want ErrNotFound", err)
			}
		})
	}
}

func TestForecastTellsWhatChanges(t *testing.T) {
	c, job := realClient(t), testJob(t, 2)
	mustRegister(t, c, job)
	f, err := c.Forecast(t.Context(), job)
	if err != nil || len(f.Changes) > 0 {
		t.Fatalf("the job as it is: %+v, %v", f, err)
	}
	job.TaskGroups[0].Count = new(3)
	job.TaskGroups[0].Tasks[0].Env = map[string]string{"COLOUR": "green"}
	f, err = c.Forecast(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{
		{Path: "Count", Kind: "Edited", Old: "2", New: "3"},
		{Path: "Env[COLOUR]", Kind: "Added", New: "green"},
	}
	if len(f.Changes) != len(want) || f.Changes[0] != want[0] || f.Changes[1] != want[1] {
		t.Errorf("changes %+v, want %+v", f.Changes, want)
	}
}

func TestForecastOfAnInvalidJob(t *testing.T) {
	job := testJob(t, 1)
	job.TaskGroups[0].Tasks[0].Driver = ""
	_, err := realClient(t).Forecast(t.Context(), job)
	var rejected *RejectedError
	if !errors.As(err, &rejected) {
		t.Errorf("got %v, want a *RejectedError", err)
	}
}

func TestForecastOfAServerThatIsNoNomad(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	c, err := NewClient(ClientOptions{Address: server.URL, RequestTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Forecast(t.Context(), &api.Job{ID: new("wc")})
	var rejected *RejectedError
	if !errors.As(err, &rejected) || !strings.Contains(err.Error(), "is that the address of a Nomad?") || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("got %v", err)
	}
}
