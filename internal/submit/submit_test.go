package submit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
)

func TestSubmitWritesPackageStateAndJob(t *testing.T) {
	b := newBench(t)
	done, err := Submit(t.Context(), b.env, b.d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if done.Containers != 3 || done.Job != "heron.nomad.words" || done.ID != "words1234" {
		t.Errorf("result %+v", done)
	}
	for _, op := range b.d.State {
		node, err := b.store.Read(t.Context(), op.Path)
		if err != nil || string(node.Data) != string(op.Data) {
			t.Errorf("%s: %v, or not what was decided", op.Path, err)
		}
	}
	if job := b.jobs.jobs["heron.nomad.words"]; job == nil || job.Meta[nomad.MetaTopologyID] != "words1234" {
		t.Errorf("job %+v", job)
	}
	for _, dir := range b.layout.Dirs() {
		if _, err := b.store.Children(t.Context(), dir); err != nil {
			t.Errorf("directory %s: %v", dir, err)
		}
	}
}

// faults are the places at which a submission can fail, with what it has
// undone by its end.
func faults(b *bench) map[string]func(fail func() error) {
	only := func(method string, fail func() error) func(string) error {
		return func(m string) error {
			if m == method {
				return fail()
			}
			return nil
		}
	}
	return map[string]func(func() error){
		"upload":             func(f func() error) { b.uploader.upload = f },
		"state":              func(f func() error) { b.store.before = f },
		"register":           func(f func() error) { b.jobs.before = only("RegisterNew", f) },
		"register, too late": func(f func() error) { b.jobs.after = only("RegisterNew", f) },
	}
}

func once(err error) func() error {
	failed := false
	return func() error {
		if failed {
			return nil
		}
		failed = true
		return err
	}
}

func TestSubmitUndoesEverythingAfterAFailure(t *testing.T) {
	for name := range faults(newBench(t)) {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			faults(b)[name](once(errBroken))
			err := b.submit(t.Context())
			if !errors.Is(err, errBroken) || ExitCode(err) != ExitUndone {
				t.Errorf("exit code %d, error %v", ExitCode(err), err)
			}
			if left := b.left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestSubmitUndoesEverythingWhenInterrupted(t *testing.T) {
	for name := range faults(newBench(t)) {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			ctx, cancel := context.WithCancel(t.Context())
			faults(b)[name](func() error { cancel(); return ctx.Err() })
			// The undo must work although the interrupt stays.
			b.store.before = nil
			if name == "state" {
				faults(b)[name](once(func() error { cancel(); return context.Canceled }()))
			}
			err := b.submit(ctx)
			if ExitCode(err) != ExitInterrupted {
				t.Errorf("exit code %d, error %v", ExitCode(err), err)
			}
			if left := b.left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestSubmitNamesWhatItCouldNotUndo(t *testing.T) {
	b := newBench(t)
	b.jobs.before = func(m string) error {
		if m == "RegisterNew" {
			// From here on the package cannot be removed either.
			b.uploader.remove = func() error { return errBroken }
			return errBroken
		}
		return nil
	}
	err := b.submit(t.Context())
	if ExitCode(err) != ExitLeft {
		t.Fatalf("exit code %d, error %v", ExitCode(err), err)
	}
	for _, text := range []string{"still there: package nomad/ads/prod/words/words1234/", "heron kill nomad/ads/prod words", "undone: state of topology words"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

func TestSubmitNamesWhatAnUploadLeft(t *testing.T) {
	b := newBench(t)
	b.uploader.upload = func() error {
		return fmt.Errorf("twice: %w", &uploader.LeftoverError{What: "a copy at x", Why: "no answer", Err: uploader.ErrUnreachable})
	}
	err := b.submit(t.Context())
	if ExitCode(err) != ExitLeft || !errors.Is(err, uploader.ErrUnreachable) || !strings.Contains(err.Error(), "still there: a copy at x (no answer)") {
		t.Errorf("exit code %d, error %v", ExitCode(err), err)
	}
}

func TestSubmitTakesALostReplyForWhatItWas(t *testing.T) {
	b := newBench(t)
	b.store.after = once(fmt.Errorf("no answer: %w", statemgr.ErrUnreachable))
	if err := b.submit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSubmitRefusesWhatIsThere(t *testing.T) {
	stop := true
	id := "heron.nomad.words"
	for _, c := range []struct {
		name string
		set  func(b *bench)
		says string
	}{
		{"a topology", func(b *bench) { b.must(b.submit(b.t.Context())) }, "already exists"},
		{"a part of its state", func(b *bench) {
			b.must(b.store.EnsureDirs(b.t.Context(), b.layout.Dirs()...))
			b.must(b.store.Apply(b.t.Context(), statemgr.Create(b.layout.PackingPlan("words"), []byte("x"))))
		}, "left of an earlier topology"},
		{"its job", func(b *bench) { b.jobs.put(b.d.Job) }, "runs although the state"},
		{"a foreign job", func(b *bench) { b.jobs.put(&api.Job{ID: &id}) }, "is not a topology of this cluster"},
		{"a foreign job that is stopped", func(b *bench) { b.jobs.put(&api.Job{ID: &id, Stop: &stop}) }, "is not a topology of this cluster"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.set(b)
			before := b.left()
			b.d = b.deployment("words5678")
			err := b.submit(t.Context())
			if ExitCode(err) != ExitExists || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("exit code %d, error %v", ExitCode(err), err)
			}
			if after := b.left(); strings.Join(before, " ") != strings.Join(after, " ") {
				t.Errorf("before: %v, after: %v", before, after)
			}
		})
	}
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestSubmitTakesAStoppedJobOfItsOwnOver(t *testing.T) {
	b := newBench(t)
	old := b.deployment("words0000").Job
	stop := true
	old.Stop = &stop
	b.jobs.put(old)
	b.must(b.submit(t.Context()))
	if got := b.jobs.jobs["heron.nomad.words"].Meta[nomad.MetaTopologyID]; got != "words1234" {
		t.Errorf("the job is of %s", got)
	}
}

func TestTwoSubmissionsOfOneNameLeaveTheFirst(t *testing.T) {
	b := newBench(t)
	second := b.deployment("words5678")
	// The second one passes its checks before the first one writes.
	b.uploader.upload = func() error {
		b.uploader.upload = nil
		_, err := Submit(t.Context(), b.env, second, Options{})
		return err
	}
	err := b.submit(t.Context())
	if ExitCode(err) != ExitUndone || !errors.Is(err, statemgr.ErrExists) {
		t.Errorf("exit code %d, error %v", ExitCode(err), err)
	}
	if got := b.jobs.jobs["heron.nomad.words"].Meta[nomad.MetaTopologyID]; got != "words5678" {
		t.Errorf("the job is of %s", got)
	}
	node, err := b.store.Read(t.Context(), b.layout.Deployment("words"))
	if err != nil || !strings.Contains(string(node.Data), "words5678") {
		t.Errorf("the record is %s, %v", node.Data, err)
	}
}

func TestALosingSubmissionOfTheSameIDTouchesNothingOfTheWinner(t *testing.T) {
	b := newBench(t)
	// Both have one id and one package; the other one is a second later.
	other := *b.d
	other.in.Now = other.in.Now.Add(time.Second)
	second, err := other.at(b.d.Package)
	b.must(err)
	b.uploader.upload = func() error {
		b.uploader.upload = nil
		_, err := Submit(t.Context(), b.env, second, Options{})
		return err
	}
	if err := b.submit(t.Context()); ExitCode(err) != ExitUndone {
		t.Errorf("exit code %d, %v", ExitCode(err), err)
	}
	for _, op := range second.State {
		node, err := b.store.Read(t.Context(), op.Path)
		if err != nil || string(node.Data) != string(op.Data) {
			t.Errorf("the winner's %s: %v", op.Path, err)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(b.packages, "*/*/*/*/*/*.tar.gz")); len(files) != 1 {
		t.Errorf("packages: %v, want the winner's", files)
	}
	if len(b.jobs.jobs) != 1 {
		t.Errorf("jobs: %v", b.jobs.jobs)
	}
}

func TestAllAreCheckedBeforeTheFirstIsSubmitted(t *testing.T) {
	b := newBench(t)
	b.must(b.store.EnsureDirs(t.Context(), b.layout.Dirs()...))
	first := words("first1").Proto()
	first.Name = proto.String("first")
	in := b.d.in
	in.Definition = topology.FromProto(first)
	d, err := Decide(in)
	b.must(err)
	b.must(b.submit(t.Context()))
	done, err := All(t.Context(), b.env, []*Deployment{d, b.d}, Options{})
	if ExitCode(err) != ExitExists || len(done) > 0 {
		t.Errorf("exit code %d, %v, %v", ExitCode(err), err, done)
	}
	if _, err := b.store.Read(t.Context(), b.layout.Topology("first")); err == nil {
		t.Error("the first one was submitted")
	}
}

func TestNothingIsTouchedWithoutTheRightToGoOn(t *testing.T) {
	b := newBench(t)
	denied := func() error { return statemgr.ErrDenied }
	b.store.rights = denied
	if err := b.submit(t.Context()); !errors.Is(err, statemgr.ErrDenied) || ExitCode(err) != ExitFailure {
		t.Errorf("submit: exit code %d, %v", ExitCode(err), err)
	}
	if left := b.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	b.store.rights = nil
	if err := b.submit(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.store.rights = denied
	_, err := b.kill(t.Context(), KillOptions{})
	if !errors.Is(err, statemgr.ErrDenied) || !strings.Contains(err.Error(), "nothing was touched") {
		t.Errorf("kill: %v", err)
	}
	if job := b.jobs.jobs[*b.d.Job.ID]; job == nil || job.Stop != nil && *job.Stop {
		t.Errorf("the job is %v", job)
	}
}
