package apiserver

import (
	"net/http"

	"github.com/heron-nomad/heron/internal/inspect"
)

// list answers with the topologies of the cluster that the client may see.
func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	at := place{cluster: s.opts.Base.Cluster, role: q.Get("role"), environ: q.Get("environment")}
	filter := inspect.Filter{Role: at.role, Environ: at.environ}
	who := identity(r.Context())
	if filter.Role != "" && !who.Serves(filter.Role) {
		return forbidden("%s may not see topologies of role %s", who.Name, filter.Role)
	}
	// Nothing of the configuration that matters here depends on these.
	cl, err := s.reads.cluster(r.Context(), place{cluster: at.cluster, role: anyPart, environ: anyPart})
	if err != nil {
		return err
	}
	found, err := inspect.List(r.Context(), cl.Cluster, cl.Nomad, filter)
	if err != nil {
		return err
	}
	list := []*inspect.Summary{}
	for _, one := range found {
		if who.Serves(one.Role) {
			list = append(list, one)
		}
	}
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
	cl, err := s.reads.cluster(r.Context(), at)
	if err != nil {
		return err
	}
	status, err := inspect.Look(r.Context(), cl.Cluster, cl.Nomad, name, s.opts.Now)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, status)
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
