package submit

import (
	"context"
	"errors"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/localfs"
	"github.com/heron-nomad/heron/internal/uploader"
)

var errDied = errors.New("the process has died")

// mortal is a process that dies at one of the calls by which it changes
// something, before or behind the call's effect; what it calls later never
// arrives anywhere.
type mortal struct {
	at, calls int
	after     bool
	dead      bool
	died      func()
}

func (m *mortal) call(f func() error) error {
	if m.dead {
		return errDied
	}
	m.calls++
	if m.calls == m.at && !m.after {
		m.die()
		return errDied
	}
	err := f()
	if m.calls == m.at {
		m.die()
		return errDied
	}
	return err
}

func (m *mortal) die() {
	m.dead = true
	m.died()
}

type mortalStore struct {
	statemgr.Store
	*mortal
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
	*mortal
}

func (u mortalUploader) Upload(ctx context.Context, src uploader.Source) (where uploader.Location, err error) {
	err = u.call(func() (err error) { where, err = u.Uploader.Upload(ctx, src); return err })
	return where, err
}

func (u mortalUploader) Delete(ctx context.Context, uri string) error {
	return u.call(func() error { return u.Uploader.Delete(ctx, uri) })
}

type mortalJobs struct {
	Jobs
	*mortal
}

func (j mortalJobs) RegisterNew(ctx context.Context, job *api.Job) (r nomad.Registration, err error) {
	err = j.call(func() (err error) { r, err = j.Jobs.RegisterNew(ctx, job); return err })
	return r, err
}

func (j mortalJobs) TakeOver(ctx context.Context, job, stopped *api.Job) (r nomad.Registration, err error) {
	err = j.call(func() (err error) { r, err = j.Jobs.TakeOver(ctx, job, stopped); return err })
	return r, err
}

// mortalEnv is a process of its own on the bench's cluster.
func (b *bench) mortalEnv(at int, after bool) (Env, *mortal) {
	b.t.Helper()
	store, err := localfs.Open(b.settings.State.Root)
	b.must(err)
	m := &mortal{at: at, after: after, died: func() { b.must(store.Close()) }}
	b.t.Cleanup(func() { store.Close() })
	return Env{
		Store: statemgr.Tree{Store: mortalStore{store, m}, Layout: b.layout}, Jobs: mortalJobs{b.jobs, m}, Uploader: mortalUploader{b.uploader.Uploader, m}, Report: b.t.Logf,
	}, m
}
