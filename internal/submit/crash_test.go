package submit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/statemgr"
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
	store, err := statemgr.OpenLocal(b.settings.State.Root)
	b.must(err)
	m := &mortal{at: at, after: after, died: func() { b.must(store.Close()) }}
	b.t.Cleanup(func() { store.Close() })
	return Env{
		Store: mortalStore{store, m}, Jobs: mortalJobs{b.jobs, m}, Uploader: mortalUploader{b.uploader.Uploader, m}, Report: b.t.Logf,
	}, m
}

// wantWhole checks that the bench's deployment is there, and nothing else.
func (b *bench) wantWhole() {
	b.t.Helper()
	for _, op := range b.d.State {
		node, err := b.store.Read(b.t.Context(), op.Path)
		if err != nil || string(node.Data) != string(op.Data) {
			b.t.Errorf("%s: %v, or not what was decided", op.Path, err)
		}
	}
	if job := b.jobs.jobs[*b.d.Job.ID]; len(b.jobs.jobs) != 1 || job == nil || job.Meta[nomad.MetaTopologyID] != b.d.Definition.ID() {
		b.t.Errorf("jobs: %v", b.jobs.jobs)
	}
	b.wantPackages(strings.TrimPrefix(b.d.Package.URI, "file://"))
	for _, line := range b.left() {
		if strings.Contains(line, "/operations/") || strings.Contains(line, "/owners/") {
			b.t.Errorf("left: %s", line)
		}
	}
}

// wantPackages checks which files there are in the package folder.
func (b *bench) wantPackages(want ...string) {
	b.t.Helper()
	var got []string
	_ = filepath.WalkDir(b.packages, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			got = append(got, path)
		}
		return nil
	})
	if !slices.Equal(got, want) {
		b.t.Errorf("packages: %v, want %v", got, want)
	}
}

// crashes runs f after a submission that died at each of its calls, before and
// behind it.
func crashes(t *testing.T, f func(b *bench)) {
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b := newBench(t)
			env, m := b.mortalEnv(at, after)
			_, err := Submit(t.Context(), env, b.d, Options{})
			if died = m.dead; !died {
				b.must(err)
				if at < 9 {
					t.Fatalf("a submission has only %d calls", at-1)
				}
				b.wantWhole()
				break
			}
			t.Run(fmt.Sprintf("%d-%v", at, after), func(t *testing.T) {
				b.t = t
				b.env.Report = t.Logf
				f(b)
			})
		}
	}
}

// complete says that the dead submission had registered its job.
func (b *bench) complete() bool { return len(b.jobs.jobs) > 0 }

func TestTheSameSubmitAgainGoesOnAfterACrash(t *testing.T) {
	crashes(t, func(b *bench) {
		complete := b.complete()
		err := b.submit(b.t.Context())
		if complete && ExitCode(err) != ExitExists || !complete && err != nil {
			b.t.Errorf("complete before: %v, exit code %d, %v", complete, ExitCode(err), err)
		}
		b.wantWhole()
	})
}

func TestAnotherSubmitRemovesWhatACrashLeft(t *testing.T) {
	crashes(t, func(b *bench) {
		complete := b.complete()
		first := b.d
		b.d = b.deployment("words5678")
		err := b.submit(b.t.Context())
		if complete {
			b.d = first
		}
		if complete && ExitCode(err) != ExitExists || !complete && err != nil {
			b.t.Errorf("complete before: %v, exit code %d, %v", complete, ExitCode(err), err)
		}
		b.wantWhole()
	})
}

func TestKillRemovesWhatACrashLeft(t *testing.T) {
	crashes(t, func(b *bench) {
		if _, err := b.kill(b.t.Context(), KillOptions{IgnoreMissing: true}); err != nil {
			b.t.Error(err)
		}
		if left := b.left(); len(left) > 0 {
			b.t.Errorf("left: %v", left)
		}
	})
}

// A second submission that dies while it goes on, or cleans up, leaves what a
// third one can go on with.
func TestCrashAfterCrash(t *testing.T) {
	for _, id := range []string{"words1234", "words5678"} {
		t.Run(id, func(t *testing.T) {
			for at := 1; ; at++ {
				b := newBench(t)
				env, _ := b.mortalEnv(7, false) // in the state, or near it
				_, _ = Submit(t.Context(), env, b.d, Options{})
				b.d = b.deployment(id)
				env, m := b.mortalEnv(at, true)
				_, err := Submit(t.Context(), env, b.d, Options{})
				if !m.dead {
					b.must(err)
					return
				}
				third := b.deployment("words9999")
				complete, second := b.complete(), b.d
				b.d = third
				err = b.submit(t.Context())
				if complete {
					b.d = second
				}
				if complete && ExitCode(err) != ExitExists || !complete && err != nil {
					t.Errorf("at %d, complete before: %v, exit code %d, %v", at, complete, ExitCode(err), err)
				}
				b.wantWhole()
			}
		})
	}
}

func TestKillRefusesWhileASubmitIsUnderWay(t *testing.T) {
	b := newBench(t)
	b.uploader.upload = func() error {
		if _, err := b.kill(t.Context(), KillOptions{}); ExitCode(err) != ExitExists || !strings.Contains(fmt.Sprint(err), "is under way") {
			t.Errorf("exit code %d, %v", ExitCode(err), err)
		}
		return nil
	}
	b.must(b.submit(t.Context()))
	b.wantWhole()
}

// takeover makes the rest of the world take the owner of the bench's
// submission for dead, as the servers do when its session ends.
func (b *bench) takeover() {
	b.t.Helper()
	names, err := b.store.Children(b.t.Context(), b.layout.Owners())
	b.must(err)
	for _, name := range names {
		b.must(b.store.Apply(b.t.Context(), statemgr.Delete(b.layout.Owners()+"/"+name)))
	}
}

// A process that was only paused comes back when somebody else has taken over.
func TestASubmitThatWasTakenForDeadTouchesNothingMore(t *testing.T) {
	for name, id := range map[string]string{"went on": "words1234", "began anew": "words5678"} {
		for _, when := range []string{"upload", "register, before", "register, after"} {
			t.Run(name+" at "+when, func(t *testing.T) {
				b := newBench(t)
				second := b.deployment(id)
				other := b.env
				other.Uploader = b.uploader.Uploader
				pause := once2(func() {
					b.takeover()
					_, err := Submit(t.Context(), other, second, Options{})
					if err != nil && (when != "register, after" || ExitCode(err) != ExitExists) {
						t.Errorf("the second: %v", err)
					}
				})
				switch when {
				case "upload":
					b.uploader.upload = func() error { pause(); return nil }
				case "register, before":
					b.jobs.before = func(m string) error {
						if m == "RegisterNew" {
							pause()
						}
						return nil
					}
				case "register, after":
					b.jobs.after = func(m string) error {
						if m == "RegisterNew" {
							pause()
						}
						return nil
					}
				}
				err := b.submit(t.Context())
				t.Logf("the first: %v", err)
				if when == "upload" && ExitCode(err) != ExitExists {
					t.Errorf("exit code %d", ExitCode(err))
				}
				if when != "register, after" {
					b.d = second
				}
				b.wantWhole()
			})
		}
	}
}

// once2 calls f the first time only, also when f leads back here.
func once2(f func()) func() {
	called := false
	return func() {
		if !called {
			called = true
			f()
		}
	}
}

func TestAFailedUndoLeavesTheIntentForTheNext(t *testing.T) {
	b := newBench(t)
	b.jobs.before = func(m string) error {
		if m == "RegisterNew" {
			b.uploader.remove = func() error { return errBroken }
			return errBroken
		}
		return nil
	}
	if err := b.submit(t.Context()); ExitCode(err) != ExitLeft {
		t.Fatalf("exit code %d, %v", ExitCode(err), err)
	}
	b.jobs.before, b.uploader.remove = nil, nil
	if done, err := b.kill(t.Context(), KillOptions{}); err != nil || !done.Found {
		t.Errorf("%+v, %v", done, err)
	}
	if left := b.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestPackagesThatCannotBeRemoved(t *testing.T) {
	unsupported := func() error { return fmt.Errorf("the server has no DELETE: %w", errors.ErrUnsupported) }
	t.Run("by kill", func(t *testing.T) {
		b := newBench(t)
		b.must(b.submit(t.Context()))
		b.uploader.remove = unsupported
		done, err := b.kill(t.Context(), KillOptions{})
		if err != nil || !slices.Equal(done.Kept, []string{b.d.Package.URI}) {
			t.Fatalf("%+v, %v", done, err)
		}
		for _, what := range done.Removed {
			if strings.HasPrefix(what, "package ") {
				t.Errorf("%s is told to be removed", what)
			}
		}
		b.must(os.RemoveAll(b.packages))
		if left := b.left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("by an undo", func(t *testing.T) {
		b := newBench(t)
		b.uploader.remove = unsupported
		b.jobs.before = func(m string) error {
			if m == "RegisterNew" {
				return errBroken
			}
			return nil
		}
		err := b.submit(t.Context())
		if ExitCode(err) != ExitLeft || !strings.Contains(err.Error(), "remove it there by hand") || strings.Contains(err.Error(), "heron kill") {
			t.Errorf("exit code %d, %v", ExitCode(err), err)
		}
		b.wantPackages(strings.TrimPrefix(b.d.Package.URI, "file://"))
		b.must(os.RemoveAll(b.packages))
		if left := b.left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("of a submit that died", func(t *testing.T) {
		b := newBench(t)
		env, _ := b.mortalEnv(5, true)
		_, _ = Submit(t.Context(), env, b.d, Options{})
		old := b.d.Package.URI
		b.uploader.remove = unsupported
		b.d = b.deployment("words5678")
		done, err := Submit(t.Context(), b.env, b.d, Options{})
		if err != nil || !slices.Equal(done.Kept, []string{old}) {
			t.Errorf("%+v, %v", done, err)
		}
	})
}

func TestIntentsThatAreNotToBeTouched(t *testing.T) {
	b := newBench(t)
	b.must(b.store.EnsureDirs(t.Context(), b.layout.Dirs()...))
	path := b.layout.Operation("words")
	b.must(b.store.Apply(t.Context(), statemgr.Create(path, []byte(`{"version":9,"operation":"replace"}`))))
	for name, err := range map[string]error{"submit": b.submit(t.Context()), "kill": func() error { _, err := b.kill(t.Context(), KillOptions{}); return err }()} {
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "use the program that wrote it") {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.must(b.store.Apply(t.Context(), statemgr.Delete(path)))

	env, _ := b.mortalEnv(8, true) // about to register
	_, _ = Submit(t.Context(), env, b.d, Options{})
	b.settings.Nomad.Namespace = "elsewhere"
	if _, err := b.kill(t.Context(), KillOptions{}); ExitCode(err) != ExitInput || !strings.Contains(err.Error(), "--nomad-namespace default") {
		t.Errorf("kill in another namespace: %v", err)
	}
	b.settings.Nomad.Namespace = ""
	b.settings.Role = "others"
	if _, err := b.kill(t.Context(), KillOptions{}); ExitCode(err) != ExitInput || !strings.Contains(err.Error(), "nomad/ads/prod") {
		t.Errorf("kill of another role: %v", err)
	}
}

func TestTheRightsOfTheIntentAreAskedFor(t *testing.T) {
	b := newBench(t)
	var asked []string
	b.store.Store = rightsSpy{b.store.Store, &asked}
	b.must(b.submit(t.Context()))
	for _, dir := range []string{"/operations/", "/owners/"} {
		if !slices.ContainsFunc(asked, func(path string) bool { return strings.Contains(path, dir) }) {
			t.Errorf("%s is not asked for: %v", dir, asked)
		}
	}
}

type rightsSpy struct {
	statemgr.Store
	asked *[]string
}

func (s rightsSpy) Apply(ctx context.Context, ops ...statemgr.Op) error {
	if strings.HasSuffix(ops[len(ops)-1].Path, "/no-such-node") {
		for _, op := range ops {
			*s.asked = append(*s.asked, op.Path)
		}
	}
	return s.Store.Apply(ctx, ops...)
}
