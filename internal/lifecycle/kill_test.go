package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

func TestKillRemovesEverything(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	done, err := b.kill(t.Context(), KillOptions{})
	if err != nil || !done.Found {
		t.Fatalf("%+v, %v", done, err)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	order := strings.Join(b.Jobs.Calls, " ")
	if !strings.Contains(order, "Stop WaitStopped PurgeOwned") {
		t.Errorf("Nomad was asked for %s", order)
	}
}

func TestKillOfNothing(t *testing.T) {
	b := newBench(t)
	_, err := b.kill(t.Context(), KillOptions{})
	if outcome.KindOf(err) != outcome.NotFound {
		t.Errorf("kind %s, error %v", outcome.KindOf(err), err)
	}
	done, err := b.kill(t.Context(), KillOptions{IgnoreMissing: true})
	if err != nil || done.Found {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestKillWorksWhenAPartIsGone(t *testing.T) {
	for name, lose := range map[string]func(b *bench){
		"the job":     func(b *bench) { clear(b.Jobs.Jobs) },
		"the package": func(b *bench) { b.Must(b.Uploader.Delete(b.T.Context(), b.d.Package.URI)) },
		"the state": func(b *bench) {
			b.Must(b.Cluster.State.DeleteTopology(b.T.Context(), "words", true))
		},
		"the definition": func(b *bench) {
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(b.Cluster.State.Topology("words"))))
		},
		"the record": func(b *bench) {
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(b.Cluster.State.Deployment("words"))))
		},
		"the execution state": func(b *bench) {
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(b.Cluster.State.ExecutionState("words"))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Must(b.submit(t.Context()))
			lose(b)
			if _, err := b.kill(t.Context(), KillOptions{}); err != nil {
				t.Error(err)
			}
			if left := b.Left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestKillGoesOnWhereItFailed(t *testing.T) {
	for _, method := range []string{"Stop", "WaitStopped", "state", "package", "PurgeOwned"} {
		t.Run(method, func(t *testing.T) {
			b := newBench(t)
			b.Must(b.submit(t.Context()))
			failing := true
			fail := func() error {
				if failing {
					return errBroken
				}
				return nil
			}
			b.Store.Before = func() error {
				if method == "state" {
					return fail()
				}
				return nil
			}
			b.Uploader.OnDelete = func() error {
				if method == "package" {
					return fail()
				}
				return nil
			}
			b.Jobs.Before = func(m string) error {
				if m == method {
					return fail()
				}
				return nil
			}
			_, err := b.kill(t.Context(), KillOptions{})
			want := outcome.LeftBehind
			if method == "Stop" {
				want = outcome.Failed // nothing was changed
			}
			if outcome.KindOf(err) != want {
				t.Errorf("kind %s, want %s: %v", outcome.KindOf(err), want, err)
			}
			var f *operation.Failure
			if errors.As(err, &f) && (f.Remedy == nil || *f.Remedy != b.Cluster.KillRemedy("words")) {
				t.Errorf("%v does not say how to continue: %+v", err, f.Remedy)
			}
			if want == outcome.LeftBehind && len(f.Removed)+len(f.Left) < 4 {
				t.Errorf("removed %v, left %v: something is missing", f.Removed, f.Left)
			}
			failing = false
			if _, err := b.kill(t.Context(), KillOptions{}); err != nil {
				t.Error(err)
			}
			if left := b.Left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestInterruptedKill(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.kill(ctx, KillOptions{}); outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("before anything: kind %s, %v", outcome.KindOf(err), err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	b.Jobs.After = func(m string) error {
		if m == "Stop" {
			cancel()
		}
		return nil
	}
	if _, err := b.kill(ctx, KillOptions{}); outcome.KindOf(err) != outcome.LeftBehind {
		t.Errorf("in the middle: kind %s, %v", outcome.KindOf(err), err)
	}
}

func TestKillTouchesOnlyWhatItWasAskedFor(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	before := b.Left()

	b.Settings.Role = "others"
	_, err := b.kill(t.Context(), KillOptions{})
	if outcome.KindOf(err) != outcome.Usage || !strings.Contains(fmt.Sprint(err), "runs at nomad/ads/prod") {
		t.Errorf("another role: kind %s, %v", outcome.KindOf(err), err)
	}
	b.Settings.Role = "ads"

	id := "heron.nomad.words"
	b.Jobs.Put(&api.Job{ID: &id, Meta: map[string]string{"of": "somebody else"}})
	if _, err = b.kill(t.Context(), KillOptions{}); outcome.KindOf(err) != outcome.Exists {
		t.Errorf("a foreign job: kind %s, %v", outcome.KindOf(err), err)
	}
	if after := b.Left(); strings.Join(before, " ") != strings.Join(after, " ") {
		t.Errorf("before: %v, after: %v", before, after)
	}
}

func TestKillEndsTopologiesOfTheOriginalClient(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	delete(b.Jobs.Jobs, "heron.nomad.words")
	b.Must(b.Store.Apply(t.Context(), statemgr.Delete(b.Cluster.State.Deployment("words"))))
	for _, id := range []string{"words1234-0", "words1234-1", "words9999-0"} {
		b.Jobs.Put(&api.Job{ID: &id, Meta: map[string]string{
			jobspec.MetaTopologyName: "words", jobspec.MetaTopologyID: strings.TrimRight(id[:9], "-"),
		}})
	}
	if _, err := b.kill(t.Context(), KillOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(b.Jobs.Jobs) != 1 || b.Jobs.Jobs["words9999-0"] == nil {
		t.Errorf("jobs that are left: %v; only that of another run should be", b.Jobs.Jobs)
	}
}

func TestKillKeepsCheckpointsUnlessAsked(t *testing.T) {
	for _, purge := range []bool{false, true} {
		b := newBench(t)
		b.Must(b.submit(t.Context()))
		path := b.Cluster.State.Checkpoints("words")
		b.Must(b.Store.Apply(t.Context(), statemgr.Create(path, []byte("x"))))
		if _, err := b.kill(t.Context(), KillOptions{PurgeCheckpoints: purge}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Store.Read(t.Context(), path); (err != nil) != purge {
			t.Errorf("purge %v: reading the checkpoints gives %v", purge, err)
		}
	}
}

// A client that knows no claims may kill a topology and submit another while
// the containers of the first one end.
func TestKillDoesNotTouchATopologySubmittedMeanwhile(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	other := b.manifest("words5678")
	b.Jobs.After = func(m string) error {
		if m != "WaitStopped" {
			return nil
		}
		b.Jobs.After = nil
		if err := b.submit(t.Context()); outcome.KindOf(err) != outcome.Busy {
			t.Errorf("a submit during the kill: %v", err)
		}
		b.Must(b.Cluster.State.DeleteTopology(t.Context(), "words", true))
		clear(b.Jobs.Jobs)
		b.Must(b.Cluster.State.ApplyAll(t.Context(), other.State...))
		return nil
	}
	_, err := b.kill(t.Context(), KillOptions{})
	if err == nil || !strings.Contains(err.Error(), "submitted anew in the meantime, as words5678") {
		t.Errorf("error %v", err)
	}
	for _, op := range other.State {
		if _, err := b.Store.Read(t.Context(), op.Path); err != nil {
			t.Errorf("the new topology has lost %s: %v", op.Path, err)
		}
	}
}

func TestKillGoesOnWhenThePackageIsOutOfReach(t *testing.T) {
	b := newBench(t)
	b.Must(b.submit(t.Context()))
	b.Uploader.OnDelete = func() error { return fmt.Errorf("there: %w", uploader.ErrForeign) }
	_, err := b.kill(t.Context(), KillOptions{})
	var f *operation.Failure
	if !errors.As(err, &f) || f.Kind() != outcome.LeftBehind || len(f.Left) != 1 || f.Left[0].ID != b.d.Package.URI || f.Remedy != nil {
		t.Errorf("%v, %+v", err, f)
	}
	if len(b.Jobs.Jobs) > 0 {
		t.Error("the job holds up for ever")
	}
	if _, err := b.kill(t.Context(), KillOptions{}); outcome.KindOf(err) != outcome.NotFound {
		t.Errorf("again: %v", err)
	}
}

func TestKillDoesNotLookElsewhere(t *testing.T) {
	for _, c := range []struct {
		region, namespace string
		thenRegion, then  string
		want              string
	}{
		{"", "ads", "", "", `runs in Nomad's namespace "ads", not "default"`},
		{"", "", "", "ads", `runs in Nomad's namespace "default", not "ads"`},
		{"eu", "", "us", "", `runs in Nomad's region "eu", not "us"`},
		{"eu", "ads", "", "ads", ""},
		{"", "", "us", "default", ""},
	} {
		b := newBench(t)
		b.Settings.Nomad.Region, b.Settings.Nomad.Namespace = c.region, c.namespace
		b.d = b.manifest("words1234")
		b.Must(b.submit(t.Context()))
		there := len(b.Left())
		b.Settings.Nomad.Region, b.Settings.Nomad.Namespace = c.thenRegion, c.then
		_, err := b.kill(t.Context(), KillOptions{})
		if c.want == "" {
			if err != nil || len(b.Left()) > 0 {
				t.Errorf("%+v: %v, left %v", c, err, b.Left())
			}
			continue
		}
		if outcome.KindOf(err) != outcome.Usage || !strings.Contains(err.Error(), c.want) || len(b.Left()) != there {
			t.Errorf("%+v: kind %s, %v; left %v of %d", c, outcome.KindOf(err), err, b.Left(), there)
		}
	}
}
