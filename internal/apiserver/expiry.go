package apiserver

import (
	"context"
	"errors"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/lifecycle"
)

// expiryPause is how often the server looks for uploads that have expired.
const expiryPause = time.Hour

// expireUploads removes, from time to time, what clients uploaded themselves and
// nothing uses, until ctx ends.
func (s *Server) expireUploads(ctx context.Context) {
	if s.opts.Limits.UploadExpiry <= 0 {
		return
	}
	tick := time.NewTicker(expiryPause)
	defer tick.Stop()
	for {
		if err := s.expire(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.Warn("cannot remove uploads that have expired; trying again in "+expiryPause.String(), "error", err.Error())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// expire removes what clients uploaded, or nodes fetched last, longer ago than
// the limit, and nothing refers to. Where references cannot be read as a whole,
// nothing is removed.
func (s *Server) expire(ctx context.Context) error {
	uploads, err := s.opts.Store.Uploads()
	if err != nil {
		return err
	}
	before := s.opts.Now().Add(-s.opts.Limits.UploadExpiry)
	old := map[string]files.Upload{}
	var ids []string
	for _, u := range uploads {
		if u.Used.Before(before) {
			old[u.ID] = u
			ids = append(ids, u.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	set, _, err := s.setupAnyway(ctx, place{cluster: s.opts.Base.Cluster, role: anyPart, environ: anyPart})
	if err != nil {
		return err
	}
	cl, err := s.connect(ctx, set, nil)
	if err != nil {
		return err
	}
	defer s.release(cl)
	unused, err := lifecycle.Unused(ctx, cl.Cluster, cl.Nomad, ids)
	if err != nil {
		return err
	}
	for _, id := range unused {
		if err := s.opts.Store.Delete(id); err != nil && !errors.Is(err, files.ErrNotFound) {
			return err
		}
		s.opts.Log.Info("an upload has expired", "file", id, "bytes", old[id].Size, "last_used", old[id].Used.UTC())
	}
	return nil
}
