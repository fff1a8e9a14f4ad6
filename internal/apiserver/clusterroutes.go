package apiserver

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// clusterPath is the path of what is about a whole cluster.
const clusterPath = prefix + "/clusters/{cluster}"

// everyRole is the role of an operation that is about the topologies of all.
const everyRole = "*"

// wide is a request about a whole cluster.
type wide struct {
	// at is the place that the configuration is read for, as seen the one whose
	// topologies are meant: their role may be everyRole.
	at, seen place
	query    url.Values
}

// wide reads where a request about a cluster is. Where it is about topologies of
// all roles, the client must be allowed to act on those.
func (s *Server) wide(r *http.Request, roles string) (wide, error) {
	q := r.URL.Query()
	at := place{
		cluster: r.PathValue("cluster"), role: cmp.Or(q.Get("role"), anyPart), environ: cmp.Or(q.Get("environment"), anyPart),
	}
	if err := checkPlace(at); err != nil {
		return wide{}, err
	}
	if err := s.checkCluster(at.cluster); err != nil {
		return wide{}, err
	}
	at.cluster = s.opts.Base.Cluster
	seen := at
	seen.role = roles
	who := identity(r.Context())
	switch {
	case who.Serves(roles):
		return wide{at, seen, q}, nil
	case roles == everyRole:
		return wide{}, forbidden("%s may act on topologies of some roles alone, and this is about those of all", who.Name)
	}
	return wide{}, forbidden("%s may not act on topologies of role %s", who.Name, roles)
}

// gc removes packages that nothing uses.
func (s *Server) gc(w http.ResponseWriter, r *http.Request) error {
	at, err := s.wide(r, everyRole)
	if err != nil {
		return err
	}
	opts, err := gcOptions(at.query)
	if err != nil {
		return err
	}
	return s.perform(w, r, task{
		verb: auth.GC, at: at.seen, digest: digestOf(r, ""),
		run: func(ctx context.Context, sink progress.Sink) (*reply, error) {
			set, err := s.setup(ctx, at.at, nil, false)
			if err != nil {
				return nil, err
			}
			cl, err := s.connect(ctx, set, sink)
			if err != nil {
				return nil, err
			}
			defer s.release(cl)
			opts.Now = s.opts.Now()
			collected, err := lifecycle.GC(ctx, cl.Cluster, cl.Nomad, opts)
			if collected == nil {
				return nil, err
			}
			return &reply{status: http.StatusOK, body: collected, result: collected}, err
		},
	})
}

// gcAge is how old a package is before it is removed unless the request says
// otherwise.
const gcAge = 7 * 24 * time.Hour

func gcOptions(q url.Values) (o lifecycle.GCOptions, err error) {
	o.OlderThan = gcAge
	if text := q.Get("older_than"); text != "" {
		var ok bool
		if o.OlderThan, ok = conf.ParseAge(text); !ok {
			return o, refuse(http.StatusBadRequest, "older_than=%q is not a time such as 12h, 7d or 2w", text)
		}
	}
	o.DryRun, err = flag(q.Get("dry_run"))
	return o, err
}

// doctor finds what is wrong with the cluster and its topologies.
func (s *Server) doctor(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	at, err := s.wide(r, cmp.Or(q.Get("of_role"), everyRole))
	if err != nil {
		return err
	}
	asked := examination{topology: q.Get("topology"), environ: q.Get("of_environment")}
	if at.seen.role != everyRole {
		asked.role = at.seen.role
	}
	if asked.topology != "" {
		if err := statemgr.CheckName(asked.topology); err != nil {
			return err
		}
	}
	if text := q.Get("nodes"); text != "" {
		if asked.nodes, err = duration(text, 0); err != nil {
			return err
		}
		if who := identity(r.Context()); !who.May(auth.Nodes) {
			return forbidden("%s may not %s: run a job on every node", who.Name, auth.Nodes)
		}
	}
	return s.perform(w, r, task{
		verb: auth.Doctor, topology: asked.topology, at: at.seen, digest: digestOf(r, ""),
		run: func(ctx context.Context, sink progress.Sink) (*reply, error) {
			return s.examine(ctx, at.at, asked, sink)
		},
	})
}
