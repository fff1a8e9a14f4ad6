package apiserver

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/dryrun"
	"github.com/heron-nomad/heron/internal/update"
)

// change is what the form and the query of an update ask for.
type change struct {
	update.Request
	opts   update.Options
	dryRun bool
	format string
}

// update scales a topology, or changes its runtime configuration.
func (s *Server) update(w http.ResponseWriter, r *http.Request) error {
	form, given, err := s.readForm(w, r)
	if err != nil {
		return err
	}
	if !given {
		return refuse(http.StatusUnprocessableEntity, "no param")
	}
	c, err := newChange(form, r.URL.Query())
	if err != nil {
		return err
	}
	return s.act(w, r, auth.Update, form.Encode(), func(ctx context.Context, cl *Link, _ *setup, name string) (*reply, error) {
		if c.dryRun {
			return c.preview(ctx, cl, name)
		}
		updated, err := update.Update(ctx, cl.Cluster, name, c.Request, c.opts)
		return done(name, "updated", updated, err)
	})
}

// newChange reads the original's form, and what stands in the query.
func newChange(form, q url.Values) (*change, error) {
	c := &change{format: strings.ToLower(form.Get("dry_run_format"))}
	parallelism, containers, runtime := form["component_parallelism"], form.Get("container_number"), form["runtime_config"]
	if len(parallelism) == 0 && containers == "" && len(runtime) == 0 {
		return nil, refuse(http.StatusUnprocessableEntity, "missing component_parallelism or runtime_config param")
	}
	var err error
	if c.Request, err = update.ParseRequest(parallelism, containers, runtime); err != nil {
		return nil, err
	}
	if c.dryRun, err = flag(form.Get("dry_run")); err != nil {
		return nil, err
	}
	if update.CheckFormat(c.format) != nil {
		c.format = string(dryrun.Table) // as the original does
	}
	if c.opts.Wait, c.opts.StableFor, err = waits(q); err != nil {
		return nil, err
	}
	if c.opts.Rollback, err = flag(q.Get("rollback")); err != nil {
		return nil, err
	}
	if c.opts.Rollback && c.opts.Wait == 0 {
		return nil, refuse(http.StatusBadRequest, "rollback goes with wait")
	}
	return c, nil
}

// preview answers with what an update would do: the plans as text, and the rest
// as the result.
func (c *change) preview(ctx context.Context, cl *Link, name string) (*reply, error) {
	preview, err := update.Look(ctx, cl.Cluster, name, c.Request)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if preview.Packs() {
		if err := preview.Show(&text, c.format); err != nil {
			return nil, err
		}
	}
	return &reply{status: http.StatusOK, body: response{text.String()}, result: preview}, nil
}
