package submit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// wantWhole checks that the bench's deployment is there, and nothing else.
func (b *bench) wantWhole() {
	b.T.Helper()
	for _, op := range b.d.State {
		node, err := b.Store.Read(b.T.Context(), op.Path)
		if err != nil || string(node.Data) != string(op.Data) {
			b.T.Errorf("%s: %v, or not what was decided", op.Path, err)
		}
	}
	if job := b.Jobs.Jobs[*b.d.Job.ID]; len(b.Jobs.Jobs) != 1 || job == nil || job.Meta[jobspec.MetaTopologyID] != b.d.Definition.ID() {
		b.T.Errorf("jobs: %v", b.Jobs.Jobs)
	}
	b.wantPackages(strings.TrimPrefix(b.d.Package.URI, "file://"))
	for _, line := range b.Left() {
		if strings.Contains(line, "/operations/") || strings.Contains(line, "/owners/") {
			b.T.Errorf("left: %s", line)
		}
	}
}

// wantPackages checks which files there are in the package folder.
func (b *bench) wantPackages(want ...string) {
	b.T.Helper()
	var got []string
	_ = filepath.WalkDir(b.Packages, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			got = append(got, path)
		}
		return nil
	})
	if !slices.Equal(got, want) {
		b.T.Errorf("packages: %v, want %v", got, want)
	}
}

// crashes runs f after a submission that died at each of its calls, before and
// behind it.
func crashes(t *testing.T, f func(b *bench)) {
	for _, after := range []bool{false, true} {
		for at, died := 1, true; died; at++ {
			b := newBench(t)
			env, m := b.Mortal(at, after)
			_, err := submitTo(t.Context(), env, b.d)
			if died = m.Dead; !died {
				b.Must(err)
				if at < 9 {
					t.Fatalf("a submission has only %d calls", at-1)
				}
				b.wantWhole()
				break
			}
			t.Run(fmt.Sprintf("%d-%v", at, after), func(t *testing.T) {
				b.T = t
				b.Cluster.Progress = b.Log
				f(b)
			})
		}
	}
}

// complete says that the dead submission had registered its job.
func (b *bench) complete() bool { return len(b.Jobs.Jobs) > 0 }

func TestTheSameSubmitAgainGoesOnAfterACrash(t *testing.T) {
	crashes(t, func(b *bench) {
		complete := b.complete()
		err := b.submit(b.T.Context())
		if complete && outcome.KindOf(err) != outcome.Exists || !complete && err != nil {
			b.T.Errorf("complete before: %v, kind %s, %v", complete, outcome.KindOf(err), err)
		}
		b.wantWhole()
	})
}

func TestAnotherSubmitRemovesWhatACrashLeft(t *testing.T) {
	crashes(t, func(b *bench) {
		complete := b.complete()
		first := b.d
		b.d = b.manifest("words5678")
		err := b.submit(b.T.Context())
		if complete {
			b.d = first
		}
		if complete && outcome.KindOf(err) != outcome.Exists || !complete && err != nil {
			b.T.Errorf("complete before: %v, kind %s, %v", complete, outcome.KindOf(err), err)
		}
		b.wantWhole()
	})
}

func TestKillRemovesWhatACrashLeft(t *testing.T) {
	crashes(t, func(b *bench) {
		if _, err := b.kill(b.T.Context(), lifecycle.KillOptions{IgnoreMissing: true}); err != nil {
			b.T.Error(err)
		}
		if left := b.Left(); len(left) > 0 {
			b.T.Errorf("left: %v", left)
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
				env, _ := b.Mortal(7, false) // in the state, or near it
				_, _ = submitTo(t.Context(), env, b.d)
				b.d = b.manifest(id)
				env, m := b.Mortal(at, true)
				_, err := submitTo(t.Context(), env, b.d)
				if !m.Dead {
					b.Must(err)
					return
				}
				third := b.manifest("words9999")
				complete, second := b.complete(), b.d
				b.d = third
				err = b.submit(t.Context())
				if complete {
					b.d = second
				}
				if complete && outcome.KindOf(err) != outcome.Exists || !complete && err != nil {
					t.Errorf("at %d, complete before: %v, kind %s, %v", at, complete, outcome.KindOf(err), err)
				}
				b.wantWhole()
			}
		})
	}
}

func TestKillRefusesWhileASubmitIsUnderWay(t *testing.T) {
	b := newBench(t)
	b.Uploader.OnUpload = func() error {
		if _, err := b.kill(t.Context(), lifecycle.KillOptions{}); outcome.KindOf(err) != outcome.Busy || !strings.Contains(fmt.Sprint(err), "is under way") {
			t.Errorf("kind %s, %v", outcome.KindOf(err), err)
		}
		return nil
	}
	b.Must(b.submit(t.Context()))
	b.wantWhole()
}

// takeover makes the rest of the world take the owner of the bench's
// submission for dead, as the servers do when its session ends.
func (b *bench) takeover() {
	b.T.Helper()
	names, err := b.Store.Children(b.T.Context(), b.Cluster.State.Owners())
	b.Must(err)
	for _, name := range names {
		b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(b.Cluster.State.Owners()+"/"+name)))
	}
}

// A process that was only paused comes back when somebody else has taken over.
func TestASubmitThatWasTakenForDeadTouchesNothingMore(t *testing.T) {
	for name, id := range map[string]string{"went on": "words1234", "began anew": "words5678"} {
		for _, when := range []string{"upload", "register, before", "register, after"} {
			t.Run(name+" at "+when, func(t *testing.T) {
				b := newBench(t)
				second := b.manifest(id)
				other := b.Cluster
				other.Uploader = b.Uploader.Uploader
				pause := once2(func() {
					b.takeover()
					_, err := submitTo(t.Context(), other, second)
					if err != nil && (when != "register, after" || outcome.KindOf(err) != outcome.Exists) {
						t.Errorf("the second: %v", err)
					}
				})
				switch when {
				case "upload":
					b.Uploader.OnUpload = func() error { pause(); return nil }
				case "register, before":
					b.Jobs.Before = func(m string) error {
						if m == "RegisterNew" {
							pause()
						}
						return nil
					}
				case "register, after":
					b.Jobs.After = func(m string) error {
						if m == "RegisterNew" {
							pause()
						}
						return nil
					}
				}
				err := b.submit(t.Context())
				t.Logf("the first: %v", err)
				if when == "upload" && outcome.KindOf(err) != outcome.Busy {
					t.Errorf("kind %s", outcome.KindOf(err))
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
