package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/wire"
)

// wide is a request about the whole cluster.
func (t *Topologies) wide(what string) request {
	r := request{method: http.MethodPost, path: []string{"clusters", t.at.Cluster, what}, query: url.Values{}}
	set(&r.query, "role", t.at.Role)
	set(&r.query, "environment", t.at.Environ)
	return r
}

// GC is lifecycle.GC, by the server's clock. What it did is returned beside an
// error.
func (t *Topologies) GC(ctx context.Context, o lifecycle.GCOptions) (*lifecycle.Collected, error) {
	if err := t.client.needs("gc"); err != nil {
		return nil, err
	}
	r := t.wide("gc")
	r.query.Set("older_than", o.OlderThan.String())
	set(&r.query, "dry_run", yes(o.DryRun))
	var done *lifecycle.Collected
	err := t.change(ctx, "", r, &done)
	return done, err
}

// DoctorOptions are those of doctor.Options that an API server takes.
type DoctorOptions struct {
	// Topology, Role and Environ leave out others, unless they are "".
	Topology, Role, Environ string
	// Nodes is how long to wait for the nodes; 0 does not ask them.
	Nodes time.Duration
}

// Doctor is doctor.Examine, but for the programs that run topology files, which
// are on this machine.
func (t *Topologies) Doctor(ctx context.Context, o DoctorOptions) ([]doctor.Check, error) {
	if err := t.client.needs("doctor"); err != nil {
		return nil, err
	}
	r := t.wide("doctor")
	set(&r.query, "topology", o.Topology)
	set(&r.query, "of_role", o.Role)
	set(&r.query, "of_environment", o.Environ)
	set(&r.query, "nodes", span(o.Nodes))
	done := &wire.Report{}
	if err := t.change(ctx, "", r, done); err != nil {
		return nil, err
	}
	return done.Outcome(), nil
}
