package submit

import (
	"context"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Preview is what submitting a manifest would do now.
type Preview struct {
	Topology string `json:"topology"`
	// ID is the topology id of the one that exists, "" for none.
	ID      string `json:"id"`
	Cluster string `json:"cluster"`
	Role    string `json:"role"`
	Environ string `json:"environ"`
	// Exists says that a topology of this name exists already: then Changes are
	// the differences between it and what would be submitted. Otherwise Creates
	// lists what would be made.
	Exists  bool      `json:"exists"`
	Creates []Created `json:"creates"`
	Changes []Change  `json:"changes"`
	// OriginalJobs counts the jobs that the original client made of a topology
	// that exists, one per container; they would become one.
	OriginalJobs int `json:"original_jobs,omitempty"`
	// PackageSHA256 is the digest of what would be uploaded.
	PackageSHA256 string `json:"package_sha256"`
	// Unplaced counts the containers that no node would take now, Reasons say
	// why.
	Unplaced int      `json:"unplaced"`
	Reasons  []string `json:"reasons"`
	Warnings string   `json:"warnings,omitempty"`
}

// Created is something that a submission would make.
type Created struct {
	outcome.Resource
	// Bytes is the size of a package; Containers, MHz and MB are those of a job:
	// how many there are and what each is given.
	Bytes      int64 `json:"bytes,omitempty"`
	Containers int   `json:"containers,omitempty"`
	MHz        int   `json:"cpu_mhz,omitempty"`
	MB         int   `json:"memory_mb,omitempty"`
}

// Fits says that nothing speaks against it: there is room, and a topology that
// exists already is the same.
func (p *Preview) Fits() bool { return p.Unplaced == 0 && len(p.Changes) == 0 }

// Preview says what submitting would do now, with Nomad's word on whether it
// fits. What a submission would refuse, it refuses as well, but for a topology
// that exists: that one is compared. It changes nothing.
func (p *Prepared) Preview(ctx context.Context, cl cluster.Cluster) ([]*Preview, error) {
	decisions, err := p.decide(ctx, cl, func(d *draft, there *cluster.Topology) (identity, error) {
		who := d.own()
		if id := there.ID(); id != "" && d.req.TopologyID == "" {
			// Ids differ at every run of the user's program.
			who.id = id
		}
		return who, there.Definition.Err
	})
	if err != nil {
		return nil, err
	}
	list := []*Preview{}
	for _, d := range decisions {
		preview, err := previewOf(ctx, cl, d)
		if err != nil {
			return nil, err
		}
		list = append(list, preview)
	}
	return list, nil
}

// previewOf compares a manifest with what there is.
func previewOf(ctx context.Context, cl cluster.Cluster, d Decision) (*Preview, error) {
	there := d.There
	s, err := newSubmission(cl, d)
	if err == nil {
		err = s.checkPreview(ctx)
	}
	if err != nil {
		return nil, err
	}
	m, err := s.placed()
	if err != nil {
		return nil, err
	}
	set := m.in.Settings
	p := &Preview{
		Topology: s.name, ID: there.ID(), PackageSHA256: m.in.Package.SHA256, Cluster: set.Cluster, Role: set.Role, Environ: set.Environ,
		Exists: there.Definition.There, OriginalJobs: len(there.Originals),
		Creates: []Created{}, Changes: []Change{}, Reasons: []string{},
	}
	forecast, err := cl.Jobs.Forecast(ctx, m.Job)
	if err != nil {
		return nil, fmt.Errorf("ask Nomad about job %s: %w", *m.Job.ID, err)
	}
	p.Unplaced, p.Warnings = forecast.Unplaced, forecast.Warnings
	p.Reasons = append(p.Reasons, forecast.Reasons...)
	if !p.Exists {
		p.Creates = m.creates()
		return p, nil
	}
	p.compareDefinitions(there.Definition.Value, m.Definition.Trimmed())
	if err := p.comparePlans(there, m.Stored); err != nil {
		return nil, err
	}
	if err := p.comparePackages(there, m); err != nil {
		return nil, err
	}
	p.compareJobs(there, m, forecast.Changes)
	return p, nil
}

// checkPreview is check for a topology that may exist.
func (s *submission) checkPreview(ctx context.Context) error {
	if !s.there.Definition.There {
		if s.there.Pending == nil {
			return s.check(ctx)
		}
		return s.cl.Uploader.Check(ctx)
	}
	if err := jobspec.CheckReach(s.m.in.Settings, s.m.Package.URI); err != nil {
		return fmt.Errorf("submit topology %q: %w", s.name, err)
	}
	if job := s.there.Job; job != nil && !jobspec.SameMarks(job, s.m.Job) {
		return foreignJob(s.cl.JobResource(*job.ID))
	}
	return s.cl.Uploader.Check(ctx)
}

// placed is the manifest with its package where it would be: on the nodes that
// the uploader's check found, or where the topology that exists has the very
// same package. Some uploaders know only after an upload where it is, and that
// is no difference.
func (s *submission) placed() (*Manifest, error) {
	m := s.m
	if len(m.Package.Nodes) > 0 {
		// Only Nomad knows the ids of the nodes that will have the package.
		var err error
		if m, err = m.at(s.cl.Uploader.Locate(m.PackageName)); err != nil {
			return nil, err
		}
	}
	if s.there.Job == nil || m.Package.URI != "" && m.Package.Fetch != "" {
		return m, nil
	}
	if err := s.there.Record.Err; err != nil {
		return nil, err
	}
	record, where := s.there.Record.Value, m.Package
	where.Fetch = jobspec.PackageFetch(s.there.Job)
	switch {
	case !s.there.Record.There, record.TopologyID != m.Definition.ID(), record.Package.SHA256 != m.in.Package.SHA256,
		record.Package.Uploader != m.in.Settings.Upload.Kind:
		return m, nil
	case where.URI == "":
		where.URI = record.Package.URI
	case where.URI != record.Package.URI, where.Fetch == where.URI:
		// It lies elsewhere, or is fetched in another way.
		return m, nil
	}
	return m.at(where)
}

// creates lists what a submission makes, in its order.
func (m *Manifest) creates() []Created {
	list := []Created{{
		Resource: outcome.Resource{Kind: outcome.Package, ID: m.PackageName, Where: m.in.Settings.Upload.Kind},
		Bytes:    m.in.Package.Size,
	}}
	for _, op := range m.State {
		list = append(list, Created{Resource: outcome.Resource{Kind: outcome.Node, ID: op.Path}})
	}
	group := m.Job.TaskGroups[0]
	r := group.Tasks[0].Resources
	return append(list, Created{
		Resource:   outcome.Resource{Kind: outcome.Job, ID: *m.Job.ID, Where: m.in.Settings.Nomad.Address},
		Containers: *group.Count, MHz: *r.CPU, MB: *r.MemoryMB,
	})
}
