package clustertest

import (
	"context"
	"errors"
	"sync"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/localfs"
	"github.com/heron-nomad/heron/internal/uploader"
)

// ErrDied is what calls of a dead process return.
var ErrDied = errors.New("the process has died")

// Mortal is a process that dies at one of the calls by which it changes
// something, before or after the call's effect; what it calls later never
// arrives anywhere.
type Mortal struct {
	mu        sync.Mutex
	at, calls int
	after     bool
	// Dead: it has died.
	Dead bool
	died func()
}

func (m *Mortal) call(f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Dead {
		return ErrDied
	}
	m.calls++
	if m.calls == m.at && !m.after {
		m.die()
		return ErrDied
	}
	err := f()
	if m.calls == m.at {
		m.die()
		return ErrDied
	}
	return err
}

func (m *Mortal) die() {
	m.Dead = true
	m.died()
}

type mortalStore struct {
	statemgr.Store
	*Mortal
}

func (s mortalStore) Apply(ctx context.Context, ops ...statemgr.Op) error {
	return s.call(func() error { return s.Store.Apply(ctx, ops...) })
}

func (s mortalStore) EnsureDirs(ctx context.Context, paths ...string) error {
	return s.call(func() error { return s.Store.EnsureDirs(ctx, paths...) })
}

func (s mortalStore) Hold(ctx context.Context, path string, data []byte) (func(context.Context) error, error) {
	var release func(context.Context) error
	err := s.call(func() (err error) { release, err = s.Store.Hold(ctx, path, data); return err })
	return func(ctx context.Context) error { return s.call(func() error { return release(ctx) }) }, err
}

type mortalUploader struct {
	uploader.Uploader
	*Mortal
}

func (u mortalUploader) Upload(ctx context.Context, src uploader.Source) (where uploader.Location, err error) {
	err = u.call(func() (err error) { where, err = u.Uploader.Upload(ctx, src); return err })
	return where, err
}

func (u mortalUploader) Delete(ctx context.Context, uri string) error {
	return u.call(func() error { return u.Uploader.Delete(ctx, uri) })
}

type mortalJobs struct {
	cluster.Jobs
	*Mortal
}

func (j mortalJobs) RegisterNew(ctx context.Context, job *api.Job) (r nomad.Registration, err error) {
	err = j.call(func() (err error) { r, err = j.Jobs.RegisterNew(ctx, job); return err })
	return r, err
}

func (j mortalJobs) TakeOver(ctx context.Context, job, stopped *api.Job) (r nomad.Registration, err error) {
	err = j.call(func() (err error) { r, err = j.Jobs.TakeOver(ctx, job, stopped); return err })
	return r, err
}

// Stop implements cluster.Jobs.
func (j mortalJobs) Stop(ctx context.Context, job *api.Job) error {
	return j.call(func() error { return j.Jobs.Stop(ctx, job) })
}

// PurgeOwned implements cluster.Jobs.
func (j mortalJobs) PurgeOwned(ctx context.Context, id, topologyID string) error {
	return j.call(func() error { return j.Jobs.PurgeOwned(ctx, id, topologyID) })
}

// SetCount implements cluster.Jobs.
func (j mortalJobs) SetCount(ctx context.Context, job *api.Job, n int) (now *api.Job, err error) {
	err = j.call(func() (err error) { now, err = j.Jobs.SetCount(ctx, job, n); return err })
	return now, err
}

// SetSpec implements cluster.Jobs.
func (j mortalJobs) SetSpec(ctx context.Context, job, spec *api.Job) (now *api.Job, err error) {
	err = j.call(func() (err error) { now, err = j.Jobs.SetSpec(ctx, job, spec); return err })
	return now, err
}

// RescheduleFailed implements cluster.Jobs.
func (j mortalJobs) RescheduleFailed(ctx context.Context, id string) error {
	return j.call(func() error { return j.Jobs.RescheduleFailed(ctx, id) })
}

// StopAllocation implements cluster.Jobs.
func (j mortalJobs) StopAllocation(ctx context.Context, id string) error {
	return j.call(func() error { return j.Jobs.StopAllocation(ctx, id) })
}

// RestartInPlace implements cluster.Jobs.
func (j mortalJobs) RestartInPlace(ctx context.Context, id, task string) error {
	return j.call(func() error { return j.Jobs.RestartInPlace(ctx, id, task) })
}

// Mortal returns the bench's cluster as a process sees it that dies at its
// n-th change, before it or after it.
func (b *Bench) Mortal(n int, after bool) (cluster.Cluster, *Mortal) {
	b.T.Helper()
	store, err := localfs.Open(b.Settings.State.Root)
	b.Must(err)
	m := &Mortal{at: n, after: after, died: func() { b.Must(store.Close()) }}
	b.T.Cleanup(func() { store.Close() })
	c := b.Cluster
	c.State.Store, c.Jobs, c.Uploader = mortalStore{&Store{Store: store, OnPacking: b.Store.OnPacking}, m}, mortalJobs{b.Jobs, m}, mortalUploader{b.Uploader.Uploader, m}
	if c.TManager != nil {
		c.TManager = mortalTManager{c.TManager, m}
	}
	return c, m
}

type mortalTManager struct {
	cluster.TManager
	*Mortal
}

func (t mortalTManager) Activate(ctx context.Context, at *heronpb.TManagerLocation) error {
	return t.call(func() error { return t.TManager.Activate(ctx, at) })
}

// Deactivate implements cluster.TManager.
func (t mortalTManager) Deactivate(ctx context.Context, at *heronpb.TManagerLocation) error {
	return t.call(func() error { return t.TManager.Deactivate(ctx, at) })
}

// Configure implements cluster.TManager.
func (t mortalTManager) Configure(ctx context.Context, at *heronpb.TManagerLocation, items []string) error {
	return t.call(func() error { return t.TManager.Configure(ctx, at, items) })
}
