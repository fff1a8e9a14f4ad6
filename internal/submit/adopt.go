package submit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// Resume looks for submissions of the same topologies that died, and makes
// the deployments of those that were to write the very same go on with them:
// under their topology id and time, which give the same package, so that its
// upload goes on too. A topology id that was asked for by name stays.
func (p *Prepared) Resume(ctx context.Context, env Env) error {
	for i, d := range p.Deployments {
		next, err := p.made[i].resume(ctx, env, d)
		if err != nil {
			return err
		}
		if next != nil {
			p.Deployments[i] = next
		}
	}
	return nil
}

func (m maker) resume(ctx context.Context, env Env, d *Deployment) (*Deployment, error) {
	env, err := env.with(d.in.Settings.Upload)
	if err != nil {
		return nil, err
	}
	found, err := env.readIntent(ctx, statemgr.Layout{Root: d.in.Settings.State.Root}, d.Definition.Name())
	if err != nil || found == nil || found.alive || found.intent.Request != d.in.Request || !env.Uploader.Capabilities().FixedNames {
		return nil, err
	}
	if m.w.req.TopologyID != "" && m.w.req.TopologyID != found.intent.TopologyID {
		return nil, nil
	}
	w := *m.w
	w.req.TopologyID, w.req.Adopt, w.req.Now = found.intent.TopologyID, nil, found.intent.SubmittedAt
	next, err := w.deployment(ctx, m.f)
	if err != nil {
		return nil, err
	}
	// The package under the former id is of no more use.
	return next, os.Remove(d.in.Package.Path)
}

// requestDigest tells one request from another. Two runs of one command give
// the same, whatever id the program makes; secrets are in none of its parts.
// The package's contents stand for topology file, definition and files of the
// configuration; the settings for what came from elsewhere.
func (w *preparation) requestDigest(ctx context.Context, p *topology.Package, binary, kind string) (string, error) {
	def := p.Definition
	contents, err := p.Fingerprint(ctx)
	if err != nil {
		return "", fmt.Errorf("digest the package of topology %q: %w", def.Name(), err)
	}
	settings, err := w.loaded.ForTopology(conf.Topology{
		Name: def.Name(), ID: "topology-id", DefinitionFile: def.Filename(), BinaryFile: binary, PackageType: kind,
	}).Settings()
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(struct {
		Client, Contents, Script, Type string
		Settings                       *conf.Settings
	}{w.req.Client, contents, string(w.script), kind, settings})
	if err != nil {
		return "", fmt.Errorf("digest the request for topology %q: %w", def.Name(), err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
