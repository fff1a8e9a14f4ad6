package apiclient

import (
	"context"
	"net/url"

	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/wire"
)

// List is inspect.List.
func (t *Topologies) List(ctx context.Context, filter inspect.Filter) ([]*inspect.Summary, error) {
	if err := t.client.needs("list of topologies"); err != nil {
		return nil, err
	}
	var q url.Values
	set(&q, "role", filter.Role)
	set(&q, "environment", filter.Environ)
	var doc struct {
		Topologies []*inspect.Summary `json:"topologies"`
	}
	err := t.client.getAnew(ctx, []string{"topologies"}, q, &doc)
	return doc.Topologies, err
}

// Status is inspect.Look.
func (t *Topologies) Status(ctx context.Context, name string) (*inspect.Status, error) {
	if err := t.client.needs("status"); err != nil {
		return nil, err
	}
	status := &inspect.Status{}
	return result(status, t.client.getAnew(ctx, t.path(name), nil, status))
}

// Watch is inspect.Watch.
func (t *Topologies) Watch(ctx context.Context, name string, show func(*inspect.Status) error) error {
	if err := t.client.needs("status"); err != nil {
		return err
	}
	return t.client.stream(ctx, t.path(name, "watch"), func() url.Values { return nil }, func(line []byte) (bool, error) {
		var doc struct {
			Status *inspect.Status `json:"status"`
			ended
		}
		if err := t.client.decode(line, &doc); err != nil {
			return true, err
		}
		if doc.Status != nil {
			return false, show(doc.Status)
		}
		return doc.over(t.client)
	})
}

// ended is the end of a stream.
type ended struct {
	End   bool          `json:"end"`
	Error *wire.Problem `json:"error"`
}

func (e *ended) over(c *Client) (bool, error) {
	if e.Error != nil {
		return true, c.problem(*e.Error)
	}
	return e.End, nil
}
