package apiclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// operations is a server that does one operation, whose stream breaks again and
// again.
func operations(t *testing.T, lines []string, more http.HandlerFunc) *httptest.Server {
	var keys atomic.Value
	return server(t, true, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/operations/7/events"):
			at := map[string]int{"0": 0, "1": 1, "2": 2}[r.URL.Query().Get("after")]
			_, _ = io.WriteString(w, "{}\n"+lines[at]+"\n")
		case r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/operations/"):
			key := r.Header.Get(headerIdempotency)
			if r.Header.Get("Prefer") != "respond-async" || key == "" {
				t.Errorf("header %v", r.Header)
			}
			if keys.Swap(key) == nil {
				// The first answer is lost.
				w.Header().Set("Content-Length", "100")
				w.WriteHeader(http.StatusAccepted)
				return
			}
			if keys.Load() != key {
				t.Error("the repeated request has another key")
			}
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id":"7","state":"running"}`)
		default:
			more(w, r)
		}
	})
}

func TestOperation(t *testing.T) {
	s := operations(t, []string{
		`{"event":{"seq":1,"state":"began","step":"stop","what":{"kind":"job","id":"j"}}}`,
		`{"event":{"seq":2,"state":"advanced","step":"stop","done":1,"total":2,"unit":"containers"}}`,
		`{"operation":{"id":"7","state":"succeeded","result":{"topology":"words","found":true,"removed":[{"kind":"job","id":"j"}]}}}`,
	}, http.NotFound)
	var seen []string
	to := connect(t, Options{URL: s.URL, Progress: func(e progress.Event) {
		if e.State != progress.Retrying {
			seen = append(seen, fmt.Sprintf("%s %s %s %d/%d", e.State, e.Step, e.What.ID, e.Done, e.Total))
		}
	}})
	done, err := to.Kill(t.Context(), "words", lifecycle.KillOptions{})
	if err != nil || !done.Found || len(done.Removed) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if got := strings.Join(seen, "; "); got != "began stop j 0/0; advanced stop  1/2" {
		t.Errorf("seen %s", got)
	}
}

func TestOperationFails(t *testing.T) {
	s := operations(t, []string{`{"operation":{"id":"7","state":"failed","error":{"message":"stop the job j: no; still there: job j; to clean up: heron kill nomad/ads/prod words","kind":"left_behind","request_id":"r-1","left":[{"kind":"job","id":"j"}],"remedy":{"action":"kill","topology":"words","cluster":"nomad","role":"ads","environ":"prod"}}}}`}, http.NotFound)
	to := connect(t, Options{URL: s.URL})
	_, err := to.Kill(t.Context(), "words", lifecycle.KillOptions{})
	want(t, err, outcome.LeftBehind, "still there: job j", "request r-1")
	if strings.Contains(err.Error(), "heron kill") {
		t.Errorf("the server's command line is there: %v", err)
	}
	if r, ok := outcome.RemedyOf(err); !ok || r.Action != outcome.Kill || r.Topology != "words" {
		t.Errorf("remedy %+v", r)
	}
}

// An interrupt ends the operation on the server, and its end is waited for.
func TestOperationIsInterrupted(t *testing.T) {
	canceled := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	s := server(t, true, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodDelete:
			close(canceled)
			w.WriteHeader(http.StatusAccepted)
		case http.MethodPost:
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id":"7"}`)
		default:
			cancel()
			<-canceled
			_, _ = io.WriteString(w, `{"operation":{"id":"7","error":{"message":"interrupted","kind":"interrupted"}}}`+"\n")
		}
	})
	_, err := connect(t, Options{URL: s.URL}).Activate(ctx, "words", lifecycle.SwitchOptions{})
	want(t, err, outcome.Interrupted, "interrupted")
}
