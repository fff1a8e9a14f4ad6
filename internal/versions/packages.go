package versions

import (
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/operation"
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

// removePackage removes a package as far as the configured uploader can.
func removePackage(ctx context.Context, cl cluster.Cluster, pkg outcome.Resource) error {
	if cl.Uploader == nil || pkg.Where != cl.Settings.Upload.Kind {
		return &operation.KeptError{Err: fmt.Errorf("stored by uploader %s, but %s is configured", pkg.Where, cl.Settings.Upload.Kind)}
	}
	err := cl.Uploader.Delete(ctx, pkg.ID)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, uploader.ErrForeign) {
		return &operation.KeptError{Err: err}
	}
	return err
}

// settled is what became of the history after a change.
type settled struct {
	removed []outcome.Resource
	kept    []outcome.Leftover
}

// settle notes that the target is good, and removes the versions that are not
// kept any longer, with their packages. What fails here is a warning: the
// topology runs, and the next change tries again.
func (c *change) settle(ctx context.Context) settled {
	var s settled
	history := outcome.Resource{Kind: outcome.Node, ID: c.cl.State.History(c.name)}
	if err := c.cl.State.MarkStable(ctx, c.name, c.target.Number, c.claim.Guards()...); err != nil {
		c.cl.Progress.Warn("note", history, "it does not say that this version runs well", err)
		return s
	}
	versions, err := c.cl.State.Versions(ctx, c.name)
	if err != nil {
		c.cl.Progress.Warn("shorten", history, "versions that are not kept any longer are still there", err)
		return s
	}
	surplus := statemgr.Surplus(versions, c.cl.Settings.Nomad.History)
	gone := map[int]bool{}
	for _, v := range surplus {
		gone[v.Number] = true
	}
	used := map[string]bool{}
	for _, v := range versions {
		if !gone[v.Number] {
			used[v.Deployment.Package.URI] = true
		}
	}
	for _, v := range surplus {
		if err := c.removeVersion(ctx, v, used, &s); err != nil {
			c.cl.Progress.Warn("remove", history, fmt.Sprintf("version %d, which is not kept any longer, is still there", v.Number), err)
		}
	}
	return s
}

// removeVersion removes a version, and its package unless another one needs it.
func (c *change) removeVersion(ctx context.Context, v statemgr.Version, used map[string]bool, s *settled) error {
	pkg := cluster.PackageOf(v)
	if pkg.ID != "" && !used[pkg.ID] {
		used[pkg.ID] = true // once
		cl, err := c.clusterOf(v)
		if err != nil {
			return err
		}
		err = removePackage(ctx, cl, pkg)
		var kept *operation.KeptError
		switch {
		case errors.As(err, &kept):
			s.kept = append(s.kept, outcome.Leftover{Resource: pkg, Why: kept.Error(), ByHand: true})
		case err != nil:
			return err
		default:
			s.removed = append(s.removed, pkg)
		}
	}
	return c.cl.State.DeleteVersion(ctx, c.name, v, c.claim.Guards()...)
}

// clusterOf is the cluster as a version sees it, whose topology id the place of
// its package may depend on.
func (c *change) clusterOf(v statemgr.Version) (cluster.Cluster, error) {
	if c.forTopology == nil || !cluster.PerTopology(c.cl.Settings.Upload) {
		return c.cl, nil
	}
	settings, err := c.forTopology(c.name, v.Deployment.TopologyID)
	if err != nil {
		return c.cl, err
	}
	resolved := *c.cl.Settings
	resolved.Upload = settings.Upload
	return c.cl.With(&resolved)
}
