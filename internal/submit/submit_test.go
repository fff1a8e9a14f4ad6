package submit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
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
	if job := b.jobs.jobs["heron.nomad.words"]; job == nil || job.Meta[jobspec.MetaTopologyID] != "words1234" {
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
	if got := b.jobs.jobs["heron.nomad.words"].Meta[jobspec.MetaTopologyID]; got != "words1234" {
		t.Errorf("the job is of %s", got)
	}
}

func TestASecondSubmissionWaitsForItsTurn(t *testing.T) {
	for name, second := range map[string]func(b *bench) *Deployment{
		"of another id":  func(b *bench) *Deployment { return b.deployment("words5678") },
		"of the same id": func(b *bench) *Deployment { return b.deployment("words1234") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			other := second(b)
			var refused error
			b.uploader.upload = func() error {
				b.uploader.upload = nil
				_, refused = Submit(t.Context(), b.env, other, Options{})
				return nil
			}
			b.must(b.submit(t.Context()))
			if ExitCode(refused) != ExitExists || !strings.Contains(fmt.Sprint(refused), "submit of user ann on ") {
				t.Errorf("the second: exit code %d, %v", ExitCode(refused), refused)
			}
			b.wantWhole()
		})
	}
}

func TestTwoSubmissionsThatPassTheirChecksTogether(t *testing.T) {
	b := newBench(t)
	other := b.deployment("words5678")
	var refused error
	b.jobs.before = func(method string) error {
		if method == "Forecast" {
			b.jobs.before = nil
			// The second is done before the first goes on from its checks.
			_, refused = Submit(t.Context(), b.env, other, Options{})
		}
		return nil
	}
	if err := b.submit(t.Context()); err == nil || refused != nil {
		t.Errorf("the first: %v, the second: %v", err, refused)
	}
	b.d = other
	b.wantWhole()
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
