package nomad

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

func TestVersionsAreCompared(t *testing.T) {
	for version, want := range map[string]bool{
		"1.6.1": true, "0.12.9": true, "1.7.7+ent": true, "1.8.0": false, "1.8.0-beta.1": false, "1.10.5": false, "2.0.4": false, "": false, "dev": false,
	} {
		if got := before(version, 1, 8); got != want {
			t.Errorf("%q is before 1.8: %v", version, got)
		}
	}
}

// Only servers that know the block get it, and they are asked once.
func TestDisconnectIsForServersThatKnowIt(t *testing.T) {
	for version, want := range map[string]bool{"1.6.1": false, "1.8.0": true, "2.0.4": true, "denied": true} {
		var mu sync.Mutex
		asked, sent := 0, map[string]*api.DisconnectStrategy{}
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if r.URL.Path == "/v1/agent/self" {
				asked++
				if version == "denied" {
					http.Error(w, "Permission denied", http.StatusForbidden)
					return
				}
				_, _ = fmt.Fprintf(w, `{"member": {"Tags": {"build": %q}}}`, version)
				return
			}
			var body struct{ Job *api.Job }
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
				return
			}
			sent[r.URL.Path] = body.Job.TaskGroups[0].Disconnect
			_, _ = w.Write([]byte("{}"))
		})
		c := newClient(t, address, patience)
		job := sleepingJob(1)
		job.TaskGroups[0].Disconnect = &api.DisconnectStrategy{StopOnClientAfter: new(time.Minute)}
		if _, err := c.Register(t.Context(), job, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Forecast(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if len(sent) != 2 || asked != 1 {
			t.Errorf("%s: asked %d times, sent %v", version, asked, sent)
		}
		for path, block := range sent {
			if got := block != nil && *block.StopOnClientAfter == time.Minute; got != want {
				t.Errorf("%s: %s got the block: %v", version, path, got)
			}
		}
		if job.TaskGroups[0].Disconnect == nil {
			t.Error("the caller's job was changed")
		}
	}
}

// The server of the tests takes a job with the block, whatever it makes of it.
func TestRealNomadTakesADisconnectBlock(t *testing.T) {
	c, job := realClient(t), unplaceable(testJob(t, 1))
	job.TaskGroups[0].Disconnect = &api.DisconnectStrategy{StopOnClientAfter: new(time.Minute)}
	if _, _, err := c.api.Jobs().RegisterOpts(job, nil, nil); err != nil {
		t.Fatal(err)
	}
	f, err := c.Forecast(t.Context(), job)
	if err != nil || len(f.Changes) > 0 {
		t.Errorf("the same job is changed: %+v, %v", f, err)
	}
}
