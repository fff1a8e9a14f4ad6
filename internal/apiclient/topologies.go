package apiclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/wire"
)

// Place is where topologies are, and who asks.
type Place struct{ Cluster, Role, Environ, User string }

// Topologies are those of a place, through a server.
type Topologies struct {
	client *Client
	at     Place
}

// At is the topologies of a place.
func (c *Client) At(p Place) *Topologies { return &Topologies{client: c, at: p} }

// Place is where they are.
func (t *Topologies) Place() Place { return t.at }

// Client is the server that is asked.
func (t *Topologies) Client() *Client { return t.client }

// Locked is the same, but the server waits while another operation is at work on
// a topology.
func (t *Topologies) Locked(limit time.Duration) *Topologies {
	c := *t.client
	c.opts.Lock = limit
	return &Topologies{client: &c, at: t.at}
}

// path is that of a topology.
func (t *Topologies) path(name string, more ...string) []string {
	return append([]string{"topologies", t.at.Cluster, t.at.Role, t.at.Environ, name}, more...)
}

// set sets a parameter of a query, unless its value is "".
func set(q *url.Values, name, value string) {
	if value == "" {
		return
	}
	if *q == nil {
		*q = url.Values{}
	}
	q.Set(name, value)
}

// yes is the value of a parameter that is true.
func yes(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// span is the value of a parameter that is a time, "" for none.
func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// form is the body of a small form.
func (r *request) form(values url.Values) {
	text := values.Encode()
	r.body, r.size = func() (io.Reader, error) { return strings.NewReader(text), nil }, int64(len(text))
	r.header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
}

// Kill is lifecycle.Kill.
func (t *Topologies) Kill(ctx context.Context, name string, o lifecycle.KillOptions) (*lifecycle.Killed, error) {
	r := request{method: http.MethodDelete, path: t.path(name)}
	set(&r.query, "ignore_missing", yes(o.IgnoreMissing))
	set(&r.query, "purge_checkpoints", yes(o.PurgeCheckpoints))
	set(&r.query, "drain", span(o.Drain))
	done := &lifecycle.Killed{Topology: name, Removed: []outcome.Resource{}, Kept: []outcome.Leftover{}}
	if t.client.original {
		done.Found = true
		return done, t.plain(ctx, name, r)
	}
	return result(done, t.change(ctx, name, r, done))
}

// Activate is lifecycle.Activate.
func (t *Topologies) Activate(ctx context.Context, name string, o lifecycle.SwitchOptions) (*lifecycle.Switched, error) {
	return t.switchTo(ctx, name, "activate", "RUNNING", o)
}

// Deactivate is lifecycle.Deactivate.
func (t *Topologies) Deactivate(ctx context.Context, name string, o lifecycle.SwitchOptions) (*lifecycle.Switched, error) {
	return t.switchTo(ctx, name, "deactivate", "PAUSED", o)
}

func (t *Topologies) switchTo(ctx context.Context, name, verb, state string, o lifecycle.SwitchOptions) (*lifecycle.Switched, error) {
	r := request{method: http.MethodPost, path: t.path(name, verb)}
	done := &lifecycle.Switched{Topology: name, State: state, Changed: true}
	if t.client.original {
		return result(done, t.plain(ctx, name, r))
	}
	set(&r.query, "wait_timeout", span(o.Wait))
	return result(done, t.change(ctx, name, r, done))
}

// Restart is lifecycle.Restart.
func (t *Topologies) Restart(ctx context.Context, name string, o lifecycle.RestartOptions) (*lifecycle.Restarted, error) {
	r := request{method: http.MethodPost, path: t.path(name, "restart")}
	r.form(url.Values{"container_id": {strconv.Itoa(o.Container)}})
	done := &lifecycle.Restarted{Topology: name, Containers: []lifecycle.RestartedContainer{}}
	set(&r.query, "component", o.Component)
	if o.Batch > 1 {
		set(&r.query, "batch", strconv.Itoa(o.Batch))
	}
	set(&r.query, "wait", span(o.Wait))
	set(&r.query, "stable_for", span(o.StableFor))
	if t.client.original {
		return result(done, t.plain(ctx, name, r))
	}
	set(&r.query, "batch_timeout", span(o.BatchTimeout))
	return result(done, t.change(ctx, name, r, done))
}

// Unlock is lifecycle.Unlock.
func (t *Topologies) Unlock(ctx context.Context, name string, o lifecycle.UnlockOptions) (*lifecycle.Unlocked, error) {
	if err := t.client.needs("unlock"); err != nil {
		return nil, err
	}
	r := request{method: http.MethodPost, path: t.path(name, "unlock")}
	set(&r.query, "force", yes(o.Force))
	var done struct {
		lifecycle.Unlocked
		Remedy *wire.Remedy `json:"remedy"`
	}
	if err := t.change(ctx, name, r, &done); err != nil {
		return nil, err
	}
	done.Unlocked.Remedy = done.Remedy.Outcome()
	return &done.Unlocked, nil
}

// result is a result, unless there is an error.
func result[T any](done *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return done, nil
}

// needs refuses what the original server cannot do.
func (c *Client) needs(what string) error {
	if c.original {
		return outcome.Errorf(outcome.Usage, "the API server %s is Apache Heron's own, which knows no %s", c.URL(), what)
	}
	return nil
}

// plain has the original server do something, which it answers when it is done.
func (t *Topologies) plain(ctx context.Context, name string, r request) error {
	if t.client.opts.Lock > 0 {
		set(&r.query, "lock_timeout", t.client.opts.Lock.String())
	}
	for option := range r.query {
		return t.client.needs("--" + strings.ReplaceAll(option, "_", "-"))
	}
	_, err := t.plainly(ctx, name, r)
	return err
}

func (t *Topologies) plainly(ctx context.Context, name string, r request) ([]byte, error) {
	r.once, r.patient = true, true
	_, data, err := t.client.do(ctx, r)
	if lost, ok := err.(*lostError); ok { //nolint:errorlint // do returns it as it is
		return nil, t.unknown(name, lost.err, fmt.Sprintf("it does not end what it is asked for, so it may go on with topology %q", name))
	}
	return data, err
}
