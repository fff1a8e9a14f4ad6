package apiclient

import (
	"context"
	"net/http"
	"strconv"

	"github.com/heron-nomad/heron/internal/versions"
)

// History is versions.List.
func (t *Topologies) History(ctx context.Context, name string) (*versions.History, error) {
	if err := t.client.needs("history"); err != nil {
		return nil, err
	}
	h := &versions.History{}
	return result(h, t.client.get(ctx, t.path(name, "history"), nil, h))
}

// Rollback is versions.Rollback.
func (t *Topologies) Rollback(ctx context.Context, name string, o versions.RollbackOptions) (*versions.RolledBack, error) {
	if err := t.client.needs("rollback"); err != nil {
		return nil, err
	}
	r := request{method: http.MethodPost, path: t.path(name, "rollback")}
	if o.To > 0 {
		set(&r.query, "version", strconv.Itoa(o.To))
	}
	set(&r.query, "state", o.State)
	set(&r.query, "wait", span(o.Wait.Limit))
	set(&r.query, "stable_for", span(o.Wait.StableFor))
	done := &versions.RolledBack{}
	return result(done, t.change(ctx, name, r, done))
}
