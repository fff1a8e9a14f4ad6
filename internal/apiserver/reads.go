package apiserver

import (
	"context"
	"reflect"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

// lingering is how long a connection stays after one to other servers took its
// place: requests may still use it.
const lingering = time.Minute

// reads is what requests that change nothing share: one connection, and the
// configuration of each place for a short time. Operations have their own.
type reads struct {
	server *Server
	setups *shared[place, *setup]

	// opening is taken by whoever looks at what follows.
	opening  chan struct{}
	conn     *Link
	servers  servers
	failed   error
	failedAt time.Time
}

// servers are what a connection is to.
type servers struct {
	state          conf.State
	address        string
	region, space  string
	access         conf.Access
	tunnel         conf.Tunnel
	requestTimeout time.Duration
}

func newReads(s *Server) *reads {
	return &reads{server: s, setups: newShared[place, *setup](s.opts.Now, s.safely), opening: make(chan struct{}, 1)}
}

// cluster is the servers as a request about a place sees them.
func (r *reads) cluster(ctx context.Context, at place) (*Link, error) {
	set, err := r.setup(ctx, at)
	if err != nil {
		return nil, err
	}
	conn, err := r.connection(ctx, set)
	if err != nil {
		return nil, err
	}
	own := *conn
	own.Settings = set.Settings
	return &own, nil
}

func (r *reads) setup(ctx context.Context, at place) (*setup, error) {
	set, _, err := r.setups.get(ctx, at, false, func(ctx context.Context) (*setup, error) {
		return r.server.setup(ctx, at, nil, false)
	})
	return set, err
}

// connection is the one to the servers of a configuration. One to others, from
// before the configuration changed, is closed a little later. Where servers do
// not answer, those who ask at the same time share the wait.
func (r *reads) connection(ctx context.Context, set *setup) (*Link, error) {
	n := set.Settings.Nomad
	want := servers{set.Settings.State, n.Address, n.Region, n.Namespace, n.Access, n.Tunnel, n.RequestTimeout}
	select {
	case r.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-r.opening }()
	now := r.server.opts.Now()
	same := reflect.DeepEqual(r.servers, want)
	switch {
	case same && r.conn != nil:
		return r.conn, nil
	case same && r.failed != nil && now.Sub(r.failedAt) < fresh:
		return nil, r.failed
	}
	conn, err := r.server.connect(ctx, set, nil)
	if ctx.Err() != nil && err != nil {
		return nil, err
	}
	if old := r.conn; old != nil {
		time.AfterFunc(lingering, func() { _ = old.Close() })
	}
	if err != nil {
		conn = nil
	}
	r.conn, r.servers, r.failed, r.failedAt = conn, want, err, r.server.opts.Now()
	return conn, err
}

func (r *reads) close() error {
	r.opening <- struct{}{}
	if r.conn == nil {
		return nil
	}
	return r.conn.Close()
}
