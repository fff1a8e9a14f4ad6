package submit

import (
	"context"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Options change what Submit does beyond the manifest.
type Options struct {
	// Wait makes Submit return only when the topology runs, or when the time
	// is over; zero for no wait.
	Wait time.Duration
}

// Submitted is what a successful Submit has done.
type Submitted struct {
	Topology   string `json:"topology"`
	ID         string `json:"id"`
	Cluster    string `json:"cluster"`
	Role       string `json:"role"`
	Environ    string `json:"environ"`
	Job        string `json:"job"`
	JobPage    string `json:"job_page"`
	Containers int    `json:"containers"`
	Package    string `json:"package"`
	// Paused: it waits for an activation.
	Paused  bool `json:"paused"`
	Running bool `json:"running"`
	// Kept are packages of an earlier submission that died which could not be
	// removed.
	Kept []outcome.Leftover `json:"kept,omitempty"`
}

// Submit carries out what was prepared, one topology after the other. All are
// looked at, decided and checked before the first one writes. The first failure
// ends it; what was submitted before stays and is returned beside the error.
//
// A submission that died is continued under its id if it was to write the very
// same; otherwise what it left is removed first.
func (p *Prepared) Submit(ctx context.Context, cl cluster.Cluster, opts Options) ([]*Submitted, error) {
	var list []*submission
	for _, d := range p.drafts {
		there, err := cl.Look(ctx, d.def.Name(), scope())
		if err != nil {
			return nil, err
		}
		who, err := d.resumed(ctx, cl, there)
		if err != nil {
			return nil, err
		}
		m, err := d.decide(ctx, who)
		if err != nil {
			return nil, err
		}
		s, err := newSubmission(cl, m, there)
		if err == nil {
			err = s.check(ctx)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return carryOut(ctx, list, opts)
}

// Submit looks at what there is and carries a manifest out.
func Submit(ctx context.Context, cl cluster.Cluster, m *Manifest, opts Options) (*Submitted, error) {
	list, err := All(ctx, cl, []*Manifest{m}, opts)
	if len(list) == 0 {
		return nil, err
	}
	return list[0], err
}

// All is Submit for several manifests: all are checked before the first one
// writes.
func All(ctx context.Context, cl cluster.Cluster, manifests []*Manifest, opts Options) ([]*Submitted, error) {
	var list []*submission
	for _, m := range manifests {
		there, err := cl.Look(ctx, m.Definition.Name(), scope())
		if err != nil {
			return nil, err
		}
		s, err := newSubmission(cl, m, there)
		if err == nil {
			err = s.check(ctx)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return carryOut(ctx, list, opts)
}

// scope is what of a topology a submission has to know.
func scope() cluster.Scope { return cluster.Scope{Job: true, Originals: true} }

func carryOut(ctx context.Context, list []*submission, opts Options) ([]*Submitted, error) {
	var done []*Submitted
	for _, s := range list {
		if err := s.carryOut(ctx); err != nil {
			return done, err
		}
		result := s.result()
		done = append(done, result)
		if opts.Wait == 0 {
			continue
		}
		if err := s.wait(ctx, opts.Wait); err != nil {
			return done, err
		}
		result.Running = true
	}
	return done, nil
}

// carryOut does what was decided: package, state, job. Whatever fails, and when
// ctx ends, what this run made is removed again, in reverse order.
func (s *submission) carryOut(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	run := operation.Run{
		Steps: s.steps(), Claim: s.claim, Progress: s.cl.Progress,
		Remedy: s.remedy(), UndoLimit: s.cl.UndoLimit(),
	}
	_, err := run.Do(ctx)
	if err = s.claim.Finish(ctx, err); err == nil || !s.done {
		return err
	}
	return s.overtaken(ctx, err)
}

func (s *submission) remedy() outcome.Remedy { return s.cl.KillRemedy(s.name) }

func (s *submission) result() *Submitted {
	set := s.m.in.Settings
	return &Submitted{
		Topology:   s.name,
		ID:         s.m.Definition.ID(),
		Cluster:    set.Cluster,
		Role:       set.Role,
		Environ:    set.Environ,
		Job:        *s.m.Job.ID,
		JobPage:    jobPage(set.Nomad, *s.m.Job.ID),
		Containers: *s.m.Job.TaskGroups[0].Count,
		Package:    s.m.Package.URI,
		Paused:     s.m.Paused(),
		Kept:       s.kept,
	}
}
