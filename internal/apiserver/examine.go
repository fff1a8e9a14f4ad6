package apiserver

import (
	"context"
	"net/http"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/wire"
)

// examination is what a request to the doctor asks for.
type examination struct {
	// topology, role and environ leave out others, unless they are "".
	topology, role, environ string
	// nodes is how long to wait for the nodes; 0 does not ask them.
	nodes time.Duration
}

// examine makes the checks.
func (s *Server) examine(ctx context.Context, at place, asked examination, sink progress.Sink) (*reply, error) {
	set, unknown, err := s.setupAnyway(ctx, at)
	if err != nil {
		return nil, err
	}
	link, opts, err := s.connectEach(ctx, set, sink)
	if err != nil {
		return nil, err
	}
	defer s.release(link)
	if unknown != nil {
		opts.Not.Uploader = unknown
	}
	opts.Topology, opts.Role, opts.Environ = asked.topology, asked.role, asked.environ
	opts.OnNodes, opts.NodeLimit = asked.nodes > 0, asked.nodes
	opts.ForTopology, opts.Now, opts.Progress = set.ForTopology, s.opts.Now, sink
	opts.NoPrograms = true // they run where the client is
	report, err := doctor.Examine(ctx, link.Cluster, link.Nomad, opts)
	if err != nil {
		return nil, err
	}
	doc := wire.NewReport(report)
	return &reply{status: http.StatusOK, body: doc, result: doc}, nil
}

// setupAnyway is setup, also where the address of this server that nodes have is
// not found, which is then what unknown says.
func (s *Server) setupAnyway(ctx context.Context, at place) (set *setup, unknown, err error) {
	set, unknown = s.setup(ctx, at, nil, false)
	if unknown == nil {
		return set, nil, nil
	}
	o := s.opts.Base
	o.Cluster, o.Role, o.Environ, o.User = at.cluster, at.role, at.environ, at.user
	loaded, err := conf.Load(o)
	if err != nil {
		return nil, nil, err
	}
	if _, own, _ := s.ownBase(ctx, loaded); !own || ctx.Err() != nil {
		return nil, nil, unknown
	}
	set, err = s.setupAt(o, "http://127.0.0.1", true)
	return set, unknown, err
}

// connectEach opens those of the cluster's servers that answer; the options say
// which do not.
func (s *Server) connectEach(ctx context.Context, set *setup, sink progress.Sink) (*Link, doctor.Options, error) {
	if s.opts.Connect != nil {
		link, err := s.connect(ctx, set, sink)
		return link, doctor.Options{}, err
	}
	o := s.opts.Base
	conn, not, err := cluster.ConnectEach(ctx, set.Settings, cluster.Options{
		Home: o.UserHome, Getenv: o.Getenv, Uploaders: set.uploaders, Observe: s.metrics.ask,
	})
	if err != nil {
		return nil, doctor.Options{}, err
	}
	link := &Link{Cluster: conn.Cluster, Nomad: conn.Nomad, Shell: conn.Shell, Close: conn.Close}
	return link, doctor.Options{Not: not, StateServers: conn.StateServers}, nil
}
