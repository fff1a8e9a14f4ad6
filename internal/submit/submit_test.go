package submit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
)

func TestSubmitWritesPackageStateAndJob(t *testing.T) {
	b := newBench(t)
	done, err := submitTo(t.Context(), b.Cluster, b.d)
	if err != nil {
		t.Fatal(err)
	}
	if done.Containers != 3 || done.Job != "heron.nomad.words" || done.ID != "words1234" {
		t.Errorf("result %+v", done)
	}
	for _, op := range b.d.State {
		node, err := b.Store.Read(t.Context(), op.Path)
		if err != nil || string(node.Data) != string(op.Data) {
			t.Errorf("%s: %v, or not what was decided", op.Path, err)
		}
	}
	if job := b.Jobs.Jobs["heron.nomad.words"]; job == nil || job.Meta[jobspec.MetaTopologyID] != "words1234" {
		t.Errorf("job %+v", job)
	}
	for _, dir := range b.Cluster.State.Dirs() {
		if _, err := b.Store.Children(t.Context(), dir); err != nil {
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
		"upload":             func(f func() error) { b.Uploader.OnUpload = f },
		"state":              func(f func() error) { b.Store.Before = f },
		"register":           func(f func() error) { b.Jobs.Before = only("RegisterNew", f) },
		"register, too late": func(f func() error) { b.Jobs.After = only("RegisterNew", f) },
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
			if !errors.Is(err, errBroken) || outcome.KindOf(err) != outcome.Undone {
				t.Errorf("kind %s, error %v", outcome.KindOf(err), err)
			}
			if left := b.Left(); len(left) > 0 {
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
			b.Store.Before = nil
			if name == "state" {
				faults(b)[name](once(func() error { cancel(); return context.Canceled }()))
			}
			err := b.submit(ctx)
			if outcome.KindOf(err) != outcome.Interrupted {
				t.Errorf("kind %s, error %v", outcome.KindOf(err), err)
			}
			if left := b.Left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestSubmitNamesWhatItCouldNotUndo(t *testing.T) {
	b := newBench(t)
	b.Jobs.Before = func(m string) error {
		if m == "RegisterNew" {
			// From here on the package cannot be removed either.
			b.Uploader.OnDelete = func() error { return errBroken }
			return errBroken
		}
		return nil
	}
	err := b.submit(t.Context())
	if outcome.KindOf(err) != outcome.LeftBehind {
		t.Fatalf("kind %s, error %v", outcome.KindOf(err), err)
	}
	var f *operation.Failure
	if !errors.As(err, &f) || len(f.Left) != 1 || f.Left[0].Kind != outcome.Package || !strings.HasPrefix(f.Left[0].ID, "nomad/ads/prod/words/words1234/") {
		t.Fatalf("left: %+v", f)
	}
	if len(f.Undone) != 1 || f.Undone[0] != b.Cluster.StateResource("words") || f.Remedy == nil || *f.Remedy != b.Cluster.KillRemedy("words") {
		t.Errorf("undone %v, remedy %v", f.Undone, f.Remedy)
	}
}

func TestSubmitNamesWhatAnUploadLeft(t *testing.T) {
	b := newBench(t)
	b.Uploader.OnUpload = func() error {
		return fmt.Errorf("twice: %w", &uploader.LeftoverError{What: outcome.Resource{Kind: outcome.Package, ID: "x"}, Why: "no answer", Err: uploader.ErrUnreachable})
	}
	err := b.submit(t.Context())
	var f *operation.Failure
	if !errors.As(err, &f) || f.Kind() != outcome.LeftBehind || !errors.Is(err, uploader.ErrUnreachable) || len(f.Left) != 1 || f.Left[0].ID != "x" || f.Left[0].Why != "no answer" {
		t.Errorf("kind %s, error %v", outcome.KindOf(err), err)
	}
}

func TestSubmitTakesALostReplyForWhatItWas(t *testing.T) {
	b := newBench(t)
	b.Store.After = once(fmt.Errorf("no answer: %w", statemgr.ErrUnreachable))
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
		{"a topology", func(b *bench) { b.Must(b.submit(b.T.Context())) }, "already exists"},
		{"a part of its state", func(b *bench) {
			b.Must(b.Store.EnsureDirs(b.T.Context(), b.Cluster.State.Dirs()...))
			b.Must(b.Store.Apply(b.T.Context(), statemgr.Create(b.Cluster.State.PackingPlan("words"), []byte("x"))))
		}, "left of an earlier topology"},
		{"its job", func(b *bench) { b.Jobs.Put(b.d.Job) }, "is running although the state"},
		{"a foreign job", func(b *bench) { b.Jobs.Put(&api.Job{ID: &id}) }, "is not a topology of this cluster"},
		{"a foreign job that is stopped", func(b *bench) { b.Jobs.Put(&api.Job{ID: &id, Stop: &stop}) }, "is not a topology of this cluster"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.set(b)
			before := b.Left()
			b.d = b.manifest("words5678")
			err := b.submit(t.Context())
			if outcome.KindOf(err) != outcome.Exists || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("kind %s, error %v", outcome.KindOf(err), err)
			}
			if after := b.Left(); strings.Join(before, " ") != strings.Join(after, " ") {
				t.Errorf("before: %v, after: %v", before, after)
			}
		})
	}
}

func TestSubmitTakesAStoppedJobOfItsOwnOver(t *testing.T) {
	b := newBench(t)
	old := b.manifest("words0000").Job
	stop := true
	old.Stop = &stop
	b.Jobs.Put(old)
	b.Must(b.submit(t.Context()))
	if got := b.Jobs.Jobs["heron.nomad.words"].Meta[jobspec.MetaTopologyID]; got != "words1234" {
		t.Errorf("the job is of %s", got)
	}
}

func TestASecondSubmissionWaitsForItsTurn(t *testing.T) {
	for name, second := range map[string]func(b *bench) *Manifest{
		"of another id":  func(b *bench) *Manifest { return b.manifest("words5678") },
		"of the same id": func(b *bench) *Manifest { return b.manifest("words1234") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			other := second(b)
			var refused error
			b.Uploader.OnUpload = func() error {
				b.Uploader.OnUpload = nil
				_, refused = submitTo(t.Context(), b.Cluster, other)
				return nil
			}
			b.Must(b.submit(t.Context()))
			if outcome.KindOf(refused) != outcome.Busy || !strings.Contains(fmt.Sprint(refused), "submit of user ann on ") {
				t.Errorf("the second: kind %s, %v", outcome.KindOf(refused), refused)
			}
			b.wantWhole()
		})
	}
}

func TestTwoSubmissionsThatPassTheirChecksTogether(t *testing.T) {
	b := newBench(t)
	other := b.manifest("words5678")
	var refused error
	b.Jobs.Before = func(method string) error {
		if method == "Forecast" {
			b.Jobs.Before = nil
			// The second is done before the first goes on from its checks.
			_, refused = submitTo(t.Context(), b.Cluster, other)
		}
		return nil
	}
	if err := b.submit(t.Context()); outcome.KindOf(err) != outcome.Busy || refused != nil {
		t.Errorf("the first: %v, the second: %v", err, refused)
	}
	b.d = other
	b.wantWhole()
}

func TestAllAreCheckedBeforeTheFirstIsSubmitted(t *testing.T) {
	b := newBench(t)
	b.Must(b.Store.EnsureDirs(t.Context(), b.Cluster.State.Dirs()...))
	first := clustertest.Words("first1").Proto()
	first.Name = proto.String("first")
	in := b.d.in
	in.Definition = topology.FromProto(first)
	d, err := NewManifest(in)
	b.Must(err)
	b.Must(b.submit(t.Context()))
	done, err := submitAll(t.Context(), b.Cluster, d, b.d)
	if outcome.KindOf(err) != outcome.Exists || len(done) > 0 {
		t.Errorf("kind %s, %v, %v", outcome.KindOf(err), err, done)
	}
	if _, err := b.Store.Read(t.Context(), b.Cluster.State.Topology("first")); err == nil {
		t.Error("the first one was submitted")
	}
}

func TestNothingIsTouchedWithoutTheRightToGoOn(t *testing.T) {
	b := newBench(t)
	denied := func() error { return statemgr.ErrDenied }
	b.Store.Rights = denied
	if err := b.submit(t.Context()); !errors.Is(err, statemgr.ErrDenied) || outcome.KindOf(err) != outcome.Denied {
		t.Errorf("submit: kind %s, %v", outcome.KindOf(err), err)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	b.Store.Rights = nil
	if err := b.submit(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Store.Rights = denied
	_, err := b.kill(t.Context(), lifecycle.KillOptions{})
	if !errors.Is(err, statemgr.ErrDenied) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("kill: %v", err)
	}
	if job := b.Jobs.Jobs[*b.d.Job.ID]; job == nil || job.Stop != nil && *job.Stop {
		t.Errorf("the job is %v", job)
	}
}
