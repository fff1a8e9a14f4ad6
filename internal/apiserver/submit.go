package apiserver

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/versions"
)

// submitFields are the fields of the form that are no overrides.
func submitFields() []string {
	return []string{"name", "cluster", "role", "environment", "user", "dry_run", "dry_run_format", "verbose", "verbose_gc"}
}

// order is what a submission's request asks for.
type order struct {
	name      string
	at        place
	overrides []string
	dryRun    bool
	format    string
	verboseGC bool
	// plan: say what would be done, and compare with what there is.
	plan               bool
	wait, stable, lock time.Duration
	// replace what runs under the name; state is what becomes of its state.
	replace bool
	state   string
	// rollback removes what does not run in time.
	rollback bool
}

// submit takes a topology.
func (s *Server) submit(w http.ResponseWriter, r *http.Request) error {
	free, err := s.uploadSlot()
	if err != nil {
		return err
	}
	// The forms' other parts are small.
	done := s.readBody(w, r, s.opts.Limits.Upload+maxDefinition+maxFieldBytes*2)
	form, err := s.readSubmission(r.Context(), r)
	free()
	if err != nil {
		return err
	}
	done()
	o, err := s.order(r, form)
	if err != nil {
		form.remove()
		return err
	}
	return s.perform(w, r, task{
		verb: auth.Submit, topology: o.name, at: o.at, digest: digestOf(r, form.digest), clean: form.remove,
		run: func(ctx context.Context, sink progress.Sink) (*reply, error) { return s.carryOut(ctx, o, form, sink) },
	})
}

// order checks what a form says.
func (s *Server) order(r *http.Request, form *submission) (*order, error) {
	missing := []string{}
	for _, name := range []string{"name", "cluster", "role"} {
		if v, _ := form.value(name); v == "" {
			missing = append(missing, name)
		}
	}
	if form.definition == "" {
		missing = append(missing, "definition")
	}
	if form.topology == "" {
		missing = append(missing, "topology")
	}
	if len(missing) > 0 {
		return nil, &httpError{
			status: http.StatusUnprocessableEntity, missing: missing,
			msg: "Validation failed missing required params: [" + strings.Join(missing, ", ") + "]",
		}
	}
	text := func(name string) string { v, _ := form.value(name); return v }
	o := &order{name: text("name"), format: strings.ToLower(text("dry_run_format"))}
	o.at = place{cluster: text("cluster"), role: text("role"), environ: cmp.Or(text("environment"), defaultEnvironment)}
	o.at.user = cmp.Or(text("user"), o.at.role)
	if err := s.checkCluster(o.at.cluster); err != nil {
		return nil, err
	}
	o.at.cluster = s.opts.Base.Cluster
	if err := checkPlace(o.at); err != nil {
		return nil, err
	}
	if who := identity(r.Context()); !who.Serves(o.at.role) {
		return nil, forbidden("%s may not act on topologies of role %s", who.Name, o.at.role)
	}
	var err error
	if o.dryRun, err = flag(text("dry_run")); err != nil {
		return nil, err
	}
	if o.verboseGC, err = flag(text("verbose_gc")); err != nil {
		return nil, err
	}
	if submit.CheckFormat(o.format) != nil {
		o.format = "table" // as the original does
	}
	var keys []string
	for _, f := range form.fields {
		if !slices.Contains(submitFields(), f.name) {
			keys = append(keys, f.name)
			o.overrides = append(o.overrides, f.name+"="+f.value)
		}
	}
	if err := s.allowed.check(keys); err != nil {
		return nil, err
	}
	return o, s.orderQuery(r.URL.Query(), o)
}

// orderQuery reads what the original does not know, which stands in the query:
// every field of the form is an override there.
func (s *Server) orderQuery(q url.Values, o *order) (err error) {
	if o.plan, err = flag(q.Get("plan")); err != nil {
		return err
	}
	if o.lock, err = duration(q.Get("lock_timeout"), 0); err != nil {
		return err
	}
	if o.replace, err = flag(q.Get("replace")); err != nil {
		return err
	}
	if o.rollback, err = flag(q.Get("rollback")); err != nil {
		return err
	}
	o.state = q.Get("state")
	o.wait, o.stable, err = waits(q)
	switch {
	case err != nil:
		return err
	case o.replace && o.dryRun:
		return refuse(http.StatusBadRequest, "replace does not go with dry_run; plan compares with what runs")
	case o.replace && o.wait == 0:
		o.wait = versionWait
	case o.rollback && o.wait == 0:
		return refuse(http.StatusBadRequest, "rollback goes with wait")
	case o.state != "" && !o.replace:
		return refuse(http.StatusBadRequest, "state goes with replace")
	}
	return nil
}

// waits reads how long to wait for a topology that runs, and how long it has to
// have run by then.
func waits(q url.Values) (wait, stable time.Duration, err error) {
	if wait, err = duration(q.Get("wait"), 0); err != nil {
		return 0, 0, err
	}
	if stable, err = duration(q.Get("stable_for"), 0); err != nil {
		return 0, 0, err
	}
	if stable > 0 && stable >= wait {
		return 0, 0, refuse(http.StatusBadRequest, "stable_for=%s does not fit in wait=%s", stable, wait)
	}
	return wait, stable, nil
}

// carryOut submits.
func (s *Server) carryOut(ctx context.Context, o *order, form *submission, sink progress.Sink) (*reply, error) {
	found, err := topology.ReadDefinitionFile(form.definition)
	if err != nil {
		// The file's path here says nothing to the client.
		return nil, refuse(http.StatusUnprocessableEntity, "the part definition is not a topology's definition")
	}
	if is := found.Definition.Name(); is != o.name {
		return nil, refuse(http.StatusUnprocessableEntity, "the definition is of topology %q, not of %q as the form says", is, o.name)
	}
	set, err := s.setup(ctx, o.at, o.overrides, o.verboseGC)
	if err != nil {
		return nil, err
	}
	prepared, err := submit.Prepare(ctx, submit.Request{
		Config: set.Config, File: form.topology, DefinitionFile: form.definition, DryRun: o.dryRun,
		Client: s.opts.Client, Now: s.opts.Now(), Progress: sink, Uploaders: set.uploaders, TempDir: form.dir,
	})
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	if o.dryRun {
		return dryRun(ctx, prepared, o.format)
	}
	cl, err := s.connect(ctx, set, sink)
	if err != nil {
		return nil, err
	}
	defer s.release(cl)
	if o.plan {
		planned, err := prepared.Preview(ctx, cl.Cluster)
		if err != nil {
			return nil, err
		}
		body := struct {
			Planned []*submit.Preview `json:"planned"`
		}{planned}
		return &reply{status: http.StatusOK, body: body, result: body}, nil
	}
	var (
		submitted []*submit.Submitted
		failed    error
	)
	err = operation.WhenFree(ctx, cl.State, sink, patience(ctx, set.Settings, o.lock), func() error {
		list, err := o.carryOut(ctx, cl, set, prepared)
		submitted = append(submitted, list...)
		if len(submitted) > 0 { // it is not repeated
			failed = err
			return nil
		}
		return err
	})
	return s.submitted(o, submitted), cmp.Or(err, failed)
}

// carryOut submits what was prepared, or puts it in the place of what runs.
func (o *order) carryOut(ctx context.Context, cl *Link, set *setup, prepared *submit.Prepared) ([]*submit.Submitted, error) {
	if o.replace {
		return versions.Replace(ctx, cl.Cluster, prepared, versions.ReplaceOptions{
			Wait: versions.Wait{Limit: o.wait, StableFor: o.stable}, State: o.state, Rollback: o.rollback, ForTopology: set.ForTopology,
		})
	}
	decisions, err := prepared.Decide(ctx, cl.Cluster)
	if err != nil {
		return nil, err
	}
	return submit.Submit(ctx, cl.Cluster, decisions, submit.Options{Wait: o.wait, StableFor: o.stable, Rollback: o.rollback, Again: again(ctx)})
}

// submitted is the answer to a submission. Beside an error it has what was done
// before.
func (s *Server) submitted(o *order, list []*submit.Submitted) *reply {
	if list == nil {
		list = []*submit.Submitted{}
	}
	body := struct {
		Name        string `json:"name"`
		Cluster     string `json:"cluster"`
		Role        string `json:"role"`
		Environment string `json:"environment"`
	}{o.name, o.at.cluster, o.at.role, o.at.environ}
	result := struct {
		Submitted []*submit.Submitted `json:"submitted"`
	}{list}
	at := s.publicPath + prefix + "/topologies"
	for _, part := range []string{o.at.cluster, o.at.role, o.at.environ, o.name} {
		at += "/" + url.PathEscape(part)
	}
	return &reply{status: http.StatusCreated, location: at, body: body, result: result}
}

// response is the body of a dry run.
type response struct {
	Response string `json:"response"`
}

func dryRun(ctx context.Context, prepared *submit.Prepared, format string) (*reply, error) {
	manifests, err := prepared.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, m := range manifests {
		if err := m.Show(&text, format); err != nil {
			return nil, fmt.Errorf("show the dry run: %w", err)
		}
	}
	body := response{text.String()}
	return &reply{status: http.StatusOK, body: body, result: body}, nil
}

// uploadSlot takes one of the places for requests that bring a file.
func (s *Server) uploadSlot() (free func(), err error) {
	select {
	case s.uploads <- struct{}{}:
		return func() { <-s.uploads }, nil
	default:
		return nil, &httpError{
			status: http.StatusServiceUnavailable, kind: "unreachable",
			msg: "too many uploads at the same time; try again later", header: http.Header{"Retry-After": {"5"}},
		}
	}
}
