package submit

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

func (s *submission) upload(ctx context.Context) error {
	if s.resume {
		if err := s.clearParts(ctx); err != nil {
			return err
		}
	}
	file := s.m.in.Package
	where, err := s.cl.Uploader.Upload(ctx, uploader.Source{
		Name:   s.m.PackageName,
		Size:   file.Size,
		SHA256: file.SHA256,
		Open:   func() (uploader.Content, error) { return os.Open(file.Path) },
	})
	if err != nil {
		return err
	}
	s.uploaded = true
	// Whatever fails from here on, what has to be removed is known.
	placed := *s.m
	placed.Package = where
	s.m = &placed
	m, err := s.m.at(where)
	if err != nil {
		return err
	}
	s.m = m
	s.claim.Note(func(i *statemgr.Intent) { i.Package.URI = where.URI })
	return nil
}

// deletePackage removes the package unless a topology refers to it: one that
// another run with the same topology id has made in the meantime.
func (s *submission) deletePackage(ctx context.Context) (bool, error) {
	if !s.uploaded {
		return false, nil
	}
	if s.claim.Lost(ctx) {
		// The operation that took over knows of it only if it continues with the
		// same id.
		if shared, err := s.shared(ctx); err != nil || shared {
			return false, err
		}
	}
	now, err := s.cl.Look(ctx, s.name, cluster.Scope{})
	if err == nil {
		err = now.Record.Err
	}
	if err != nil {
		return false, err
	}
	if now.Record.There && now.Record.Value.Package.URI == s.m.Package.URI {
		return false, nil
	}
	err = s.cl.Uploader.Delete(ctx, s.m.Package.URI)
	if errors.Is(err, errors.ErrUnsupported) {
		return true, &operation.KeptError{Err: err}
	}
	return true, err
}

func (s *submission) writeState(ctx context.Context) error {
	tree := s.cl.State
	if err := tree.EnsureDirs(ctx, tree.Dirs()...); err != nil {
		return err
	}
	ops, err := s.missingState(ctx)
	if err != nil || len(ops) == 0 {
		return err
	}
	err = tree.ApplyAll(ctx, append(s.claim.Guards(), ops...)...)
	// Only a plain refusal says that nothing of it was done.
	s.stateMade = s.stateMade || err == nil || errors.Is(err, statemgr.ErrUnreachable) || ctx.Err() != nil
	if !errors.Is(err, statemgr.ErrUnreachable) {
		return s.claim.Seen(err)
	}
	// The reply may have been lost on the way: what is there may be ours.
	if done, readErr := tree.Done(ctx, s.m.writes()...); readErr == nil && done {
		return nil
	}
	return err
}

// missingState are the operations that a submission which died has not done
// already.
func (s *submission) missingState(ctx context.Context) ([]statemgr.Op, error) {
	if !s.resume {
		return s.m.writes(), nil
	}
	var missing []statemgr.Op
	for _, op := range s.m.writes() {
		done, err := s.cl.State.Done(ctx, op)
		if err != nil {
			return nil, err
		}
		if !done {
			missing = append(missing, op)
		}
	}
	return missing, nil
}

// deleteState removes the state if it is this submission's: another one may
// have won the race for the name.
func (s *submission) deleteState(ctx context.Context) (bool, error) {
	if !s.stateMade || s.claim.Lost(ctx) {
		return false, nil
	}
	now, err := s.cl.Look(ctx, s.name, cluster.Scope{})
	if err == nil {
		err = now.Record.Err
	}
	if err != nil {
		return false, err
	}
	if !now.Record.There || now.Record.Value.TopologyID != s.m.Definition.ID() {
		return false, nil
	}
	err = s.claim.Seen(s.cl.State.DeleteTopology(ctx, s.name, false, s.claim.Guards()...))
	var lost *operation.LostError
	return !errors.As(err, &lost), err
}

// registerGrace is how long a registration continues after an interrupt. One
// that is cut off may still arrive, after it was looked for in vain.
const registerGrace = 5 * time.Second

func (s *submission) register(ctx context.Context) error {
	rctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(registerGrace, cancel) })()
	var err error
	if s.stopped != nil {
		_, err = s.cl.Jobs.TakeOver(rctx, s.m.Job, s.stopped)
	} else {
		_, err = s.cl.Jobs.RegisterNew(rctx, s.m.Job)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.done = err == nil
	return err
}

// removeJob stops and purges the job if it is this submission's.
func (s *submission) removeJob(ctx context.Context) (bool, error) {
	if s.claim.Lost(ctx) {
		return false, nil
	}
	return s.endOwnJob(ctx)
}

// endOwnJob ends the job of the topology's name if it has this submission's
// topology id.
func (s *submission) endOwnJob(ctx context.Context) (bool, error) {
	id, topologyID := *s.m.Job.ID, s.m.Definition.ID()
	job, err := s.cl.Jobs.Job(ctx, id)
	if errors.Is(err, nomad.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if job.Meta[jobspec.MetaTopologyID] != topologyID {
		return false, nil
	}
	return true, s.cl.EndJob(ctx, job, topologyID)
}
