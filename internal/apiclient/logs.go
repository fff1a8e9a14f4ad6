package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/heron-nomad/heron/internal/logs"
)

// Logs is logs.Show. Where the connection breaks it goes on with the next line:
// behind lines the server says how far that is, which goes with the next request.
// Lines are shown once that is there.
func (t *Topologies) Logs(ctx context.Context, name string, o logs.Options, sink logs.Sink) error {
	if err := t.client.needs("logs"); err != nil {
		return err
	}
	q := logQuery(o)
	var (
		marks   logs.Bookmarks
		pending []logs.Line
	)
	return t.client.streamOf(ctx, func() (request, error) {
		pending = nil
		r := request{method: http.MethodPost, path: t.path(name, "logs"), query: q}
		return r, r.bookmarks(marks)
	}, func(line []byte) (bool, error) {
		var doc struct {
			One   *bool           `json:"one"`
			Line  *logs.Line      `json:"line"`
			Label string          `json:"label"`
			Marks []logs.Bookmark `json:"marks"`
			Event *eventDoc       `json:"event"`
			ended
		}
		if err := t.client.decode(line, &doc); err != nil {
			return true, err
		}
		switch {
		case doc.One != nil:
			sink.Begin(*doc.One)
		case doc.Line != nil:
			doc.Line.Label = doc.Label
			pending = append(pending, *doc.Line)
		case doc.Event != nil:
			t.client.opts.Progress.Send(doc.Event.event())
		case doc.Marks != nil:
			if marks == nil {
				marks = logs.Bookmarks{}
			}
			marks.Take(doc.Marks)
			lines := pending
			pending = nil
			if len(lines) > 0 {
				return false, sink.Lines(lines)
			}
		}
		return doc.over(t.client)
	})
}

// bookmarks makes a body of them; none for a first request.
func (r *request) bookmarks(marks logs.Bookmarks) error {
	if marks == nil {
		return nil
	}
	body, err := json.Marshal(struct {
		From []logs.Bookmark `json:"from"`
	}{marks.List()})
	if err != nil {
		return fmt.Errorf("say how far logs were shown: %w", err)
	}
	r.body, r.size = func() (io.Reader, error) { return bytes.NewReader(body), nil }, int64(len(body))
	r.header = http.Header{"Content-Type": {"application/json"}}
	return nil
}

// logQuery is what options are as parameters.
func logQuery(o logs.Options) url.Values {
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
	return q
}
