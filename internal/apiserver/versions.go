package apiserver

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/versions"
)

// versionWait is how long another version of a topology has to become good
// unless the request says otherwise.
const versionWait = 5 * time.Minute

// newVersionWait reads how long to wait for another version: there is always a
// wait, for what does not become good is taken back.
func newVersionWait(q url.Values) (versions.Wait, error) {
	limit, stable, err := waits(q)
	if err == nil && limit == 0 {
		limit = versionWait
	}
	return versions.Wait{Limit: limit, StableFor: stable}, err
}

// history answers with the versions of a topology.
func (s *Server) history(w http.ResponseWriter, r *http.Request) error {
	at, name, err := s.target(r)
	if err != nil {
		return err
	}
	cl, err := s.reads.cluster(r.Context(), at)
	if err != nil {
		return err
	}
	history, err := versions.List(r.Context(), cl.Cluster, name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, history)
	return nil
}

// rollback puts an earlier version of a topology in place again.
func (s *Server) rollback(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	opts := versions.RollbackOptions{State: q.Get("state")}
	var err error
	if opts.Wait, err = newVersionWait(q); err != nil {
		return err
	}
	if text := q.Get("version"); text != "" {
		if opts.To, err = strconv.Atoi(text); err != nil || opts.To < 1 {
			return outcome.Errorf(outcome.Usage, "version=%q is not the number of a version", text)
		}
	}
	return s.act(w, r, auth.Rollback, "", func(ctx context.Context, cl *Link, set *setup, name string) (*reply, error) {
		opts.ForTopology = set.ForTopology
		back, err := versions.Rollback(ctx, cl.Cluster, name, opts)
		return done(name, "rolled back", back, err)
	})
}
