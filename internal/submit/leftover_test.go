package submit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

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
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "use the release that wrote it") {
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

// unfetchable stores packages where nodes cannot fetch them.
type unfetchable struct {
	uploader.Uploader
	removed []string
}

func (m *unfetchable) Upload(context.Context, uploader.Source) (uploader.Location, error) {
	return uploader.Location{URI: "http://h/told", Fetch: "ftp://h/told"}, nil
}

func (m *unfetchable) Delete(_ context.Context, uri string) error {
	m.removed = append(m.removed, uri)
	return nil
}

func TestSubmitTakesBackAPackageThatNoJobCanName(t *testing.T) {
	b := newBench(t)
	up := &unfetchable{Uploader: b.uploader}
	b.env.Uploader = up
	err := b.submit(t.Context())
	if ExitCode(err) != ExitUndone || !slices.Equal(up.removed, []string{"http://h/told"}) {
		t.Errorf("removed %q, exit code %d, error %v", up.removed, ExitCode(err), err)
	}
	if left := b.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
