package clustertest

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

// Store fails transactions on a topology's state, before or after their
// effect. Rights, if set, answers those that only ask what is allowed.
type Store struct {
	statemgr.Store
	Before, After func() error
	Rights        func() error
	// OnPacking, if set, is called after a packing plan was changed.
	OnPacking func(context.Context)
}

// Apply implements statemgr.Store.
func (s *Store) Apply(ctx context.Context, ops ...statemgr.Op) error {
	if last := ops[len(ops)-1]; last.Kind == statemgr.OpCheck && last.Version == math.MaxInt32 {
		if s.Rights != nil {
			return s.Rights()
		}
		return s.Store.Apply(ctx, ops...)
	}
	if !onState(ops) {
		return s.apply(ctx, ops)
	}
	if s.Before != nil {
		if err := s.Before(); err != nil {
			return err
		}
	}
	if err := s.apply(ctx, ops); err != nil {
		return err
	}
	if s.After != nil {
		return s.After()
	}
	return nil
}

// apply tells of a new packing plan.
func (s *Store) apply(ctx context.Context, ops []statemgr.Op) error {
	if err := s.Store.Apply(ctx, ops...); err != nil {
		return err
	}
	if s.OnPacking != nil && slices.ContainsFunc(ops, func(op statemgr.Op) bool {
		return op.Kind == statemgr.OpSet && strings.Contains(op.Path, "/packingplans/")
	}) {
		s.OnPacking(ctx)
	}
	return nil
}

// onState says whether operations change the definition of a topology.
func onState(ops []statemgr.Op) bool {
	return slices.ContainsFunc(ops, func(op statemgr.Op) bool {
		return op.Kind != statemgr.OpCheck && (strings.Contains(op.Path, "/topologies/") || op.Kind == statemgr.OpSet && strings.Contains(op.Path, "/packingplans/"))
	})
}

// Uploader fails uploads and deletions.
type Uploader struct {
	uploader.Uploader
	OnUpload, OnDelete func() error
}

// Upload implements uploader.Uploader.
func (u *Uploader) Upload(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	if u.OnUpload != nil {
		if err := u.OnUpload(); err != nil {
			return uploader.Location{}, err
		}
	}
	return u.Uploader.Upload(ctx, src)
}

// Delete implements uploader.Uploader.
func (u *Uploader) Delete(ctx context.Context, uri string) error {
	if u.OnDelete != nil {
		if err := u.OnDelete(); err != nil {
			return err
		}
	}
	return u.Uploader.Delete(ctx, uri)
}
