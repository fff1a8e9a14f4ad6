package submit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

func (s *submission) upload(ctx context.Context) error {
	if s.resume {
		if err := s.clearParts(ctx); err != nil {
			return err
		}
	}
	file := s.d.in.Package
	where, err := s.env.Uploader.Upload(ctx, uploader.Source{
		Name:   s.d.PackageName,
		Size:   file.Size,
		SHA256: file.SHA256,
		Open:   func() (uploader.Content, error) { return os.Open(file.Path) },
	})
	if err != nil {
		return err
	}
	s.uploaded = true
	// Whatever fails from here on, what is to be removed is known.
	placed := *s.d
	placed.Package = where
	s.d = &placed
	d, err := s.d.at(where)
	if err != nil {
		return err
	}
	s.d = d
	return s.claim.reach(ctx, statemgr.StepState, func(i *statemgr.Intent) { i.Package.URI = where.URI })
}

// deletePackage removes the package unless a topology refers to it: one that
// another run with the same topology id has put up in the meantime.
func (s *submission) deletePackage(ctx context.Context) (bool, error) {
	if !s.uploaded {
		return false, nil
	}
	if s.claim.isLost(ctx) {
		// Whoever took over knows of it only if he goes on with the same id.
		if shared, err := s.shared(ctx); err != nil || shared {
			return false, err
		}
	}
	record, err := readRecord(ctx, s.env, s.layout, s.d.Definition.Name())
	if err != nil {
		return false, err
	}
	if record != nil && record.Package.URI == s.d.Package.URI {
		return false, nil
	}
	err = s.env.Uploader.Delete(ctx, s.d.Package.URI)
	if errors.Is(err, errors.ErrUnsupported) {
		return true, &keptError{err}
	}
	return true, err
}

// readRecord reads the deployment record of a topology, nil where there is
// none.
func readRecord(ctx context.Context, env Env, layout statemgr.Layout, name string) (*statemgr.DeploymentRecord, error) {
	data, there, err := env.readNode(ctx, layout.Deployment(name), fmt.Sprintf("read the deployment record of %q", name))
	if !there || err != nil {
		return nil, err
	}
	record, err := statemgr.DecodeDeployment(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", layout.Deployment(name), err)
	}
	return &record, nil
}

func (s *submission) writeState(ctx context.Context) error {
	if err := s.env.Store.EnsureDirs(ctx, s.layout.Dirs()...); err != nil {
		return err
	}
	ops, err := s.missingState(ctx)
	if err != nil || len(ops) == 0 {
		return err
	}
	ops = append(s.claim.guards(), ops...)
	err = statemgr.ApplyAll(ctx, s.env.Store, ops...)
	// Only a plain refusal says that nothing of it was done.
	s.stateMade = s.stateMade || err == nil || errors.Is(err, statemgr.ErrUnreachable) || ctx.Err() != nil
	if !errors.Is(err, statemgr.ErrUnreachable) {
		return s.claim.seen(err)
	}
	// The reply may have been lost on the way: what is there may be ours.
	if done, readErr := statemgr.Done(ctx, s.env.Store, s.d.State...); readErr == nil && done {
		return nil
	}
	return err
}

// missingState are the operations that a submission which died has not done
// already.
func (s *submission) missingState(ctx context.Context) ([]statemgr.Op, error) {
	if !s.resume {
		return s.d.State, nil
	}
	var missing []statemgr.Op
	for _, op := range s.d.State {
		done, err := statemgr.Done(ctx, s.env.Store, op)
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
	name := s.d.Definition.Name()
	if !s.stateMade || s.claim.isLost(ctx) {
		return false, nil
	}
	record, err := readRecord(ctx, s.env, s.layout, name)
	if err != nil {
		return false, err
	}
	if record == nil || record.TopologyID != s.d.Definition.ID() {
		return false, nil
	}
	err = statemgr.DeleteTopology(ctx, s.env.Store, s.layout, name, false, s.claim.guards()...)
	err = s.claim.seen(err)
	return !s.claim.lost, err
}

// registerGrace is how long a registration goes on after an interrupt. One
// that is cut off may still arrive, after it was looked for in vain.
const registerGrace = 5 * time.Second

func (s *submission) register(ctx context.Context) error {
	if err := s.claim.reach(ctx, statemgr.StepJob, nil); err != nil {
		return err
	}
	rctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(registerGrace, cancel) })()
	var err error
	if s.stopped != nil {
		_, err = s.env.Jobs.TakeOver(rctx, s.d.Job, s.stopped)
	} else {
		_, err = s.env.Jobs.RegisterNew(rctx, s.d.Job)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// removeJob stops and purges the job if it is this submission's.
func (s *submission) removeJob(ctx context.Context) (bool, error) {
	if s.claim.isLost(ctx) {
		return false, nil
	}
	return s.endOwnJob(ctx)
}

// endOwnJob ends the job of the topology's name if it has this submission's
// topology id.
func (s *submission) endOwnJob(ctx context.Context) (bool, error) {
	id, topologyID := *s.d.Job.ID, s.d.Definition.ID()
	job, err := s.env.Jobs.Job(ctx, id)
	if errors.Is(err, nomad.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if job.Meta[jobspec.MetaTopologyID] != topologyID {
		return false, nil
	}
	return true, s.env.endJob(ctx, job, topologyID, s.d.in.Settings.Nomad.StopTimeout)
}
