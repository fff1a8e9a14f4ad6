package apiclient

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/logs"
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

// Logs is logs.Show.
func (t *Topologies) Logs(ctx context.Context, name string, o logs.Options, sink logs.Sink) error {
	if err := t.client.needs("logs"); err != nil {
		return err
	}
	var q url.Values
	set(&q, "follow", yes(o.Follow))
	set(&q, "tail", strconv.Itoa(o.Tail))
	if !o.Since.IsZero() {
		set(&q, "since", o.Since.UTC().Format(time.RFC3339Nano))
	}
	if o.Container != nil {
		set(&q, "container", strconv.Itoa(*o.Container))
	}
	set(&q, "component", o.Component)
	set(&q, "file", o.File)
	set(&q, "stream", o.Stream)
	_, err := t.client.read(ctx, t.path(name, "logs"), q, func(line []byte) (bool, error) {
		var doc struct {
			One   *bool      `json:"one"`
			Line  *logs.Line `json:"line"`
			Label string     `json:"label"`
			ended
		}
		if err := t.client.decode(line, &doc); err != nil {
			return true, err
		}
		if doc.One != nil {
			sink.Begin(*doc.One)
		}
		if doc.Line != nil {
			doc.Line.Label = doc.Label
			return false, sink.Lines([]logs.Line{*doc.Line})
		}
		return doc.over(t.client)
	})
	return err
}
