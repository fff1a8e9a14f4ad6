package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

// Shortened is what of a topology's history is not kept any longer.
type Shortened struct {
	// Removed are packages that went, Kept those that could not be removed.
	Removed []outcome.Resource
	Kept    []outcome.Leftover
}

// ShortenHistory removes the versions of a topology that are not kept any
// longer, each with its package unless another version needs it, while all
// guards hold, which are checks. of, unless nil, is the cluster as a version
// sees it. What fails is a warning: nothing depends on it, and the next change
// tries again.
func (c Cluster) ShortenHistory(ctx context.Context, name string, of func(statemgr.Version) (Cluster, error), guards ...statemgr.Op) Shortened {
	var s Shortened
	history := outcome.Resource{Kind: outcome.Node, ID: c.State.History(name)}
	versions, err := c.State.Versions(ctx, name)
	if err != nil {
		c.Progress.Warn("shorten", history, "versions that are not kept any longer are still there", err)
		return s
	}
	surplus := statemgr.Surplus(versions, c.Settings.Nomad.History)
	used := map[string]bool{"": true}
	for _, v := range versions {
		if !slices.ContainsFunc(surplus, func(gone statemgr.Version) bool { return gone.Number == v.Number }) {
			used[v.Deployment.Package.URI] = true
		}
	}
	for _, v := range surplus {
		if err := c.dropVersion(ctx, name, v, of, used, &s, guards); err != nil {
			c.Progress.Warn("remove", history, fmt.Sprintf("version %d, which is not kept any longer, is still there", v.Number), err)
		}
	}
	return s
}

// dropVersion removes a version, and its package unless it is used.
func (c Cluster) dropVersion(ctx context.Context, name string, v statemgr.Version, of func(statemgr.Version) (Cluster, error), used map[string]bool, s *Shortened, guards []statemgr.Op) error {
	pkg := PackageOf(v)
	if !used[pkg.ID] {
		used[pkg.ID] = true // once
		at := c
		if of != nil {
			var err error
			if at, err = of(v); err != nil {
				return err
			}
		}
		err := at.RemovePackage(ctx, pkg)
		var kept *operation.KeptError
		switch {
		case errors.As(err, &kept):
			s.Kept = append(s.Kept, outcome.Leftover{Resource: pkg, Why: kept.Error(), ByHand: true})
		case err != nil:
			return err
		default:
			s.Removed = append(s.Removed, pkg)
		}
	}
	return c.State.DeleteVersion(ctx, name, v, guards...)
}

// RemovePackage removes a package as far as the configured uploader can; where
// it cannot, the error is an *operation.KeptError.
func (c Cluster) RemovePackage(ctx context.Context, pkg outcome.Resource) error {
	if pkg.Where == jobspec.UploaderOriginal {
		return &operation.KeptError{Err: errors.New("the original client stored it")}
	}
	if c.Uploader == nil || pkg.Where != c.Settings.Upload.Kind {
		return &operation.KeptError{Foreign: true, Err: fmt.Errorf("stored by uploader %s, but %s is configured", pkg.Where, c.Settings.Upload.Kind)}
	}
	err := c.Uploader.Delete(ctx, pkg.ID)
	switch {
	case errors.Is(err, uploader.ErrForeign):
		return &operation.KeptError{Foreign: true, Err: err}
	case errors.Is(err, errors.ErrUnsupported):
		return &operation.KeptError{Err: err}
	}
	return err
}
