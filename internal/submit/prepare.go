package submit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
)

// Config is a cluster's configuration, checked.
type Config struct {
	Options  conf.Options
	Loaded   *conf.Loaded
	Settings *conf.Settings
	// KillFlags are the flags, quoted for a shell, with which another command
	// gets the same configuration.
	KillFlags string
}

// LoadConfig reads a cluster's configuration and refuses one with unknown
// keys or unusable values.
func LoadConfig(opts conf.Options) (*Config, error) {
	loaded, err := conf.Load(opts)
	if err != nil {
		return nil, err
	}
	if err := loaded.Check(); err != nil {
		return nil, err
	}
	settings, err := loaded.Settings()
	if err != nil {
		return nil, err
	}
	return &Config{Options: opts, Loaded: loaded, Settings: settings}, nil
}

// CheckEngine refuses a configuration with which the engine would not start;
// where it is only to be shown, that is told and no error.
func (c *Config) CheckEngine(show bool, report Report) error {
	err := c.Loaded.CheckEngine()
	if err != nil && show {
		report.say("a real run would be refused: %v", err)
		return nil
	}
	return err
}

// Request is what a user asks to submit.
type Request struct {
	Config *Config
	// File is the topology file: jar, tar, pex, shared object or executable.
	File string
	// DefinitionFile is a definition made earlier. With it no program runs.
	DefinitionFile string
	// Program is how to run the topology file; Prepare fills in what it knows
	// itself.
	Program topology.Program
	// TopologyID replaces the id that the program made, "" keeps it.
	TopologyID string
	// Adopt, if set, gives the id to use for a topology of a name, "" for the
	// program's own.
	Adopt func(ctx context.Context, name string) (string, error)
	// Paused topologies wait for an activation.
	Paused bool
	// Client is the version of this program, Now the time of submission.
	Client string
	Now    time.Time
	// ModTime is the time of all files in the package; zero for one that is
	// always the same.
	ModTime time.Time
	Report  Report
}

// Prepared is all that was asked for, decided: one deployment per topology
// that the program defined, sorted by name.
type Prepared struct {
	Deployments []*Deployment

	dir string
	// made is how each deployment was made.
	made []maker
}

// maker makes a deployment of one definition, once more.
type maker struct {
	w *preparation
	f *topology.Found
}

// Close removes the temporary files, the packages among them.
func (p *Prepared) Close() error { return os.RemoveAll(p.dir) }

// Prepare runs the user's program, checks what it defined, makes the packages
// and decides. It contacts no server, and all it
// writes is in a temporary folder that Close removes.
func Prepare(ctx context.Context, req Request) (_ *Prepared, err error) {
	settings := req.Config.Settings
	w := &preparation{req: req, loaded: req.Config.Loaded}
	if !perTopology(settings.Upload) {
		// What is wrong with it is told before a program runs.
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
	if w.dir, err = os.MkdirTemp("", "heron-"); err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	p := &Prepared{dir: w.dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	found, err := w.definitions(ctx)
	if err != nil {
		return nil, err
	}
	if len(found) > 1 && req.TopologyID != "" {
		return nil, outcome.Errorf(outcome.Usage, "%s defines %d topologies, but --topology-id names one", req.File, len(found))
	}
	for _, f := range found {
		d, err := w.deployment(ctx, f)
		if err != nil {
			return nil, err
		}
		p.Deployments = append(p.Deployments, d)
		p.made = append(p.made, maker{w, f})
	}
	return p, nil
}

// preparation is one run of Prepare.
type preparation struct {
	req    Request
	loaded *conf.Loaded
	script []byte
	dir    string
}

// openUploader makes an uploader that tells where packages will be.
func (w *preparation) openUploader(settings conf.Upload) (uploader.Uploader, error) {
	o := w.req.Config.Options
	return uploader.New(settings, uploader.Environment{Home: o.UserHome, Getenv: o.Getenv})
}

// definitions runs the program, or reads what it wrote earlier.
func (w *preparation) definitions(ctx context.Context) ([]*topology.Found, error) {
	if w.req.DefinitionFile != "" {
		if info, err := os.Stat(w.req.File); err != nil || !info.Mode().IsRegular() {
			return nil, outcome.Errorf(outcome.Usage, "topology file %s is not a file", w.req.File)
		}
		f, err := topology.ReadDefinitionFile(w.req.DefinitionFile)
		if err != nil {
			return nil, err
		}
		return []*topology.Found{f}, nil
	}
	p := w.req.Program
	p.File, p.HeronHome, p.TempDir = w.req.File, w.req.Config.Options.Home, w.dir
	p.Identity = topology.Identity{
		Cluster: w.req.Config.Options.Cluster,
		Role:    w.req.Config.Options.Role,
		Environ: w.req.Config.Options.Environ,
		User:    w.req.Config.Options.User,
	}
	p.InitialState = heronpb.TopologyState_RUNNING
	if w.req.Paused {
		p.InitialState = heronpb.TopologyState_PAUSED
	}
	result, err := p.Run(ctx)
	if err != nil {
		return nil, err
	}
	return result.Found, nil
}

// deployment checks one definition, makes its package and decides.
func (w *preparation) deployment(ctx context.Context, f *topology.Found) (*Deployment, error) {
	def := f.Definition
	id := w.req.TopologyID
	if w.req.Adopt != nil {
		running, err := w.req.Adopt(ctx, def.Name())
		if err != nil {
			return nil, err
		}
		id = cmp.Or(running, id)
	}
	if id != "" {
		def = def.WithID(id)
	}
	if w.req.Paused {
		def = def.WithState(heronpb.TopologyState_PAUSED)
	}
	// A name must be one before it is put into paths. The topology cannot change
	// what of the settings matters here.
	base := w.req.Config.Settings
	if err := topology.Validate(def, topology.Rules{Nomad: true, Cluster: base.Cluster, ServiceNames: base.Nomad.RegisterMetrics}); err != nil {
		return nil, err
	}
	kind, err := topology.PackageType(w.req.File)
	if err != nil {
		return nil, err
	}
	binary := filepath.Base(w.req.File)
	settings, err := w.loaded.ForTopology(conf.Topology{
		Name: def.Name(), ID: def.ID(),
		DefinitionFile: def.Filename(), BinaryFile: binary, PackageType: kind,
	}).Settings()
	if err != nil {
		return nil, err
	}
	pkg, err := w.contents(def)
	if err != nil {
		return nil, fmt.Errorf("make the package of topology %q: %w", def.Name(), err)
	}
	file, err := w.pack(ctx, pkg)
	if err != nil {
		return nil, fmt.Errorf("make the package of topology %q: %w", def.Name(), err)
	}
	request, err := w.requestDigest(ctx, pkg, binary, kind)
	if err != nil {
		return nil, err
	}
	up, err := w.openUploader(settings.Upload)
	if err != nil {
		return nil, err
	}
	defer up.Close()
	return Decide(Input{
		Settings:       settings,
		Definition:     def,
		DefinitionFile: def.Filename(),
		BinaryFile:     binary,
		PackageType:    kind,
		Package:        file,
		Locate:         up.Locate,
		Script:         string(w.script),
		KillFlags:      w.req.Config.KillFlags,
		Client:         w.req.Client,
		Now:            w.req.Now,
		Request:        request,
	})
}

// contents are what goes into the package that containers fetch. Its
// configuration is the cluster's, without secrets.
func (w *preparation) contents(def *topology.Definition) (*topology.Package, error) {
	files, err := w.loaded.PackageFiles()
	if err != nil {
		return nil, err
	}
	p := &topology.Package{Binary: w.req.File, Definition: def, ModTime: w.req.ModTime}
	for _, f := range files {
		p.Conf = append(p.Conf, topology.ConfFile(f))
	}
	return p, nil
}

// pack writes the package to a file.
func (w *preparation) pack(ctx context.Context, p *topology.Package) (PackageFile, error) {
	built, err := p.Build(ctx, w.dir)
	if err != nil {
		return PackageFile{}, err
	}
	return PackageFile{Path: built.File, Size: built.Size, SHA256: built.SHA256}, nil
}
