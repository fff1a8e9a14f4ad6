package inspect

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// Nomad is what is needed of Nomad besides cluster.Jobs; *nomad.Client has the
// contracts.
type Nomad interface {
	Jobs(ctx context.Context, prefix string) ([]*api.JobListStub, error)
	ContainersSince(ctx context.Context, jobID string, index uint64) ([]nomad.Container, uint64, error)
	WhyUnplaced(ctx context.Context, job *api.Job) ([]string, error)
	VersionMeta(ctx context.Context, jobID string) (map[uint64]map[string]string, error)
}

// looker reads one topology.
type looker struct {
	cl    cluster.Cluster
	nomad Nomad
	name  string
	now   func() time.Time
}

// Look says how a topology is. One that does not exist is an error of kind
// outcome.NotFound; one at another place than the cluster's settings say is one
// of kind outcome.Usage.
func Look(ctx context.Context, cl cluster.Cluster, n Nomad, name string, now func() time.Time) (*Status, error) {
	l := &looker{cl: cl, nomad: n, name: name, now: now}
	s, _, err := l.look(ctx, nil)
	return s, err
}

// listing is the containers of a job, as of an index of Nomad's.
type listing struct {
	containers []nomad.Container
	index      uint64
}

func (l *looker) jobID() string { return jobspec.JobID(l.cl.Settings.Cluster, l.name) }

// look reads all parts at the same time. known, unless nil, is the listing of
// the job's containers.
func (l *looker) look(ctx context.Context, known *listing) (*Status, *listing, error) {
	var (
		there *cluster.Topology
		nodes map[string]statemgr.Node
	)
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		check := func(t *cluster.Topology) error { return t.CheckPlace(l.cl.Settings) }
		there, err = l.cl.Look(inner, l.name, cluster.Scope{Job: true, Check: check})
		if err == nil && !l.ours(there.Job) && there.ExecutionState.Known() {
			// It may be one of the original client.
			there, err = l.cl.Look(inner, l.name, cluster.Scope{Job: true, Originals: true, Check: check})
		}
		return err
	})
	group.Go(func() (err error) {
		nodes, err = l.cl.State.ReadAll(inner, l.cl.State.TManager(l.name), l.cl.State.PhysicalPlan(l.name))
		return err
	})
	if known == nil {
		known = &listing{}
		group.Go(func() (err error) {
			known.containers, known.index, err = l.nomad.ContainersSince(inner, l.jobID(), 0)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	s, err := l.status(ctx, there, nodes, known)
	return s, known, err
}

// status puts together what was read.
func (l *looker) status(ctx context.Context, t *cluster.Topology, nodes map[string]statemgr.Node, known *listing) (*Status, error) {
	settings := l.cl.Settings
	s := &Status{
		Topology: l.name, Cluster: settings.Cluster, Role: settings.Role, Environ: settings.Environ,
		Job: l.job(t), Operation: newOperation(t.Pending),
	}
	inState := t.Definition.There || t.ExecutionState.There || t.Record.There || t.Pending != nil
	if !inState && (s.Job == nil || s.Job.Foreign != "") {
		return nil, outcome.Errorf(outcome.NotFound, "no topology %q in cluster %s: no state below %s, no job %s at %s",
			l.name, settings.Cluster, l.cl.State.Root, l.jobID(), settings.Nomad.Address)
	}
	s.ID = t.AnyID()
	if t.ExecutionState.Known() {
		s.SubmittedBy = t.ExecutionState.Value.GetSubmissionUser()
		if seconds := t.ExecutionState.Value.GetSubmissionTime(); seconds > 0 {
			s.SubmittedAt = time.Unix(seconds, 0).UTC()
		}
	}
	if r := t.Record; r.Known() && r.Value.TopologyID == s.ID {
		p := r.Value.Package
		s.Package = &Package{URI: p.URI, SHA256: p.SHA256, Size: p.Size}
	}
	if t.Definition.Known() {
		s.State = t.Definition.Value.State().String()
	}
	s.Wanted = wanted(t)
	at := l.location(nodes, s.ID)
	plan := l.askTManager(ctx, s, at, nodes)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := l.containers(ctx, s, t, known); err != nil {
		return nil, err
	}
	s.setPlans(t.PackingPlan.Value, plan, at)
	l.diagnose(ctx, s)
	s.Health, s.Reason = judge(s, l.now())
	return s, nil
}

// diagnose reads the logs of a topology whose containers run, and whose TManager
// does not work by a complete plan.
func (l *looker) diagnose(ctx context.Context, s *Status) {
	silent := s.TManager.Answer == AnswerUnreachable && len(s.Plan.Unregistered) > 0
	if s.Job == nil || s.Job.Stopped || s.Job.Originals > 0 || s.Wanted == 0 || s.Running < s.Wanted ||
		!silent && s.TManager.Answer != AnswerAbsent && s.TManager.Answer != AnswerIncomplete {
		return
	}
	d := l.cl.DiagnoseAnswer(ctx, cluster.Running{Name: l.name, ID: s.ID, JobID: s.Job.ID, Containers: s.Wanted}, s.TManager.Answer)
	s.Diagnosis = &d
}

func (l *looker) ours(job *api.Job) bool {
	return job != nil && jobspec.CheckMarks(job, l.cl.Settings) == nil
}

// job is the topology's job, or the first of those of the original client.
func (l *looker) job(t *cluster.Topology) *Job {
	own := t.Job
	foreign := ""
	if own != nil {
		if err := jobspec.CheckMarks(own, l.cl.Settings); err != nil {
			foreign = err.Error()
		}
	}
	if n := len(t.Originals); n > 0 && (own == nil || foreign != "") {
		stopped := true
		for _, job := range t.Originals {
			stopped = stopped && value(job.Stop)
		}
		return &Job{ID: value(t.Originals[0].ID), Version: value(t.Originals[0].Version), Stopped: stopped, Originals: n}
	}
	if own == nil {
		return nil
	}
	return &Job{ID: value(own.ID), Version: value(own.Version), Stopped: value(own.Stop), Foreign: foreign}
}

// wanted counts the containers that the topology should have.
func wanted(t *cluster.Topology) int {
	switch {
	case t.PackingPlan.Known():
		return len(t.PackingPlan.Value.GetContainerPlans()) + 1
	case t.Job != nil && len(t.Job.TaskGroups) == 1:
		return value(t.Job.TaskGroups[0].Count)
	}
	return len(t.Originals)
}

// location is where the TManager of this topology id is registered, nil where
// none is.
func (l *looker) location(nodes map[string]statemgr.Node, id string) *heronpb.TManagerLocation {
	node, there := nodes[l.cl.State.TManager(l.name)]
	at := &heronpb.TManagerLocation{}
	if !there || proto.Unmarshal(node.Data, at) != nil || at.GetTopologyId() != id {
		return nil
	}
	return at
}

// askTManager asks for the physical plan. Where there is no answer it returns
// the one in the state, nil for none.
func (l *looker) askTManager(ctx context.Context, s *Status, at *heronpb.TManagerLocation, nodes map[string]statemgr.Node) *heronpb.PhysicalPlan {
	s.TManager.Answer = AnswerAbsent
	if at != nil {
		s.TManager = TManager{Host: at.GetHost(), ControllerPort: int(at.GetControllerPort()), Answer: AnswerUnasked}
		if l.cl.TManager != nil {
			plan, err := l.cl.TManager.PhysicalPlan(ctx, at)
			switch {
			case err == nil:
				s.TManager.Answer = AnswerComplete
				return plan
			case errors.Is(err, tmanager.ErrNoPlan):
				s.TManager.Answer = AnswerIncomplete
			default:
				s.TManager.Answer, s.TManager.Error = AnswerUnreachable, err.Error()
			}
		}
	}
	node, there := nodes[l.cl.State.PhysicalPlan(l.name)]
	plan := &heronpb.PhysicalPlan{}
	if !there || proto.Unmarshal(node.Data, plan) != nil || plan.GetTopology().GetId() != s.ID {
		return nil
	}
	return plan
}

// originalReaders is how many jobs of the original client are read at a time.
const originalReaders = 8

// containers fills in the containers, and why some have no place.
func (l *looker) containers(ctx context.Context, s *Status, t *cluster.Topology, known *listing) error {
	if s.Job == nil || s.Job.Foreign != "" {
		s.setContainers(nil, nil)
		return nil
	}
	if s.Job.Originals > 0 {
		list, err := l.originals(ctx, t.Originals)
		s.setContainers(list, func(nomad.Container) string { return s.ID })
		return err
	}
	job := t.Job
	older := false
	for _, c := range known.containers {
		older = older || c.Live() && c.JobVersion != value(job.Version)
	}
	metas := map[uint64]map[string]string{}
	if older {
		var err error
		if metas, err = l.nomad.VersionMeta(ctx, value(job.ID)); err != nil {
			return err
		}
	}
	metas[value(job.Version)] = job.Meta
	s.setContainers(known.containers, func(c nomad.Container) string { return metas[c.JobVersion][jobspec.MetaTopologyID] })
	if len(s.Indexes.Missing) == 0 || s.Job.Stopped {
		return nil
	}
	var err error
	s.Unplaced, err = l.nomad.WhyUnplaced(ctx, job)
	return err
}

// originals reads the containers of the original client's jobs, whose ids end
// with the container's index.
func (l *looker) originals(ctx context.Context, jobs []*api.Job) ([]nomad.Container, error) {
	lists := make([][]nomad.Container, len(jobs))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(originalReaders)
	for i, job := range jobs {
		group.Go(func() error {
			list, _, err := l.nomad.ContainersSince(inner, value(job.ID), 0)
			for j := range list {
				index, ok := jobspec.OriginalIndex(value(job.ID), job.Meta[jobspec.MetaTopologyID])
				if !ok {
					index = -1
				}
				list[j].Index = index
			}
			lists[i] = list
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []nomad.Container
	for _, list := range lists {
		all = append(all, list...)
	}
	return all, nil
}

// value is what a pointer points to, the zero value for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
