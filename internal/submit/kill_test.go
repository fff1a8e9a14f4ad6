package submit

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

func TestKillRemovesEverything(t *testing.T) {
	b := newBench(t)
	b.must(b.submit(t.Context()))
	done, err := b.kill(t.Context(), KillOptions{})
	if err != nil || !done.Found {
		t.Fatalf("%+v, %v", done, err)
	}
	if left := b.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	order := strings.Join(b.jobs.calls, " ")
	if !strings.Contains(order, "Stop WaitStopped PurgeOwned") {
		t.Errorf("Nomad was asked for %s", order)
	}
}

func TestKillOfNothing(t *testing.T) {
	b := newBench(t)
	_, err := b.kill(t.Context(), KillOptions{})
	if ExitCode(err) != ExitNotFound {
		t.Errorf("exit code %d, error %v", ExitCode(err), err)
	}
	done, err := b.kill(t.Context(), KillOptions{IgnoreMissing: true})
	if err != nil || done.Found {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestKillWorksWhenAPartIsGone(t *testing.T) {
	for name, lose := range map[string]func(b *bench){
		"the job":     func(b *bench) { clear(b.jobs.jobs) },
		"the package": func(b *bench) { b.must(b.uploader.Delete(b.t.Context(), b.d.Package.URI)) },
		"the state": func(b *bench) {
			b.must(statemgr.DeleteTopology(b.t.Context(), b.store, b.layout, "words", true))
		},
		"the definition": func(b *bench) {
			b.must(b.store.Apply(b.t.Context(), statemgr.Delete(b.layout.Topology("words"))))
		},
		"the record": func(b *bench) {
			b.must(b.store.Apply(b.t.Context(), statemgr.Delete(b.layout.Deployment("words"))))
		},
		"the execution state": func(b *bench) {
			b.must(b.store.Apply(b.t.Context(), statemgr.Delete(b.layout.ExecutionState("words"))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.must(b.submit(t.Context()))
			lose(b)
			if _, err := b.kill(t.Context(), KillOptions{}); err != nil {
				t.Error(err)
			}
			if left := b.left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestKillGoesOnWhereItFailed(t *testing.T) {
	for _, method := range []string{"Stop", "WaitStopped", "state", "package", "PurgeOwned"} {
		t.Run(method, func(t *testing.T) {
			b := newBench(t)
			b.must(b.submit(t.Context()))
			failing := true
			fail := func() error {
				if failing {
					return errBroken
				}
				return nil
			}
			b.store.before = func() error {
				if method == "state" {
					return fail()
				}
				return nil
			}
			b.uploader.remove = func() error {
				if method == "package" {
					return fail()
				}
				return nil
			}
			b.jobs.before = func(m string) error {
				if m == method {
					return fail()
				}
				return nil
			}
			_, err := b.kill(t.Context(), KillOptions{})
			want := ExitLeft
			if method == "Stop" {
				want = ExitFailure // nothing was changed
			}
			if ExitCode(err) != want {
				t.Errorf("exit code %d, want %d: %v", ExitCode(err), want, err)
			}
			if want == ExitLeft && !strings.Contains(fmt.Sprint(err), "heron kill nomad/ads/prod words") {
				t.Errorf("%v does not say how to go on", err)
			}
			failing = false
			if _, err := b.kill(t.Context(), KillOptions{}); err != nil {
				t.Error(err)
			}
			if left := b.left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestInterruptedKill(t *testing.T) {
	b := newBench(t)
	b.must(b.submit(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.kill(ctx, KillOptions{}); ExitCode(err) != ExitInterrupted {
		t.Errorf("before anything: exit code %d, %v", ExitCode(err), err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	b.jobs.after = func(m string) error {
		if m == "Stop" {
			cancel()
		}
		return nil
	}
	if _, err := b.kill(ctx, KillOptions{}); ExitCode(err) != ExitLeft {
		t.Errorf("in the middle: exit code %d, %v", ExitCode(err), err)
	}
}

func TestKillTouchesOnlyWhatItWasAskedFor(t *testing.T) {
	b := newBench(t)
	b.must(b.submit(t.Context()))
	before := b.left()

	b.settings.Role = "others"
	_, err := b.kill(t.Context(), KillOptions{})
	if ExitCode(err) != ExitInput || !strings.Contains(fmt.Sprint(err), "runs at nomad/ads/prod") {
		t.Errorf("another role: exit code %d, %v", ExitCode(err), err)
	}
	b.settings.Role = "ads"

	id := "heron.nomad.words"
	b.jobs.put(&api.Job{ID: &id, Meta: map[string]string{"of": "somebody else"}})
	if _, err = b.kill(t.Context(), KillOptions{}); ExitCode(err) != ExitExists {
		t.Errorf("a foreign job: exit code %d, %v", ExitCode(err), err)
	}
	if after := b.left(); strings.Join(before, " ") != strings.Join(after, " ") {
		t.Errorf("before: %v, after: %v", before, after)
	}
}

func TestKillEndsTopologiesOfTheOriginalClient(t *testing.T) {
	b := newBench(t)
	b.must(b.submit(t.Context()))
	delete(b.jobs.jobs, "heron.nomad.words")
	b.must(b.store.Apply(t.Context(), statemgr.Delete(b.layout.Deployment("words"))))
	for _, id := range []string{"words1234-0", "words1234-1", "words9999-0"} {
		b.jobs.put(&api.Job{ID: &id, Meta: map[string]string{
			jobspec.MetaTopologyName: "words", jobspec.MetaTopologyID: strings.TrimRight(id[:9], "-"),
		}})
	}
	if _, err := b.kill(t.Context(), KillOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(b.jobs.jobs) != 1 || b.jobs.jobs["words9999-0"] == nil {
		t.Errorf("jobs that are left: %v; only that of another run should be", b.jobs.jobs)
	}
}

func TestKillKeepsCheckpointsUnlessAsked(t *testing.T) {
	for _, purge := range []bool{false, true} {
		b := newBench(t)
		b.must(b.submit(t.Context()))
		path := b.layout.Checkpoints("words")
		b.must(b.store.Apply(t.Context(), statemgr.Create(path, []byte("x"))))
		if _, err := b.kill(t.Context(), KillOptions{PurgeCheckpoints: purge}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.Read(t.Context(), path); (err != nil) != purge {
			t.Errorf("purge %v: reading the checkpoints gives %v", purge, err)
		}
	}
}

func TestKillDoesNotTouchATopologySubmittedMeanwhile(t *testing.T) {
	b := newBench(t)
	b.must(b.submit(t.Context()))
	b.jobs.after = func(m string) error {
		if m == "WaitStopped" {
			b.jobs.after = nil
			b.must(statemgr.DeleteTopology(t.Context(), b.store, b.layout, "words", true))
			clear(b.jobs.jobs)
			b.d = b.deployment("words5678")
			b.must(b.submit(t.Context()))
		}
		return nil
	}
	_, err := b.kill(t.Context(), KillOptions{})
	if err == nil || !strings.Contains(err.Error(), "submitted anew in the meantime, as words5678") {
		t.Errorf("error %v", err)
	}
	for _, op := range b.d.State {
		if _, err := b.store.Read(t.Context(), op.Path); err != nil {
			t.Errorf("the new topology has lost %s: %v", op.Path, err)
		}
	}
}

func TestKillGoesOnWhenThePackageIsOutOfReach(t *testing.T) {
	b := newBench(t)
	b.must(b.submit(t.Context()))
	b.uploader.remove = func() error { return fmt.Errorf("there: %w", uploader.ErrForeign) }
	_, err := b.kill(t.Context(), KillOptions{Flags: "--config-path /x"})
	if ExitCode(err) != ExitLeft || !strings.Contains(err.Error(), "package "+b.d.Package.URI) {
		t.Errorf("exit code %d, %v", ExitCode(err), err)
	}
	if len(b.jobs.jobs) > 0 {
		t.Error("the job holds up for ever")
	}
	if _, err := b.kill(t.Context(), KillOptions{}); ExitCode(err) != ExitNotFound {
		t.Errorf("again: %v", err)
	}
}
