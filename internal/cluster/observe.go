package cluster

import (
	"context"
	"time"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// observed is a state store that tells how long its requests take.
type observed struct {
	statemgr.Store
	observe func(backend, request string, took time.Duration)
}

func (o *observed) took(request string, began time.Time) {
	o.observe("state", request, time.Since(began))
}

// Read implements statemgr.Store.
func (o *observed) Read(ctx context.Context, path string) (statemgr.Node, error) {
	defer o.took("read", time.Now())
	return o.Store.Read(ctx, path)
}

// Children implements statemgr.Store.
func (o *observed) Children(ctx context.Context, path string) ([]string, error) {
	defer o.took("children", time.Now())
	return o.Store.Children(ctx, path)
}

// Apply implements statemgr.Store.
func (o *observed) Apply(ctx context.Context, ops ...statemgr.Op) error {
	defer o.took("apply", time.Now())
	return o.Store.Apply(ctx, ops...)
}
