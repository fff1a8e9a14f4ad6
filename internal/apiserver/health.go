package apiserver

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
	return nil
}

// readyTime is how long servers have to answer before this one is not ready.
const readyTime = 5 * time.Second

// readiness is the body of /readyz.
type readiness struct {
	Ready bool `json:"ready"`
	// Checks say "ok" or why not.
	Checks map[string]string `json:"checks"`
}

// readyz says whether this server could do what it is for: its configuration
// can be read, and Nomad and the state store answer. It names no address: it
// answers everybody.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	checks := []struct {
		name string
		err  error
	}{{name: "configuration"}, {name: "state"}, {name: "nomad"}, {name: "running"}}
	if s.operations.isDraining() {
		checks[3].err = errEnding
	}
	at := place{cluster: s.opts.Base.Cluster, role: anyPart, environ: anyPart}
	if _, checks[0].err = s.reads.setup(ctx, at); checks[0].err == nil {
		cl, err := s.reads.cluster(ctx, at)
		if err != nil {
			checks[1].err, checks[2].err = err, err
		} else {
			checks[1].err, checks[2].err = ping(ctx, cl)
		}
	}
	answer, status := readiness{Ready: true, Checks: map[string]string{}}, http.StatusOK
	for _, c := range checks {
		answer.Checks[c.name] = "ok"
		if c.err != nil {
			answer.Ready, answer.Checks[c.name], status = false, "failed", http.StatusServiceUnavailable
			s.opts.Log.Warn("not ready", "check", c.name, "error", c.err.Error())
		}
	}
	writeJSON(w, status, answer)
	return nil
}

// ping asks the state store and Nomad.
func ping(ctx context.Context, cl *Link) (state, nomad error) {
	var group errgroup.Group
	group.Go(func() error {
		_, state = cl.State.ReadAll(ctx, cl.State.Topologies())
		return nil
	})
	group.Go(func() error {
		_, nomad = cl.Nomad.Ping(ctx)
		return nil
	})
	_ = group.Wait() // both keep their errors
	return state, nomad
}

// showMetrics answers Prometheus.
func (s *Server) showMetrics(w http.ResponseWriter, r *http.Request) error {
	s.metrics.handler().ServeHTTP(w, r)
	return nil
}
