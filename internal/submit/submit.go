package submit

import (
	"context"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Options change what Submit does beyond the manifest.
type Options struct {
	// Wait makes Submit return only when the topology runs, or when the time
	// is over; zero for no wait.
	Wait time.Duration
	// StableFor is how long no container may have been restarted, within Wait;
	// zero for no such time.
	StableFor time.Duration
	// Rollback undoes a submission whose topology is not running in time.
	Rollback bool
	// Again: the same submission was begun before, by a process that died. Where
	// it had completed, that counts as this one's work.
	Again bool
}

// What was done about a topology.
const (
	ActionSubmitted = "submitted"
	ActionReplaced  = "replaced"
	// ActionUnchanged: what runs is what was to be put in its place.
	ActionUnchanged = "unchanged"
)

// Submitted is what a successful Submit has done.
type Submitted struct {
	// Action is one of the actions above.
	Action   string `json:"action"`
	Topology string `json:"topology"`
	ID       string `json:"id"`
	Cluster  string `json:"cluster"`
	Role     string `json:"role"`
	Environ  string `json:"environ"`
	Job      string `json:"job"`
	JobPage  string `json:"job_page"`
	nomad.Rollout
	Containers int `json:"containers"`
	// Package is its URI; its digest and size in bytes are those of what was
	// uploaded.
	Package       string `json:"package"`
	PackageSHA256 string `json:"package_sha256"`
	PackageSize   int64  `json:"package_size"`
	// Number is that of the version in the topology's history, Previous that of the
	// one which ran before.
	Number   int `json:"version,omitempty"`
	Previous int `json:"previous,omitempty"`
	// State is what became of the state of an effectively-once topology that was
	// replaced: keep or fresh.
	State string `json:"state,omitempty"`
	// Removed are packages of versions that are not kept any longer.
	Removed []outcome.Resource `json:"removed,omitempty"`
	// Paused: it waits for an activation.
	Paused  bool `json:"paused"`
	Running bool `json:"running"`
	// Kept are packages of an earlier submission that died which could not be
	// removed.
	Kept []outcome.Leftover `json:"kept,omitempty"`
}

// Decision is what to write, decided from a definition and from what there is.
type Decision struct {
	Manifest *Manifest
	// There is what the decision was made from.
	There *cluster.Topology
}

// scope is what of a topology a submission has to know.
func scope() cluster.Scope { return cluster.Scope{Job: true, Originals: true, Versions: true} }

// Decide looks at what there is of each topology and decides what a submission
// writes. A submission that died is continued under its id if it was to write
// the very same. It changes nothing.
func (p *Prepared) Decide(ctx context.Context, cl cluster.Cluster) ([]Decision, error) {
	return p.decide(ctx, cl, func(d *draft, there *cluster.Topology) (identity, error) {
		return d.resumed(ctx, cl, there, statemgr.OperationSubmit, "")
	})
}

// decide is Decide with the identity that a topology gets.
func (p *Prepared) decide(ctx context.Context, cl cluster.Cluster, identify func(*draft, *cluster.Topology) (identity, error)) ([]Decision, error) {
	var list []Decision
	for _, d := range p.drafts {
		there, err := cl.Look(ctx, d.def.Name(), scope())
		if err != nil {
			return nil, err
		}
		who, err := identify(d, there)
		if err != nil {
			return nil, err
		}
		m, err := d.decide(ctx, who)
		if err != nil {
			return nil, err
		}
		list = append(list, Decision{m, there})
	}
	return list, nil
}

// Submit carries decisions out, one topology after the other. All are checked
// before the first one writes. The first failure ends it; what was submitted
// before stays and is returned beside the error. What an operation left that
// died, and whose work is of no use, is removed first.
func Submit(ctx context.Context, cl cluster.Cluster, decisions []Decision, opts Options) ([]*Submitted, error) {
	var list []*submission
	for _, d := range decisions {
		s, err := newSubmission(cl, d)
		if err == nil {
			err = s.check(ctx)
		}
		if err != nil && opts.Again && s != nil {
			had, lookErr := s.hadCompleted(ctx, err)
			if had || lookErr != nil {
				err = lookErr
			}
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	var done []*Submitted
	for _, s := range list {
		var err error
		if s.earlier == nil {
			err = s.carryOut(ctx)
		}
		if err != nil {
			return done, err
		}
		result := s.result()
		done = append(done, result)
		if opts.Wait != 0 {
			err = s.wait(ctx, opts)
			result.Running = err == nil
		}
		if err != nil && opts.Rollback {
			return done[:len(done)-1], s.rollBack(ctx, err)
		}
		// After the wait: by then Nomad has made the deployment.
		result.Rollout = s.cl.Rollout(ctx, result.Job)
		if err != nil {
			return done, err
		}
		if result.Running {
			cl.NoteStable(ctx, s.name, s.m.Definition.ID())
		}
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
	done := &Submitted{
		Action:     ActionSubmitted,
		Number:     1,
		Topology:   s.name,
		ID:         s.m.Definition.ID(),
		Cluster:    set.Cluster,
		Role:       set.Role,
		Environ:    set.Environ,
		Job:        *s.m.Job.ID,
		JobPage:    jobPage(set.Nomad, *s.m.Job.ID),
		Containers: *s.m.Job.TaskGroups[0].Count,
		Package:    s.m.Package.URI,

		PackageSHA256: s.m.in.Package.SHA256,
		PackageSize:   s.m.in.Package.Size,
		Paused:        s.m.Paused(),
		Kept:          s.kept,
	}
	if e := s.earlier; e != nil {
		done.Package, done.PackageSHA256, done.PackageSize = e.Package.URI, e.Package.SHA256, e.Package.Size
	}
	return done
}
