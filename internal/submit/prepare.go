package submit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/all"
)

// Request is what a user asks to submit.
type Request struct {
	Config *cluster.Config
	// File is the topology file: jar, tar, pex, shared object or executable.
	File string
	// DefinitionFile is a definition made earlier. With it no program runs.
	DefinitionFile string
	// Program is how to run the topology file; Prepare fills in what it knows
	// itself.
	Program topology.Program
	// TopologyID replaces the id that the program made; "" keeps it.
	TopologyID string
	// Paused topologies wait for an activation.
	Paused bool
	// DryRun: the result is only shown, so a configuration with which the engine
	// would not start is a warning.
	DryRun bool
	// Client is the version of this program, Now the time of submission.
	Client string
	Now    time.Time
	// ModTime is the time of all files in the package; zero for one that is
	// always the same.
	ModTime  time.Time
	Progress progress.Sink
	// TempDir is where temporary files go; "" for the system's folder.
	TempDir string
	// Uploaders makes uploaders; nil for the usual ones.
	Uploaders uploader.Factory
}

// Prepared is what the program defined, checked: one draft per topology, sorted
// by name. What to write is decided once it is known what there is.
type Prepared struct {
	drafts []*draft
	dir    string
}

// Close removes the temporary files, the packages among them.
func (p *Prepared) Close() error { return os.RemoveAll(p.dir) }

// Prepare runs the user's program and checks what it defined. It contacts no
// server, and everything it writes is in a temporary folder that Close removes.
func Prepare(ctx context.Context, req Request) (_ *Prepared, err error) {
	settings := req.Config.Settings
	w := &preparation{req: req, loaded: req.Config.Loaded}
	if err := w.checkEngine(); err != nil {
		return nil, err
	}
	if !cluster.PerTopology(settings.Upload) {
		// A wrong setting is reported before a program runs.
		up, err := w.openUploader(settings.Upload)
		if err == nil {
			err = up.Close()
		}
		if err != nil {
			return nil, err
		}
	}
	if w.script, err = os.ReadFile(settings.Nomad.Script); err != nil {
		return nil, outcome.Errorf(outcome.Usage, "read the start script (heron.scheduler.job.template): %w", err)
	}
	if w.dir, err = os.MkdirTemp(w.req.TempDir, "heron-"); err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	p := &Prepared{dir: w.dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	o := req.Config.Options
	found, err := req.found(ctx, w.dir, o.Home, topology.Identity{Cluster: o.Cluster, Role: o.Role, Environ: o.Environ, User: o.User})
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		d, err := w.draft(f)
		if err != nil {
			return nil, err
		}
		p.drafts = append(p.drafts, d)
	}
	return p, nil
}

// Manifests decides what a submission would write where nothing is there yet.
func (p *Prepared) Manifests(ctx context.Context) ([]*Manifest, error) {
	var list []*Manifest
	for _, d := range p.drafts {
		m, err := d.decide(ctx, d.own())
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// preparation is one run of Prepare.
type preparation struct {
	req    Request
	loaded *conf.Loaded
	script []byte
	dir    string
}

// checkEngine refuses a configuration with which the engine would not start.
func (w *preparation) checkEngine() error {
	err := w.loaded.CheckEngine()
	if err != nil && w.req.DryRun {
		w.req.Progress.Warn("submit", outcome.Resource{Kind: outcome.File, ID: w.req.Config.Options.Dir}, "a real run would be refused", err)
		return nil
	}
	return err
}

// openUploader makes an uploader that knows where packages will be.
func (w *preparation) openUploader(settings conf.Upload) (uploader.Uploader, error) {
	o := w.req.Config.Options
	factory := w.req.Uploaders
	if factory == nil {
		factory = all.New
	}
	return factory(settings, uploader.Options{Home: o.UserHome, Getenv: o.Getenv})
}

// Define runs the user's program, or reads what it wrote earlier, and returns
// the definitions as they are to be submitted, sorted by name. It needs no
// configuration of a cluster; whoever submits them checks them.
func Define(ctx context.Context, req Request, home string, who topology.Identity) (_ []*topology.Definition, err error) {
	if _, err := topology.PackageType(req.File); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(req.TempDir, "heron-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	found, err := req.found(ctx, dir, home, who)
	if err != nil {
		return nil, err
	}
	var list []*topology.Definition
	for _, f := range found {
		list = append(list, req.adapted(f.Definition))
	}
	return list, nil
}

// found is what the program wrote, in a folder for what is temporary.
func (r Request) found(ctx context.Context, dir, home string, who topology.Identity) ([]*topology.Found, error) {
	if r.DefinitionFile != "" {
		if info, err := os.Stat(r.File); err != nil || !info.Mode().IsRegular() {
			return nil, outcome.Errorf(outcome.Usage, "topology file %s is not a file", r.File)
		}
		f, err := topology.ReadDefinitionFile(r.DefinitionFile)
		if err != nil {
			return nil, err
		}
		return []*topology.Found{f}, nil
	}
	p := r.Program
	p.File, p.HeronHome, p.TempDir, p.Identity = r.File, home, dir, who
	p.InitialState = heronpb.TopologyState_RUNNING
	if r.Paused {
		p.InitialState = heronpb.TopologyState_PAUSED
	}
	result, err := p.Run(ctx)
	if err != nil {
		return nil, err
	}
	if len(result.Found) > 1 && r.TopologyID != "" {
		return nil, outcome.Errorf(outcome.Usage, "%s defines %d topologies, but a topology id was given, which names only one", r.File, len(result.Found))
	}
	return result.Found, nil
}

// adapted is a definition with what the request changes of it.
func (r Request) adapted(def *topology.Definition) *topology.Definition {
	if r.TopologyID != "" {
		def = def.WithID(r.TopologyID)
	}
	if r.Paused {
		def = def.WithState(heronpb.TopologyState_PAUSED)
	}
	return def
}
