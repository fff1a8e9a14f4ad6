package apiclient

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/topology"
)

// Submission is one topology to submit.
type Submission struct {
	Definition *topology.Definition
	// File is the topology file.
	File string
	// Properties are settings, key=value each; the server says which it takes.
	Properties []string
	VerboseGC  bool
	Options    SubmitOptions
}

// SubmitOptions are submit.Options, and what versions.Replace takes.
type SubmitOptions struct {
	submit.Options
	// Replace: it takes the place of what runs under its name, and State is what
	// becomes of the state of an effectively-once topology.
	Replace bool
	State   string
}

// Submit submits a topology. What was done before a failure is returned beside
// it.
func (t *Topologies) Submit(ctx context.Context, s Submission) ([]*submit.Submitted, error) {
	name := s.Definition.Name()
	r, err := t.submission(s, nil)
	if err != nil {
		return nil, err
	}
	set(&r.query, "wait", span(s.Options.Wait))
	set(&r.query, "stable_for", span(s.Options.StableFor))
	set(&r.query, "rollback", yes(s.Options.Rollback))
	set(&r.query, "replace", yes(s.Options.Replace))
	set(&r.query, "state", s.Options.State)
	if t.client.original {
		if err := t.plain(ctx, name, r); err != nil {
			return nil, err
		}
		return []*submit.Submitted{{
			Topology: name, ID: s.Definition.ID(), Cluster: t.at.Cluster, Role: t.at.Role, Environ: t.at.Environ,
			Paused: s.Definition.State() == heronpb.TopologyState_PAUSED,
		}}, nil
	}
	var done struct {
		Submitted []*submit.Submitted `json:"submitted"`
	}
	err = t.change(ctx, name, r, &done)
	return done.Submitted, err
}

// DryRun is what a submission would write, in a format of submit.Formats.
func (t *Topologies) DryRun(ctx context.Context, s Submission, format string) (string, error) {
	if format == submit.FormatDeployment {
		if err := t.client.needs("--dry-run-format " + format); err != nil {
			return "", err
		}
	}
	r, err := t.submission(s, map[string]string{"dry_run": "True", "dry_run_format": strings.ToUpper(format)})
	if err != nil {
		return "", err
	}
	data, err := t.plainly(ctx, s.Definition.Name(), r)
	if err != nil {
		return "", err
	}
	var doc struct {
		Response string `json:"response"`
	}
	err = t.client.decode(data, &doc)
	return doc.Response, err
}

// Preview compares what a submission would write with what there is.
func (t *Topologies) Preview(ctx context.Context, s Submission) ([]*submit.Preview, error) {
	if err := t.client.needs("plan"); err != nil {
		return nil, err
	}
	r, err := t.submission(s, nil)
	if err != nil {
		return nil, err
	}
	set(&r.query, "plan", "true")
	data, err := t.plainly(ctx, s.Definition.Name(), r)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Planned []*submit.Preview `json:"planned"`
	}
	err = t.client.decode(data, &doc)
	return doc.Planned, err
}

// submission is the request of one, in the order in which the original's client
// sends it.
func (t *Topologies) submission(s Submission, more map[string]string) (request, error) {
	definition, err := s.Definition.Bytes()
	if err != nil {
		return request{}, err
	}
	f := newForm()
	f.field("name", s.Definition.Name())
	f.field("cluster", t.at.Cluster)
	f.field("role", t.at.Role)
	f.field("environment", t.at.Environ)
	f.field("user", t.at.User)
	for _, p := range s.Properties {
		key, value, ok := strings.Cut(p, "=")
		if !ok || key == "" {
			return request{}, outcome.Errorf(outcome.Usage, "setting %q: write it as KEY=VALUE", p)
		}
		if !strings.Contains(key, ".") {
			return request{}, outcome.Errorf(outcome.Usage, "setting %q: an API server takes names with a dot, as heron.x.y, for settings alone", key)
		}
		f.field(key, value)
	}
	for name, value := range more {
		f.field(name, value)
	}
	if s.VerboseGC {
		f.field("verbose_gc", "True")
	}
	f.content("definition", s.Definition.Name()+".defn", definition)
	f.file("topology", filepath.Base(s.File), s.File)
	if err := f.close(); err != nil {
		return request{}, err
	}
	return request{
		method: http.MethodPost, path: []string{"topologies"},
		header: http.Header{"Content-Type": {f.writer.FormDataContentType()}},
		body:   func() (io.Reader, error) { return t.uploading(f, s.File) }, size: f.size,
	}, nil
}

// tellAgain is how often a transfer is told.
const tellAgain = 200 * time.Millisecond

// uploading is a form whose way to the server is shown.
func (t *Topologies) uploading(f *multipartForm, file string) (io.Reader, error) {
	opened, err := f.open()
	if err != nil {
		return nil, err
	}
	return &upload{
		Reader: opened, sink: t.client.opts.Progress, size: f.size,
		what: outcome.Resource{Kind: outcome.File, ID: filepath.Base(file)},
	}, nil
}

// upload tells how far a body is.
type upload struct {
	io.Reader
	sink progress.Sink
	what outcome.Resource
	size int64

	mu    sync.Mutex
	done  int64
	told  time.Time
	ended bool
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done += int64(n)
	if n > 0 && !u.ended && time.Since(u.told) >= tellAgain {
		u.told = time.Now()
		u.tell(progress.Advanced)
	}
	return n, err
}

// tell sends an event; mu is held.
func (u *upload) tell(state progress.State) {
	u.sink.Send(progress.Event{State: state, Step: "upload", What: u.what, Done: u.done, Total: u.size, Unit: "bytes"})
}

// Close closes the body, whose way is over.
func (u *upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended && !u.told.IsZero() {
		u.ended = true
		u.tell(progress.Ended)
	}
	if c, ok := u.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
