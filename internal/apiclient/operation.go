package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/wire"
)

// cancelTime is how long an operation may take to undo what it did, once it was
// cancelled.
const cancelTime = 10 * time.Minute

// headerIdempotency names a request, so that it is done once however often it is
// sent.
const headerIdempotency = "Idempotency-Key"

// operationDoc is an operation on the wire.
type operationDoc struct {
	ID    string `json:"id"`
	State string `json:"state"`
	// Response is what a plain request is answered with, Result what the use case
	// returned.
	Response json.RawMessage `json:"response"`
	Result   json.RawMessage `json:"result"`
	Error    *wire.Problem   `json:"error"`
}

// change has the server carry out an operation on a topology, shows what goes on
// and reads the result, which may be there beside an error. When ctx ends, it
// cancels the operation and waits until that has ended.
func (t *Topologies) change(ctx context.Context, name string, r request, result any) error {
	_, err := t.end(ctx, name, r, result)
	return err
}

// end is change with the operation as it was at its end.
func (t *Topologies) end(ctx context.Context, name string, r request, result any) (*operationDoc, error) {
	c := t.client
	if c.opts.Lock > 0 {
		set(&r.query, "lock_timeout", c.opts.Lock.String())
	}
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set("Prefer", "respond-async")
	r.header.Set(headerIdempotency, uuid.NewString())
	end, op, begun, err := c.run(ctx, r)
	switch on := t.subject(name); {
	case err != nil && !begun:
		return nil, err
	case err != nil && op.ID == "":
		return nil, t.unknown(name, err, "it may be at work on "+on)
	case err != nil:
		return nil, t.unknown(name, err, "its operation "+op.ID+" on "+on+" may go on")
	case end.State == interrupted && end.Error != nil:
		return nil, t.unknown(name, c.problem(*end.Error), "what it did to "+on+" by then may be half done")
	}
	if len(end.Result) > 0 && string(end.Result) != "null" {
		if err := c.decode(end.Result, result); err != nil {
			return nil, err
		}
	}
	if end.Error != nil {
		return nil, c.problem(*end.Error)
	}
	return end, nil
}

// subject is what an operation is on: a topology, or the whole cluster.
func (t *Topologies) subject(name string) string {
	if name == "" {
		return "cluster " + strconv.Quote(t.at.Cluster)
	}
	return "topology " + strconv.Quote(name)
}

// unknown is a request of which is not known how it ended.
func (t *Topologies) unknown(name string, err error, what string) error {
	return outcome.WithRemedy(outcome.Errorf(outcome.LeftBehind, "%w; %s", err, what), outcome.Remedy{
		Action: outcome.Repeat, Topology: name, Cluster: t.at.Cluster, Role: t.at.Role, Environ: t.at.Environ,
	})
}

// follow shows what an operation does until it has ended.
func (c *Client) follow(ctx context.Context, op operationDoc) (*operationDoc, error) {
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	canceled := context.AfterFunc(ctx, func() {
		time.AfterFunc(cancelTime, stop)
		// An operation that cannot be told goes on, which its events show.
		_, _, _ = c.do(own, request{method: http.MethodDelete, path: []string{"operations", op.ID}})
	})
	defer canceled()
	var end *operationDoc
	var seen int64
	path := []string{"operations", op.ID, "events"}
	err := c.stream(own, path, func() url.Values {
		return url.Values{"after": {strconv.FormatInt(seen, 10)}}
	}, func(line []byte) (bool, error) {
		var doc struct {
			Event     *eventDoc     `json:"event"`
			Operation *operationDoc `json:"operation"`
		}
		if err := c.decode(line, &doc); err != nil {
			return false, err
		}
		if doc.Event != nil {
			seen = doc.Event.Seq
			c.opts.Progress.Send(doc.Event.event())
		}
		end = doc.Operation
		return end != nil, nil
	})
	return end, err
}

// eventDoc is a progress.Event on the wire.
type eventDoc struct {
	Seq      int64             `json:"seq"`
	State    progress.State    `json:"state"`
	Step     string            `json:"step"`
	What     *outcome.Resource `json:"what"`
	Done     int64             `json:"done"`
	Total    int64             `json:"total"`
	Unit     string            `json:"unit"`
	Note     string            `json:"note"`
	Error    string            `json:"error"`
	WaitMS   int64             `json:"wait_ms"`
	Attempt  int               `json:"attempt"`
	Attempts int               `json:"attempts"`
}

func (d *eventDoc) event() progress.Event {
	e := progress.Event{
		State: d.State, Step: d.Step, Done: d.Done, Total: d.Total, Unit: d.Unit, Note: d.Note,
		Wait: time.Duration(d.WaitMS) * time.Millisecond, Attempt: d.Attempt, Attempts: d.Attempts,
	}
	if d.What != nil {
		e.What = *d.What
	}
	if d.Error != "" {
		e.Err = errors.New(d.Error)
	}
	return e
}
