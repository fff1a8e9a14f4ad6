package submit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/topology"
)

// draft is one topology that the program defined, checked. What it will write
// follows from an identity.
type draft struct {
	*preparation
	def          *topology.Definition
	binary, kind string
}

// identity is what a topology gets at its submission and what therefore differs
// between two runs of one command.
type identity struct {
	id string
	at time.Time
}

// draft checks a definition as far as that does not depend on its id.
func (w *preparation) draft(f *topology.Found) (*draft, error) {
	def := w.req.adapted(f.Definition)
	kind, err := topology.PackageType(w.req.File)
	if err != nil {
		return nil, err
	}
	d := &draft{preparation: w, def: def, binary: filepath.Base(w.req.File), kind: kind}
	return d, d.validate(def)
}

// validate refuses a definition that breaks rules of Heron's or Nomad's. A name
// and an id have to be valid before they are put into paths.
func (d *draft) validate(def *topology.Definition) error {
	s := d.req.Config.Settings
	return topology.Validate(def, topology.Rules{Nomad: true, Cluster: s.Cluster, ServiceNames: s.Nomad.RegisterMetrics})
}

// own is the identity that the program or the request gave.
func (d *draft) own() identity { return identity{id: d.def.ID(), at: d.req.Now} }

// decide makes the package for an identity and decides what to write.
func (d *draft) decide(ctx context.Context, who identity) (*Manifest, error) {
	def := d.def.WithID(who.id)
	if err := d.validate(def); err != nil {
		return nil, err
	}
	settings, err := d.settings(who.id)
	if err != nil {
		return nil, err
	}
	pkg, err := d.contents(def)
	if err != nil {
		return nil, fmt.Errorf("make the package of topology %q: %w", def.Name(), err)
	}
	built, err := pkg.Build(ctx, d.dir)
	if err != nil {
		return nil, fmt.Errorf("make the package of topology %q: %w", def.Name(), err)
	}
	request, err := d.digest(ctx, pkg)
	if err != nil {
		return nil, err
	}
	up, err := d.openUploader(settings.Upload)
	if err != nil {
		return nil, err
	}
	defer up.Close()
	return NewManifest(Input{
		Settings:       settings,
		Definition:     def,
		DefinitionFile: def.Filename(),
		BinaryFile:     d.binary,
		PackageType:    d.kind,
		Package:        PackageFile{Path: built.File, Size: built.Size, SHA256: built.SHA256},
		Locate:         up.Locate,
		Script:         string(d.script),
		Client:         d.req.Client,
		Now:            who.at,
		Request:        request,
	})
}

// settings are the cluster's as they are for this topology under an id.
func (d *draft) settings(id string) (*conf.Settings, error) {
	return d.loaded.ForTopology(conf.Topology{
		Name: d.def.Name(), ID: id,
		DefinitionFile: d.def.Filename(), BinaryFile: d.binary, PackageType: d.kind,
	}).Settings()
}

// digest identifies the request. Two runs of one command have the same, whatever
// id the program makes; no part of it is secret. The package's contents stand
// for the topology file, the definition and the configuration's files; the
// settings for what came from elsewhere.
func (d *draft) digest(ctx context.Context, p *topology.Package) (string, error) {
	contents, err := p.Fingerprint(ctx)
	if err != nil {
		return "", fmt.Errorf("digest the package of topology %q: %w", d.def.Name(), err)
	}
	settings, err := d.settings("topology-id")
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(struct {
		Client, Contents, Script, Type string
		Settings                       *conf.Settings
	}{d.req.Client, contents, string(d.script), d.kind, settings})
	if err != nil {
		return "", fmt.Errorf("digest the request for topology %q: %w", d.def.Name(), err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// contents are what goes into the package that containers fetch. Its
// configuration is the cluster's, without secrets.
func (d *draft) contents(def *topology.Definition) (*topology.Package, error) {
	files, err := d.loaded.PackageFiles()
	if err != nil {
		return nil, err
	}
	p := &topology.Package{Binary: d.req.File, Definition: def, ModTime: d.req.ModTime}
	for _, f := range files {
		p.Conf = append(p.Conf, topology.ConfFile(f))
	}
	return p, nil
}
