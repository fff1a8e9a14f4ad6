package versions

import (
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
)

// errGone is what an upload finds that should find its package there.
var errGone = errors.New("it is not stored any more")

// fetchURI makes sure that the package of a version is there and returns the URI
// by which nodes get it now, "" for the one that was recorded: a URL that lets
// its holder in is not recorded. An upload of what is there transfers nothing.
func fetchURI(ctx context.Context, cl cluster.Cluster, name string, v statemgr.Version) (string, error) {
	pkg := v.Deployment.Package
	what := cluster.PackageOf(v)
	if cl.Uploader == nil || pkg.Uploader != cl.Settings.Upload.Kind {
		cl.Progress.Warn("check", what, fmt.Sprintf("nobody can tell whether it is there: uploader %s stored it, but %s is configured", pkg.Uploader, cl.Settings.Upload.Kind), nil)
		return "", nil
	}
	if !cl.Uploader.Capabilities().FixedNames {
		return "", nil
	}
	es, err := identity(v)
	if err != nil {
		return "", err
	}
	stored := topology.PackageName(es.GetCluster(), es.GetRole(), es.GetEnviron(), name, v.Deployment.TopologyID, pkg.SHA256)
	if cl.Uploader.Locate(stored).URI != pkg.URI {
		return "", nil // the place of packages has changed
	}
	where, err := cl.Uploader.Upload(ctx, uploader.Source{
		Name: stored, Size: pkg.Size, SHA256: pkg.SHA256,
		Open: func() (uploader.Content, error) { return nil, errGone },
	})
	if errors.Is(err, errGone) {
		return "", outcome.Errorf(outcome.Differs, "version %d of topology %q cannot be put in place: package %s %w", v.Number, name, pkg.URI, errGone)
	}
	return where.Fetch, err
}

// settle notes that the target is good, and removes the versions that are not
// kept any longer, with their packages.
func (c *change) settle(ctx context.Context) cluster.Shortened {
	if err := c.cl.State.MarkStable(ctx, c.name, c.target.Number, c.claim.Guards()...); err != nil {
		history := outcome.Resource{Kind: outcome.Node, ID: c.cl.State.History(c.name)}
		c.cl.Progress.Warn("note", history, "it does not say that this version runs well", err)
		return cluster.Shortened{}
	}
	return c.cl.ShortenHistory(ctx, c.name, c.clusterOf, c.claim.Guards()...)
}

// clusterOf is the cluster as a version sees it, whose topology id the place of
// its package may depend on.
func (c *change) clusterOf(v statemgr.Version) (cluster.Cluster, error) {
	return c.cl.ForTopology(c.forTopology, c.name, v.Deployment.TopologyID)
}
