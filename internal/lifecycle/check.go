package lifecycle

import (
	"context"
	"slices"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

// check refuses what must not be killed, or could not be in full. It changes
// nothing.
func (k *killing) check(ctx context.Context) error {
	if err := k.CheckMarks(); err != nil {
		return err
	}
	k.findPackages()
	if !k.found() {
		return nil
	}
	if err := k.findUploader(); err != nil {
		return err
	}
	// A stopped job whose state has to stay would be worse.
	return k.CheckRights(ctx, k.There.Nodes...)
}

// findPackages collects the packages that the topology's parts name. A topology
// of the original client names none.
func (k *killing) findPackages() {
	add := func(kind, uri string) {
		pkg := outcome.Resource{Kind: outcome.Package, ID: uri, Where: kind}
		if uri != "" && uri != jobspec.PendingURI && !slices.Contains(k.packages, pkg) {
			k.packages = append(k.packages, pkg)
		}
	}
	if k.There.Record.Known() {
		add(k.There.Record.Value.Package.Uploader, k.There.Record.Value.Package.URI)
	}
	if k.There.Pending != nil {
		add(k.There.Pending.Intent.Package.Uploader, k.There.Pending.Intent.Package.URI)
	}
	for _, job := range k.There.Jobs() {
		add(job.Meta[jobspec.MetaUploader], job.Meta[jobspec.MetaPackageURI])
	}
	if err := k.There.VersionsErr; err != nil {
		k.Cluster.Progress.Warn("kill", outcome.Resource{Kind: outcome.Node, ID: k.Cluster.State.History(k.Name)}, "it cannot be read, so packages of earlier versions may stay", err)
	}
	for _, pkg := range k.There.VersionPackages() {
		if !slices.Contains(k.packages, pkg) {
			k.earlier = append(k.earlier, pkg)
		}
	}
}

// findUploader gets the uploader for the topology that was found, where it
// depends on the topology.
func (k *killing) findUploader() (err error) {
	if len(k.packages)+len(k.earlier) > 0 {
		k.Cluster, err = k.Cluster.ForTopology(k.opts.ForTopology, k.Name, k.There.AnyID())
	}
	return err
}
