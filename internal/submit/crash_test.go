package submit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// wantWhole checks that the bench's deployment is there, and nothing else.
func (b *bench) wantWhole() {
	b.t.Helper()
	for _, op := range b.d.State {
		node, err := b.store.Read(b.t.Context(), op.Path)
		if err != nil || string(node.Data) != string(op.Data) {
			b.t.Errorf("%s: %v, or not what was decided", op.Path, err)
		}
	}
	if job := b.jobs.jobs[*b.d.Job.ID]; len(b.jobs.jobs) != 1 || job == nil || job.Meta[jobspec.MetaTopologyID] != b.d.Definition.ID() {
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
