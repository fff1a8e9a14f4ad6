package submit

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

// DecideReplacement is Decide for a submission that replaces what is there. A
// replacement that died is continued under its id if it was to write the very
// same; option is what it added to its request.
func (p *Prepared) DecideReplacement(ctx context.Context, cl cluster.Cluster, option string) ([]Decision, error) {
	return p.decide(ctx, cl, func(d *draft, there *cluster.Topology) (identity, error) {
		if !there.Definition.There {
			return d.resumed(ctx, cl, there, statemgr.OperationSubmit, "")
		}
		return d.resumed(ctx, cl, there, statemgr.OperationReplace, option)
	})
}

// Settings are the cluster's as they are for this topology.
func (m *Manifest) Settings() *conf.Settings { return m.in.Settings }

// Request is a digest of everything that was asked for, "" where it is not
// known.
func (m *Manifest) Request() string { return m.in.Request }

// Version is the manifest as a version of the topology.
func (m *Manifest) Version() statemgr.Version { return m.version }

// JobPage is where a person sees the job in Nomad's user interface.
func (m *Manifest) JobPage() string { return jobPage(m.in.Settings.Nomad, *m.Job.ID) }

// PackageFile is the package on this machine.
func (m *Manifest) PackageFile() PackageFile { return m.in.Package }

// WithState is the manifest of a topology that is to be paused, or is to run,
// whatever its program says.
func (m *Manifest) WithState(paused bool) (*Manifest, error) {
	c := *m
	state := heronpb.TopologyState_RUNNING
	if paused {
		state = heronpb.TopologyState_PAUSED
	}
	c.Definition = m.Definition.WithState(state)
	return c.at(m.Package)
}

// Upload stores the package and returns the manifest with the place where it
// is.
func (m *Manifest) Upload(ctx context.Context, up uploader.Uploader) (*Manifest, error) {
	file := m.in.Package
	where, err := up.Upload(ctx, uploader.Source{
		Name: m.PackageName, Size: file.Size, SHA256: file.SHA256,
		Open: func() (uploader.Content, error) { return os.Open(file.Path) },
	})
	if err != nil {
		return nil, err
	}
	return m.at(where)
}

// SameAs says that what is there was asked for in the same way and is as this
// manifest would make it: only the ids differ, which do so at every run of the
// user's program. Whether it is paused is no difference.
func (m *Manifest) SameAs(there *cluster.Topology) (bool, error) {
	newest, id := there.Newest(), there.ID()
	if newest == nil || !there.Definition.Known() || newest.Deployment.TopologyID != id || m.in.Request == "" || newest.Request != m.in.Request {
		return false, nil
	}
	definition, err := m.Definition.WithID(id).WithState(there.Definition.Value.State()).Trimmed().Bytes()
	if err != nil {
		return false, err
	}
	plan := m.Stored.Proto()
	plan.Id = proto.String(id)
	packing, err := proto.MarshalOptions{Deterministic: true}.Marshal(plan)
	if err != nil {
		return false, err
	}
	return string(definition) == string(there.Definition.Data) && string(packing) == string(there.PackingPlan.Data), nil
}

// CheckReplacement refuses what can be known to fail in the place of a topology
// that exists: Nomad would not take the job, or nothing could be stored.
func (m *Manifest) CheckReplacement(ctx context.Context, cl cluster.Cluster) error {
	if err := jobspec.CheckReach(m.in.Settings, m.Package.URI); err != nil {
		return fmt.Errorf("replace topology %q: %w", m.Definition.Name(), err)
	}
	if err := cl.State.CheckSize(m.writes()...); err != nil {
		return fmt.Errorf("replace topology %q: %w", m.Definition.Name(), err)
	}
	return inParallel(ctx,
		func(ctx context.Context) error { return checkRegister(ctx, cl.Jobs, m.Job) },
		cl.Uploader.Check,
	)
}
