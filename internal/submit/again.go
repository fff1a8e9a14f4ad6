package submit

import (
	"context"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

// hadCompleted says whether a submission that was refused, because the topology
// exists, is the one that made it: a process had begun it, completed it and died
// before it could say so. The id tells: the program makes one for each run.
func (s *submission) hadCompleted(ctx context.Context, refused error) (bool, error) {
	if outcome.KindOf(refused) != outcome.Exists {
		return false, nil
	}
	now, err := s.cl.Look(ctx, s.name, scope())
	if err != nil {
		return false, err
	}
	id := s.m.Definition.ID()
	if now.Pending != nil || !now.Complete(id) {
		return false, nil
	}
	if job := now.Job; job == nil || job.Meta[jobspec.MetaTopologyID] != id || jobspec.Stopped(job) {
		return false, nil
	}
	s.earlier = &now.Record.Value
	return true, nil
}
