package submit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

func TestAFailedUndoLeavesTheIntentForTheNext(t *testing.T) {
	b := newBench(t)
	b.Jobs.Before = func(m string) error {
		if m == "RegisterNew" {
			b.Uploader.OnDelete = func() error { return errBroken }
			return errBroken
		}
		return nil
	}
	if err := b.submit(t.Context()); outcome.KindOf(err) != outcome.LeftBehind {
		t.Fatalf("kind %s, %v", outcome.KindOf(err), err)
	}
	b.Jobs.Before, b.Uploader.OnDelete = nil, nil
	if done, err := b.kill(t.Context(), lifecycle.KillOptions{}); err != nil || !done.Found {
		t.Errorf("%+v, %v", done, err)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestPackagesThatCannotBeRemoved(t *testing.T) {
	unsupported := func() error { return fmt.Errorf("the server has no DELETE: %w", errors.ErrUnsupported) }
	t.Run("by kill", func(t *testing.T) {
		b := newBench(t)
		b.Must(b.submit(t.Context()))
		b.Uploader.OnDelete = unsupported
		done, err := b.kill(t.Context(), lifecycle.KillOptions{})
		if err != nil || len(done.Kept) != 1 || done.Kept[0].ID != b.d.Package.URI {
			t.Fatalf("%+v, %v", done, err)
		}
		for _, what := range done.Removed {
			if what.Kind == outcome.Package {
				t.Errorf("%s is said to be removed", what)
			}
		}
		b.Must(os.RemoveAll(b.Packages))
		if left := b.Left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("by an undo", func(t *testing.T) {
		b := newBench(t)
		b.Uploader.OnDelete = unsupported
		b.Jobs.Before = func(m string) error {
			if m == "RegisterNew" {
				return errBroken
			}
			return nil
		}
		err := b.submit(t.Context())
		var f *operation.Failure
		if !errors.As(err, &f) || f.Kind() != outcome.LeftBehind || len(f.Left) != 1 || !f.Left[0].ByHand || f.Remedy != nil {
			t.Errorf("kind %s, %v", outcome.KindOf(err), err)
		}
		b.wantPackages(strings.TrimPrefix(b.d.Package.URI, "file://"))
		b.Must(os.RemoveAll(b.Packages))
		if left := b.Left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("of a submit that died", func(t *testing.T) {
		b := newBench(t)
		env, _ := b.Mortal(5, true)
		_, _ = submitTo(t.Context(), env, b.d)
		old := b.d.Package.URI
		b.Uploader.OnDelete = unsupported
		b.d = b.manifest("words5678")
		done, err := submitTo(t.Context(), b.Cluster, b.d)
		if err != nil || len(done.Kept) != 1 || done.Kept[0].ID != old {
			t.Errorf("%+v, %v", done, err)
		}
	})
}

func TestIntentsThatAreNotToBeTouched(t *testing.T) {
	b := newBench(t)
	b.Must(b.Store.EnsureDirs(t.Context(), b.Cluster.State.Dirs()...))
	path := b.Cluster.State.Operation("words")
	b.Must(b.Store.Apply(t.Context(), statemgr.Create(path, []byte(`{"version":9,"operation":"replace"}`))))
	for name, err := range map[string]error{"submit": b.submit(t.Context()), "kill": func() error { _, err := b.kill(t.Context(), lifecycle.KillOptions{}); return err }()} {
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "use the release that wrote it") {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.Must(b.Store.Apply(t.Context(), statemgr.Delete(path)))

	env, _ := b.Mortal(8, true) // about to register
	_, _ = submitTo(t.Context(), env, b.d)
	b.Settings.Nomad.Namespace = "elsewhere"
	if _, err := b.kill(t.Context(), lifecycle.KillOptions{}); outcome.KindOf(err) != outcome.Usage || !strings.Contains(err.Error(), `Nomad's namespace "default", not "elsewhere"`) {
		t.Errorf("kill in another namespace: %v", err)
	}
	b.Settings.Nomad.Namespace = ""
	b.Settings.Role = "others"
	if _, err := b.kill(t.Context(), lifecycle.KillOptions{}); outcome.KindOf(err) != outcome.Usage || !strings.Contains(err.Error(), "nomad/ads/prod") {
		t.Errorf("kill of another role: %v", err)
	}
}

func TestTheRightsOfTheIntentAreAskedFor(t *testing.T) {
	b := newBench(t)
	var asked []string
	b.Store.Store = rightsSpy{b.Store.Store, &asked}
	b.Must(b.submit(t.Context()))
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
	up := &unfetchable{Uploader: b.Uploader}
	b.Cluster.Uploader = up
	err := b.submit(t.Context())
	if outcome.KindOf(err) != outcome.Undone || !slices.Equal(up.removed, []string{"http://h/told"}) {
		t.Errorf("removed %q, kind %s, error %v", up.removed, outcome.KindOf(err), err)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
