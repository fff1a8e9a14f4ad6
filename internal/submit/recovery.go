package submit

import (
	"context"
	"errors"
	"path"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
)

// resumed is the identity of a draft: that of a submission which died and was
// to write the very same, else its own; option is what the operation adds to the
// request. The same id and time give the same package, so that its upload
// continues too. An id that was asked for stays.
func (d *draft) resumed(ctx context.Context, cl cluster.Cluster, there *cluster.Topology, operation, option string) (identity, error) {
	dead := there.Pending
	if dead == nil || dead.Alive || dead.Intent.Operation != operation || dead.Intent.Request == "" {
		return d.own(), nil
	}
	if d.req.TopologyID != "" && d.req.TopologyID != dead.Intent.TopologyID {
		return d.own(), nil
	}
	settings, err := d.settings(dead.Intent.TopologyID)
	if err != nil {
		return identity{}, err
	}
	if cl, err = cl.With(settings); err != nil {
		return identity{}, err
	}
	if !cl.Uploader.Capabilities().FixedNames {
		return d.own(), nil
	}
	pkg, err := d.contents(d.def)
	if err != nil {
		return identity{}, err
	}
	request, err := d.digest(ctx, pkg)
	if err != nil || request+option != dead.Intent.Request {
		return d.own(), err
	}
	return identity{id: dead.Intent.TopologyID, at: dead.Intent.SubmittedAt}, nil
}

// cleanUp removes what an operation left that died, and then makes the claim's
// intent this submission's own.
func (s *submission) cleanUp(ctx context.Context) error {
	run := operation.Run{
		Steps: s.cleanup(), Claim: s.claim, Progress: s.cl.Progress,
		Remedy: s.remedy(), UndoLimit: s.cl.UndoLimit(),
	}
	result, err := run.Do(ctx)
	s.kept = result.Kept
	if err == nil {
		own := s.intent()
		own.Owner = s.claim.Intent().Owner
		if err = s.claim.Write(ctx, own); err == nil {
			return nil
		}
	}
	return s.claim.Keep(ctx, operation.Remove, run.Remedy, err)
}

// cleanup are the steps that remove what an operation left that died. A job of
// it that is there is stopped; the new one takes its place.
func (s *submission) cleanup() []operation.Step {
	var list []operation.Step
	i := s.there.Pending.Intent
	if s.stopped != nil {
		id := *s.stopped.ID
		list = append(list, operation.Step{
			Action: operation.Await, Of: outcome.Resource{Kind: outcome.Containers, ID: id},
			Do: func(ctx context.Context) error { return s.cl.AwaitEnd(ctx, id) },
		})
	}
	if s.oldState {
		// Only the state names these, so they go before it.
		for _, pkg := range s.there.VersionPackages() {
			if pkg.ID == i.Package.URI || pkg.ID == s.m.Package.URI {
				continue
			}
			list = append(list, operation.Step{
				Action: operation.Remove, Of: pkg, Removes: true,
				Do: func(ctx context.Context) error { return s.removeOldPackage(ctx, pkg) },
			})
		}
		list = append(list, operation.Step{
			Action: operation.Remove, Of: s.cl.StateResource(s.name), Removes: true,
			Do: func(ctx context.Context) error {
				return s.claim.Seen(s.cl.State.DeleteTopology(ctx, s.name, false, s.claim.Guards()...))
			},
		})
	}
	if i.Package.URI != "" && i.Package.URI != s.m.Package.URI {
		pkg := outcome.Resource{Kind: outcome.Package, ID: i.Package.URI, Where: i.Package.Uploader}
		list = append(list, operation.Step{
			Action: operation.Remove, Of: pkg, Removes: true,
			Do: func(ctx context.Context) error { return s.removeOldPackage(ctx, pkg) },
		})
	}
	return list
}

// removeOldPackage removes a package. One that cannot be removed with this
// configuration is kept, and is no reason to fail.
func (s *submission) removeOldPackage(ctx context.Context, pkg outcome.Resource) error {
	err := s.cl.RemovePackage(ctx, pkg)
	var kept *operation.KeptError
	if errors.As(err, &kept) {
		return &operation.KeptError{Err: kept.Err}
	}
	return err
}

// clearParts removes what is left of the upload of a submission that died,
// where a new upload would not continue it.
func (s *submission) clearParts(ctx context.Context) error {
	if can := s.cl.Uploader.Capabilities(); can.Resume || !can.List || !can.Delete {
		return nil
	}
	for stored, err := range s.cl.Uploader.List(ctx, path.Dir(s.m.PackageName)) {
		if err != nil {
			return err
		}
		if stored.Partial && stored.Name == s.m.PackageName {
			return s.cl.Uploader.Delete(ctx, s.m.Package.URI)
		}
	}
	return nil
}
