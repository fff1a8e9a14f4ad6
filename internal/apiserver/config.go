package apiserver

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/logs"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/all"
)

// keyUploadURI says where the HTTP uploader posts packages to.
const keyUploadURI = "heron.uploader.http.uri"

// paths of the file service.
const (
	uploadPath   = prefix + "/file/upload"
	downloadPath = prefix + "/file/download/"
)

// setup is the configuration of one request.
type setup struct {
	*cluster.Config
	// uploaders makes this server's own uploader where packages go to this
	// server, and the usual ones otherwise.
	uploaders uploader.Factory
}

// setup reads the configuration anew, with what a request adds to it.
func (s *Server) setup(ctx context.Context, at place, overrides []string, verboseGC bool) (*setup, error) {
	o := s.opts.Base
	o.Cluster, o.Role, o.Environ, o.User = at.cluster, at.role, at.environ, at.user
	o.Properties = slices.Concat(o.Properties, overrides)
	o.VerboseGC, o.Via = verboseGC, via(ctx)
	loaded, err := conf.Load(o)
	if err != nil {
		return nil, err
	}
	base, own, err := s.ownBase(ctx, loaded)
	if err != nil {
		return nil, err
	}
	return s.setupAt(o, base, own)
}

// setupAt is the configuration with packages that go to this server itself, if
// they do, under an address.
func (s *Server) setupAt(o conf.Options, base string, own bool) (_ *setup, err error) {
	out := &setup{uploaders: all.New}
	if own {
		o.Properties = append(slices.Clip(o.Properties), keyUploadURI+"="+base+uploadPath)
		out.uploaders = func(settings conf.Upload, opts uploader.Options) (uploader.Uploader, error) {
			if settings.Kind != "http" {
				return all.New(settings, opts)
			}
			return uploader.Decorate(files.NewUploader(s.opts.Store, base+downloadPath), settings, opts), nil
		}
	}
	out.Config, err = cluster.LoadConfig(o)
	return out, err
}

// ownBase says whether packages go to this server itself, and then by which
// address nodes reach it: where packages go by HTTP and nothing says where to,
// or where that is this server.
func (s *Server) ownBase(ctx context.Context, loaded *conf.Loaded) (base string, own bool, err error) {
	local, err := loaded.Local()
	if err != nil {
		return "", false, err
	}
	class, _, err := local.String("heron.class.uploader")
	if err != nil || class != "http" && !strings.HasSuffix(class, ".HttpUploader") {
		return "", false, err
	}
	uri, _, err := local.String(keyUploadURI)
	if err != nil {
		return "", false, err
	}
	if uri != "" {
		for _, base := range s.knownBases() {
			if strings.TrimSuffix(uri, "/") == base+uploadPath {
				return base, true, nil
			}
		}
		return "", false, nil
	}
	base, err = s.reach.base(ctx)
	return base, true, err
}

// Nomad is what requests ask of Nomad beside the cluster's jobs.
type Nomad interface {
	doctor.Nomad
	logs.Nomad
}

// Link is an open way to the servers of a cluster.
type Link struct {
	cluster.Cluster
	Nomad Nomad
	Shell logs.Shell
	Close func() error
}

// connect opens the cluster's servers for one operation, as a command line
// does.
func (s *Server) connect(ctx context.Context, set *setup, sink progress.Sink) (*Link, error) {
	o := s.opts.Base
	opts := cluster.Options{Progress: sink, Home: o.UserHome, Getenv: o.Getenv, Uploaders: set.uploaders, Observe: s.metrics.ask}
	if s.opts.Connect != nil {
		return s.opts.Connect(ctx, set.Settings, opts)
	}
	conn, err := cluster.Connect(ctx, set.Settings, opts)
	if err != nil {
		return nil, err
	}
	return &Link{Cluster: conn.Cluster, Nomad: conn.Nomad, Shell: conn.Shell, Close: conn.Close}, nil
}

// release closes a link whose work is done.
func (s *Server) release(l *Link) {
	if err := l.Close(); err != nil {
		s.opts.Log.Warn("close the connection to the cluster's servers", "error", err.Error())
	}
}

// checkPlace refuses a place that no topology can be at.
func checkPlace(at place) error {
	for _, part := range []struct{ what, value string }{
		{"cluster", at.cluster}, {"role", at.role}, {"environment", at.environ}, {"user", cmp.Or(at.user, at.role)},
	} {
		if err := cluster.CheckPart(part.what, part.value); err != nil {
			return err
		}
	}
	return nil
}

// Check refuses a configuration with which no request could be answered, and
// returns its settings. It connects to nothing; where packages go to this
// server itself, the address that nodes have for it is not looked for yet.
func (s *Server) Check() (*conf.Settings, error) {
	o := s.opts.Base
	o.Role, o.Environ, o.User = anyPart, anyPart, anyPart
	loaded, err := conf.Load(o)
	if err != nil {
		return nil, err
	}
	local, err := loaded.Local()
	if err != nil {
		return nil, err
	}
	if uri, _, err := local.String(keyUploadURI); err == nil && uri == "" {
		o.Properties = append(slices.Clip(o.Properties), keyUploadURI+"=http://127.0.0.1"+uploadPath)
	}
	config, err := cluster.LoadConfig(o)
	if err != nil {
		return nil, err
	}
	return config.Settings, nil
}
