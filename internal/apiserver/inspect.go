package apiserver

import (
	"context"
	"net/http"

	"github.com/heron-nomad/heron/internal/inspect"
)

// list answers with the topologies of the cluster that the client may see.
func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	filter := inspect.Filter{Role: q.Get("role"), Environ: q.Get("environment")}
	who := identity(r.Context())
	if filter.Role != "" && !who.Serves(filter.Role) {
		return forbidden("%s may not see topologies of role %s", who.Name, filter.Role)
	}
	found, age, err := s.looks.lists.get(r.Context(), filter, wantsAnew(r), func(ctx context.Context) ([]*inspect.Summary, error) {
		return s.lookAtAll(ctx, filter)
	})
	if err != nil {
		return err
	}
	list := []*inspect.Summary{}
	for _, one := range found {
		if who.Serves(one.Role) {
			list = append(list, one)
		}
	}
	setAge(w, age)
	writeJSON(w, http.StatusOK, struct {
		Topologies []*inspect.Summary `json:"topologies"`
	}{list})
	return nil
}

// anyPart stands for a role or an environment where none is asked for.
const anyPart = "default"

// status answers with how one topology is.
func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	at, name, err := s.target(r)
	if err != nil {
		return err
	}
	body, age, err := s.looks.statuses.get(r.Context(), statusKey{at, name}, wantsAnew(r), func(ctx context.Context) ([]byte, error) {
		return s.lookAt(ctx, at, name)
	})
	if err != nil {
		return err
	}
	setAge(w, age)
	writeBody(w, http.StatusOK, "application/json", body)
	return nil
}

// watch streams how a topology is, at first and at every change, until it is
// gone: {"status": …} a line.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) error {
	at, name, err := s.target(r)
	if err != nil {
		return err
	}
	cl, err := s.reads.cluster(r.Context(), at)
	if err != nil {
		return err
	}
	out := s.newStream(w)
	defer out.keepAlive(r.Context())()
	return out.finish(r.Context(), inspect.Watch(r.Context(), cl.Cluster, cl.Nomad, name, s.opts.Now, func(status *inspect.Status) error {
		return out.send(map[string]any{"status": status})
	}))
}
