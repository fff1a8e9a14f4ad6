package apiserver

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
)

// batchTimeout is how long the containers of a batch may take to run again
// unless the request says otherwise.
const batchTimeout = 5 * time.Minute

// restart restarts containers of a topology: the one that the form names, or
// all.
func (s *Server) restart(w http.ResponseWriter, r *http.Request) error {
	form, _, err := s.readForm(w, r)
	if err != nil {
		return err
	}
	opts, err := restartOptions(form, r.URL.Query())
	if err != nil {
		return err
	}
	return s.act(w, r, auth.Restart, form.Encode(), func(ctx context.Context, cl *Link, _ *setup, name string) (*reply, error) {
		restarted, err := lifecycle.Restart(ctx, cl.Cluster, name, opts)
		return done(name, "restarted", restarted, err)
	})
}

// restartOptions reads the original's form and what stands in the query.
func restartOptions(form, q url.Values) (o lifecycle.RestartOptions, err error) {
	o = lifecycle.RestartOptions{Container: lifecycle.AllContainers, Component: q.Get("component"), Batch: 1}
	if text := form.Get("container_id"); text != "" {
		if o.Container, err = strconv.Atoi(text); err != nil {
			return o, refuse(http.StatusBadRequest, "container_id %q is not a number", text)
		}
	}
	if text := q.Get("batch"); text != "" {
		if o.Batch, err = strconv.Atoi(text); err != nil || o.Batch < 1 || o.Batch > lifecycle.LargestBatch {
			return o, refuse(http.StatusBadRequest, "batch=%q is not a number from 1 to %d", text, lifecycle.LargestBatch)
		}
	}
	if o.BatchTimeout, err = duration(q.Get("batch_timeout"), batchTimeout); err != nil {
		return o, err
	}
	if o.Wait, o.StableFor, err = waits(q); err != nil {
		return o, err
	}
	switch {
	case o.Container < lifecycle.AllContainers:
		return o, outcome.Errorf(outcome.Usage, "container_id %d: give a container's number, from 0 up, or -1 for all", o.Container)
	case o.Container != lifecycle.AllContainers && o.Component != "":
		return o, refuse(http.StatusBadRequest, "give one of container_id and component")
	}
	return o, nil
}
