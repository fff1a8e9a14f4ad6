package nomad

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// Nomad may forget to stop what it was placing when the job was stopped. A real
// one does so too seldom, so this is one that always does.
func TestWaitStoppedStopsWhatNomadForgot(t *testing.T) {
	forgotten := &api.AllocationListStub{
		ID: "forgotten", Name: "j.container[0]", JobID: "j", JobVersion: 3, NodeID: "n",
		DesiredStatus: api.AllocDesiredStatusRun, ClientStatus: api.AllocClientStatusRunning,
	}
	newer := *forgotten
	newer.ID, newer.Name, newer.JobVersion = "newer", "j.container[1]", 5
	var stopped []string
	answers := map[string]func() any{
		"GET /v1/job/j":             func() any { return api.Job{ID: new("j"), Stop: new(true), Version: new(uint64(4))} },
		"GET /v1/job/j/evaluations": func() any { return []any{} },
		"GET /v1/job/j/allocations": func() any { return []*api.AllocationListStub{forgotten, &newer} },
		"GET /v1/nodes":             func() any { return []api.NodeListStub{{ID: "n", Status: api.NodeStatusReady}} },
		"PUT /v1/allocation/forgotten/stop": func() any {
			stopped = append(stopped, "forgotten")
			forgotten.DesiredStatus, forgotten.ClientStatus = api.AllocDesiredStatusStop, api.AllocClientStatusComplete
			newer.ClientStatus = api.AllocClientStatusComplete
			return api.AllocStopResponse{}
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := answers[r.Method+" "+r.URL.Path]
		if answer == nil {
			t.Errorf("asked for %s %s", r.Method, r.URL)
			http.NotFound(w, r)
			return
		}
		w.Header().Set("X-Nomad-Index", "7")
		if err := json.NewEncoder(w).Encode(answer()); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	lost, err := newClient(t, server.URL, patience).WaitStopped(t.Context(), "j", patience, nil)
	if err != nil || len(lost) > 0 || !slices.Equal(stopped, []string{"forgotten"}) {
		t.Errorf("lost %v, stopped %v, %v", lost, stopped, err)
	}
}
