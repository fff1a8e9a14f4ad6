package apiserver

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/outcome"
)

// named is the operation of a path, if the client may see it.
func (s *Server) named(r *http.Request) (*running, error) {
	run := s.operations.find(r.PathValue("id"))
	if run == nil || !visible(identity(r.Context()), run) {
		return nil, outcome.Errorf(outcome.NotFound,
			"no operation %q: it ended long ago, or the server was started anew since; repeating the request continues what was begun", r.PathValue("id"))
	}
	return run, nil
}

func visible(who *auth.Identity, run *running) bool { return who.Serves(run.task.at.role) }

func (s *Server) listOperations(w http.ResponseWriter, r *http.Request) error {
	list := []operationDoc{}
	for _, run := range s.operations.list() {
		if visible(identity(r.Context()), run) {
			list = append(list, run.doc())
		}
	}
	writeJSON(w, http.StatusOK, struct {
		Operations []operationDoc `json:"operations"`
	}{list})
	return nil
}

// operation answers with an operation; with "wait" in the query when it has
// ended, or that time is over.
func (s *Server) operation(w http.ResponseWriter, r *http.Request) error {
	run, err := s.named(r)
	if err != nil {
		return err
	}
	if text := r.URL.Query().Get("wait"); text != "" {
		wait, err := duration(text, 0)
		if err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-run.done:
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	writeJSON(w, http.StatusOK, run.doc())
	return nil
}

// cancelOperation ends an operation; what it did is undone. Who may begin one
// may end it.
func (s *Server) cancelOperation(w http.ResponseWriter, r *http.Request) error {
	run, err := s.named(r)
	if err != nil {
		return err
	}
	if who := identity(r.Context()); !who.May(run.task.verb) {
		return forbidden("%s may not %s", who.Name, run.task.verb)
	}
	run.cancel(errCanceled)
	writeJSON(w, http.StatusAccepted, run.doc())
	return nil
}

// operationEvents streams what goes on, a JSON document a line: {"event": …}
// for each event after the one that "after" names, {} where nothing happened
// for a while, and at last {"operation": …}.
func (s *Server) operationEvents(w http.ResponseWriter, r *http.Request) error {
	run, err := s.named(r)
	if err != nil {
		return err
	}
	after, err := strconv.ParseInt(cmp.Or(r.URL.Query().Get("after"), "0"), 10, 64)
	if err != nil {
		return refuse(http.StatusBadRequest, "%q is not a number", r.URL.Query().Get("after"))
	}
	out := s.newStream(w)
	out.begin()
	defer out.keepAlive(r.Context())()
	for {
		over := false
		select {
		case <-run.done:
			over = true
		default:
		}
		events, changed := run.since(after)
		for i := range events {
			if err := out.send(map[string]any{"event": events[i]}); err != nil {
				return nil //nolint:nilerr // the client has gone, and its answer had begun
			}
			after = events[i].Seq
		}
		if over {
			_ = out.send(map[string]any{"operation": run.doc()}) // as above
			return nil
		}
		select {
		case <-run.done:
		case <-changed:
		case <-r.Context().Done():
			return nil
		}
	}
}
