package subject

import (
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// checkPlace refuses a topology that another operation is at work on, and one
// that is not at the place that was asked for.
func (s *Subject) checkPlace() error {
	if err := s.checkPending(); err != nil {
		return err
	}
	if err := CheckIdentity(s.Cluster, s.Operation, s.There); err != nil {
		return err
	}
	if !s.atNomad {
		return nil
	}
	return s.checkRecord()
}

// checkPending refuses where an operation is under way, or died at another
// place than the one that was asked for.
func (s *Subject) checkPending() error {
	found := s.There.Pending
	if found == nil {
		return nil
	}
	if found.Alive {
		return &operation.BusyError{Topology: s.Name, Owner: found.Intent.Owner}
	}
	if err := CheckIntent(s.Cluster, s.Name, found.Intent); err != nil {
		return err
	}
	return cluster.CheckPlace(s.Cluster.Settings.Nomad, found.Intent)
}

// CheckIntent refuses an operation on a topology of another place than the one
// that was asked for.
func CheckIntent(cl cluster.Cluster, name string, i statemgr.Intent) error {
	if set := cl.Settings; i.Cluster == set.Cluster && i.Role == set.Role && i.Environ == set.Environ {
		return nil
	}
	return cluster.OtherPlace(cl.Settings, fmt.Sprintf("the %s of topology %q was begun", i.Operation, name), i.Cluster, i.Role, i.Environ)
}

// CheckIdentity compares cluster, role and environ with those that the topology
// was submitted under. Where that cannot be read, a warning about the action
// says so.
func CheckIdentity(cl cluster.Cluster, action string, there *cluster.Topology) error {
	state := there.ExecutionState
	if !state.There {
		return nil
	}
	if state.Err != nil {
		cl.Progress.Warn(action, outcome.Resource{Kind: outcome.Node, ID: state.Path}, "it cannot be read, so nothing says whose topology this is", state.Err)
		return nil
	}
	es, set := state.Value, cl.Settings
	if es.GetCluster() != set.Cluster || es.GetRole() != set.Role || es.GetEnviron() != set.Environ {
		return cluster.OtherPlace(cl.Settings, fmt.Sprintf("topology %q runs", there.Name), es.GetCluster(), es.GetRole(), es.GetEnviron())
	}
	return nil
}

// checkRecord refuses to look for the job in another region or namespace than
// it is in: the command would take it for gone.
func (s *Subject) checkRecord() error {
	record := s.There.Record
	if record.Err != nil {
		s.Cluster.Progress.Warn(s.Operation, outcome.Resource{Kind: outcome.Node, ID: record.Path}, "it cannot be read, so it does not say where the job and the package are", record.Err)
		return nil
	}
	if !record.There || s.There.ID() != "" && record.Value.TopologyID != s.There.ID() {
		return nil // none, or of an earlier topology
	}
	return cluster.SamePlace(s.Cluster.Settings.Nomad, fmt.Sprintf("topology %q runs", s.Name), record.Value.Nomad.Region, record.Value.Nomad.Namespace)
}

// CheckMarks refuses a job of the topology's name that is not ours.
func (s *Subject) CheckMarks() error {
	if s.There.Job == nil {
		return nil
	}
	if err := jobspec.CheckMarks(s.There.Job, s.Cluster.Settings); err != nil {
		return fmt.Errorf("%w; nothing was touched", err)
	}
	return nil
}

// CheckWhole demands the nodes that say which topology this is, and whose.
func (s *Subject) CheckWhole() error {
	def, state := s.There.Definition, s.There.ExecutionState
	switch {
	case !def.There && !state.There:
		return outcome.Errorf(outcome.NotFound, "no topology %q in cluster %s: no state below %s", s.Name, s.Cluster.Settings.Cluster, s.Cluster.State.Root)
	case def.Err != nil || state.Err != nil:
		return s.Broken(s.Errorf(outcome.Differs, "its state cannot be understood: %w", errors.Join(def.Err, state.Err)))
	case !def.There:
		return s.Broken(s.Errorf(outcome.Differs, "its state is incomplete: no %s", def.Path))
	case !state.There:
		return s.Broken(s.Errorf(outcome.Differs, "its state is incomplete: no %s", state.Path))
	}
	return nil
}

// CheckPlan demands a packing plan of the topology's id.
func (s *Subject) CheckPlan() error {
	plan := s.There.PackingPlan
	switch {
	case !plan.There:
		return s.Broken(s.Errorf(outcome.Differs, "its state is incomplete: no %s", plan.Path))
	case plan.Err != nil:
		return s.Broken(s.Errorf(outcome.Differs, "its state cannot be understood: %w", plan.Err))
	}
	return nil
}

// CheckJobs demands jobs that run the topology: the one of its name, or those
// of the original client. The look must have included both.
func (s *Subject) CheckJobs() error {
	if err := s.CheckMarks(); err != nil {
		return err
	}
	jobs := s.There.Jobs()
	if len(jobs) == 0 {
		return s.Broken(s.Errorf(outcome.Differs, "Nomad at %s has no job %s", s.Cluster.Settings.Nomad.Address, jobspec.JobID(s.Cluster.Settings.Cluster, s.Name)))
	}
	for _, job := range jobs {
		if id := job.Meta[jobspec.MetaTopologyID]; id != s.ID() {
			return s.Broken(s.Errorf(outcome.Differs, "job %s is of topology id %s, not %s", *job.ID, id, s.ID()))
		}
		if jobspec.Stopped(job) {
			return s.Broken(s.Errorf(outcome.Differs, "job %s is stopped", *job.ID))
		}
	}
	return nil
}
