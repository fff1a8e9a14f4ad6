package apiclient

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/update"
)

// updateForm is the form of an update, as the original's client sends it.
func (t *Topologies) updateForm(u update.Request) (url.Values, error) {
	form := url.Values{}
	for _, p := range u.Parallelism {
		form.Add("component_parallelism", fmt.Sprintf("%s:%d", p.Component, p.Instances))
	}
	if u.Containers != nil {
		form.Set("container_number", strconv.Itoa(*u.Containers))
	}
	for _, v := range u.Runtime {
		form.Add("runtime_config", v.String())
	}
	if !t.client.original {
		return form, nil
	}
	// It answers that it has done these.
	switch {
	case len(u.Runtime) > 0:
		return nil, t.client.needs("--runtime-config")
	case u.Containers != nil && len(u.Parallelism) > 0:
		return nil, t.client.needs("--container-number beside --component-parallelism")
	}
	return form, nil
}

// Update is update.Update. Of an original server the result says no more than
// that it did something.
func (t *Topologies) Update(ctx context.Context, name string, u update.Request, o update.Options) (*update.Updated, error) {
	form, err := t.updateForm(u)
	if err != nil {
		return nil, err
	}
	r := request{method: http.MethodPost, path: t.path(name, "update")}
	r.form(form)
	set(&r.query, "wait", span(o.Wait))
	set(&r.query, "stable_for", span(o.StableFor))
	set(&r.query, "rollback", yes(o.Rollback))
	if t.client.original {
		return result(&update.Updated{Topology: name, Changed: true}, t.plain(ctx, name, r))
	}
	done := &update.Updated{}
	err = t.change(ctx, name, r, done)
	if done.Topology == "" {
		return nil, err
	}
	return done, err
}

// PreviewUpdate is update.Look, and the plans in a format of update.Formats. An
// original server tells the plans alone.
func (t *Topologies) PreviewUpdate(ctx context.Context, name string, u update.Request, format string) (*update.Preview, string, error) {
	form, err := t.updateForm(u)
	if err != nil {
		return nil, "", err
	}
	form.Set("dry_run", "True")
	form.Set("dry_run_format", strings.ToUpper(format))
	r := request{method: http.MethodPost, path: t.path(name, "update")}
	r.form(form)
	var doc struct {
		Response string `json:"response"`
	}
	if t.client.original {
		data, err := t.plainly(ctx, name, r)
		if err != nil {
			return nil, "", err
		}
		err = t.client.decode(data, &doc)
		return nil, doc.Response, err
	}
	preview := &update.Preview{}
	end, err := t.end(ctx, name, r, preview)
	if err != nil {
		return nil, "", err
	}
	if preview.Topology == "" || len(end.Response) == 0 {
		return nil, "", outcome.Errorf(outcome.Failed, "the API server %s does not say what the update would do", t.client.URL())
	}
	err = t.client.decode(end.Response, &doc)
	return preview, doc.Response, err
}
