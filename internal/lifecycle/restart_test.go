package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

const wordsJob = "heron.nomad.words"

// every restarts all containers of words, one after the other.
func every() RestartOptions {
	return RestartOptions{Container: AllContainers, Batch: 1, BatchTimeout: patient, grace: 50 * time.Millisecond}
}

func only(index int) RestartOptions {
	opts := every()
	opts.Container = index
	return opts
}

func (b *bench) restart(ctx context.Context, opts RestartOptions) (*Restarted, error) {
	return Restart(ctx, b.Cluster, "words", opts)
}

// upWithContainers is a topology of three containers. Its TManager and stream
// managers register when they are started.
func upWithContainers(t *testing.T) (*bench, *clustertest.TManager) {
	t.Helper()
	b, m := up(t, running)
	b.Jobs.OnPlace = func(c *nomad.Container) {
		if c.Index == 0 {
			m.Locate("words1234")
		}
		m.Store("words1234", running)
	}
	return b, m
}

// restarts says how often each container was restarted in place, and which were
// replaced since.
func (b *bench) restarts(jobID string, before map[int]nomad.Container) string {
	b.T.Helper()
	var parts []string
	now := b.Jobs.Wanted(jobID)
	for index := range len(before) {
		c := now[index]
		text := fmt.Sprint(c.Restarts)
		if c.ID != before[index].ID {
			text = "new"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

func (r *Restarted) how() string {
	var parts []string
	for _, c := range r.Containers {
		parts = append(parts, fmt.Sprintf("%d %s", c.Index, c.How))
	}
	return strings.Join(parts, ", ")
}

func TestRestart(t *testing.T) {
	component := every()
	component.Component = "bolt"
	waiting := every()
	waiting.Wait = patient
	together := every()
	together.Batch = 10
	for name, c := range map[string]struct {
		opts      RestartOptions
		want, how string
	}{
		"all":         {every(), "1 1 1", "0 in_place, 1 in_place, 2 in_place"},
		"one":         {only(2), "0 0 1", "2 in_place"},
		"container 0": {only(0), "1 0 0", "0 in_place"},
		"a component": {component, "0 1 1", "1 in_place, 2 in_place"},
		"with a wait": {waiting, "1 1 1", "0 in_place, 1 in_place, 2 in_place"},
		"together":    {together, "1 1 1", "0 in_place, 1 in_place, 2 in_place"},
	} {
		b, _ := upWithContainers(t)
		before := b.Jobs.Wanted(wordsJob)
		got, err := b.restart(t.Context(), c.opts)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if now := b.restarts(wordsJob, before); now != c.want || got.how() != c.how || got.ID != "words1234" || got.Continued || got.Running != (c.opts.Wait > 0) {
			t.Errorf("%s: restarts %s, want %s; %+v", name, now, c.want, got)
		}
		b.wantNoClaim()
	}
}

// What does not run is replaced: a container that waits to be started, and one
// that failed.
func TestRestartOfWhatDoesNotRun(t *testing.T) {
	for name, status := range map[string]string{"pending": api.AllocClientStatusPending, "failed": api.AllocClientStatusFailed} {
		b, _ := upWithContainers(t)
		before := b.Jobs.Wanted(wordsJob)
		b.Jobs.Change(wordsJob, func(c *nomad.Container) {
			if c.Index > 0 {
				c.Status, c.Failure = status, "failed: exit code 7"
			}
		})
		opts := every()
		opts.Batch = 2
		got, err := b.restart(t.Context(), opts)
		if err != nil || b.restarts(wordsJob, before) != "1 new new" || got.how() != "0 in_place, 1 replaced, 2 replaced" {
			t.Errorf("%s: %+v, %v; restarts %s", name, got, err, b.restarts(wordsJob, before))
		}
		b.wantNoClaim()
	}
}

// One that ends between the look and the request is replaced too, and one that
// Nomad has no allocation of is left out, with the check of the indexes to say
// so.
func TestRestartOfWhatIsJustGone(t *testing.T) {
	b, _ := upWithContainers(t)
	before := b.Jobs.Wanted(wordsJob)
	b.Jobs.Before = func(method string) error {
		if method == "RestartInPlace" {
			return nomad.ErrTaskNotRunning
		}
		return nil
	}
	if got, err := b.restart(t.Context(), only(1)); err != nil || b.restarts(wordsJob, before) != "0 new 0" {
		t.Errorf("%+v, %v", got, err)
	}

	b, _ = upWithContainers(t)
	b.Jobs.Change(wordsJob, func(c *nomad.Container) {
		if c.Index == 2 {
			c.Desired, c.Status = api.AllocDesiredStatusStop, api.AllocClientStatusLost
		}
	})
	opts := every()
	opts.BatchTimeout = impatient
	_, err := b.restart(t.Context(), opts)
	if outcome.KindOf(err) != outcome.LeftBehind || !strings.Contains(fmt.Sprint(err), "missing 2") {
		t.Errorf("%v", err)
	}
}

func TestRestartRefuses(t *testing.T) {
	remove := func(b *bench, path string) { b.Must(b.Store.Apply(b.T.Context(), statemgr.Delete(path))) }
	for what, c := range map[string]struct {
		opts  RestartOptions
		fault func(b *bench)
		kind  outcome.Kind
		says  string
	}{
		"no such topology":  {every(), func(b *bench) { b.Must(b.Cluster.State.DeleteTopology(b.T.Context(), "words", true)) }, outcome.NotFound, `no topology "words"`},
		"no such container": {only(3), nil, outcome.NotFound, "has no container 3; its containers are 0-2"},
		"less than none":    {only(-5), nil, outcome.NotFound, "has no container -5"},
		"no such component": {RestartOptions{Container: AllContainers, Component: "bold", Batch: 1}, nil, outcome.Usage, "its components are bolt, spout"},
		"both":              {RestartOptions{Container: 1, Component: "bolt", Batch: 1}, nil, outcome.Usage, "not both"},
		"an empty batch":    {RestartOptions{Container: AllContainers}, nil, outcome.Usage, "batches of 0"},
		"too large a batch": {RestartOptions{Container: AllContainers, Batch: LargestBatch + 1}, nil, outcome.Usage, "batches of 1001"},
		"no plan":           {every(), func(b *bench) { remove(b, b.Cluster.State.PackingPlan("words")) }, outcome.Differs, "incomplete"},
		"no job":            {every(), func(b *bench) { clear(b.Jobs.Jobs) }, outcome.Differs, "has no job"},
		"another role":      {every(), func(b *bench) { b.Settings.Role = "others" }, outcome.Usage, "runs at nomad/ads/prod"},
		"no right to write": {every(), func(b *bench) { b.Store.Rights = func() error { return statemgr.ErrDenied } }, outcome.Denied, "nothing was changed"},
		"no right at Nomad": {every(), func(b *bench) {
			b.Jobs.Before = func(method string) error {
				if method == "RestartInPlace" {
					return nomad.ErrDenied
				}
				return nil
			}
		}, outcome.Denied, "nothing was changed"},
	} {
		b, _ := upWithContainers(t)
		before := b.Jobs.Wanted(wordsJob)
		if c.fault != nil {
			c.fault(b)
		}
		_, err := b.restart(t.Context(), c.opts)
		if outcome.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: kind %q, %v", what, outcome.KindOf(err), err)
		}
		if now := b.restarts(wordsJob, before); now != "0 0 0" && len(b.Jobs.Jobs) > 0 {
			t.Errorf("%s: restarts %s", what, now)
		}
		b.wantNoClaim()
	}
}

// A failure says what was restarted, and the same restart goes on after that.
func TestRestartGoesOnWhereItFailed(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(b *bench, method string, n int) error
		done string
	}{
		"the request": {func(_ *bench, method string, n int) error {
			if method == "RestartInPlace" && n == 2 {
				return errBroken
			}
			return nil
		}, "0"},
		"the check of the indexes": {func(_ *bench, method string, _ int) error {
			if method == "Settled" {
				return errBroken
			}
			return nil
		}, "0 1 2"},
	} {
		b, _ := upWithContainers(t)
		before := b.Jobs.Wanted(wordsJob)
		n := 0
		b.Jobs.Before = func(method string) error {
			if method == "RestartInPlace" {
				n++
			}
			return c.fail(b, method, n)
		}
		_, err := b.restart(t.Context(), every())
		var f *operation.Failure
		if !errors.As(err, &f) || f.Kind() != outcome.LeftBehind || f.Remedy == nil || f.Remedy.Action != outcome.Repeat {
			t.Fatalf("%s: %v, %+v", name, err, f)
		}
		var done []string
		for _, r := range f.Done {
			done = append(done, r.ID)
		}
		if strings.Join(done, " ") != c.done {
			t.Errorf("%s: done %v, want %s", name, done, c.done)
		}
		b.Jobs.Before = nil
		got, err := b.restart(t.Context(), every())
		if err != nil || !got.Continued || b.restarts(wordsJob, before) != "1 1 1" {
			t.Errorf("%s, again: %+v, %v; restarts %s", name, got, err, b.restarts(wordsJob, before))
		}
		b.wantNoClaim()
	}
}

// An answer that was lost is recognised by what it did; a request that was lost
// is made once more.
func TestRestartWithLostAnswers(t *testing.T) {
	lost := fmt.Errorf("restart: %w", nomad.ErrUnknownOutcome)
	for _, arrives := range []bool{true, false} {
		b, _ := upWithContainers(t)
		before := b.Jobs.Wanted(wordsJob)
		n := 0
		fail := func(method string) error {
			if method == "RestartInPlace" {
				if n++; n == 1 {
					return lost
				}
			}
			return nil
		}
		if arrives {
			b.Jobs.After = fail
		} else {
			b.Jobs.Before = fail
		}
		if got, err := b.restart(t.Context(), only(1)); err != nil || b.restarts(wordsJob, before) != "0 1 0" {
			t.Errorf("arrives %v: %+v, %v; restarts %s", arrives, got, err, b.restarts(wordsJob, before))
		}
	}
}

// A container that fails again ends the restart with the reason; one that does
// not come back does so when the time is over.
func TestRestartOfWhatDoesNotComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		place func(*nomad.Container)
		says  string
	}{
		"fails": {func(c *nomad.Container) { c.Status, c.Failure = api.AllocClientStatusPending, "failed: exit code 7" }, "container 0: it was restarted on node and failed: exit code 7"},
		"waits": {func(c *nomad.Container) {
			c.Status, c.Event = api.AllocClientStatusPending, "its node is downloading its files"
		}, "not back within 700ms: container 0: it is pending on node: its node is downloading its files"},
	} {
		b, _ := upWithContainers(t)
		b.Jobs.OnPlace = c.place
		opts := every()
		opts.BatchTimeout = impatient
		_, err := b.restart(t.Context(), opts)
		if outcome.KindOf(err) != outcome.LeftBehind || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: kind %s, %v", name, outcome.KindOf(err), err)
		}
	}
}

func TestInterruptedRestart(t *testing.T) {
	b, _ := upWithContainers(t)
	before := b.Jobs.Wanted(wordsJob)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.restart(ctx, every()); outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("before anything: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	b.Jobs.After = func(method string) error {
		if method == "RestartInPlace" {
			cancel()
		}
		return nil
	}
	_, err := b.restart(ctx, every())
	if remedy := (&operation.Failure{}); !errors.As(err, &remedy) || remedy.Kind() != outcome.LeftBehind || remedy.Remedy.Action != outcome.Repeat {
		t.Errorf("in the middle: %v", err)
	}
	b.Jobs.After = nil
	// Interrupted again before it does anything, it is still known how far it was.
	again, cancel := context.WithCancel(t.Context())
	b.Jobs.Before = func(method string) error {
		if method == "ContainersSince" {
			cancel()
		}
		return nil
	}
	if _, err := b.restart(again, every()); outcome.KindOf(err) != outcome.LeftBehind {
		t.Errorf("interrupted again: %v", err)
	}
	b.Jobs.Before = nil
	if got, err := b.restart(t.Context(), every()); err != nil || !got.Continued || b.restarts(wordsJob, before) != "1 1 1" {
		t.Errorf("then: %+v, %v; restarts %s", got, err, b.restarts(wordsJob, before))
	}
}

// Another request than the one that died starts over.
func TestRestartAfterAnotherOne(t *testing.T) {
	b, _ := upWithContainers(t)
	before := b.Jobs.Wanted(wordsJob)
	b.Jobs.Before = func(method string) error {
		if method == "Settled" {
			return errBroken
		}
		return nil
	}
	if _, err := b.restart(t.Context(), every()); err == nil {
		t.Fatal("no error")
	}
	b.Jobs.Before = nil
	if got, err := b.restart(t.Context(), only(1)); err != nil || got.Continued || b.restarts(wordsJob, before) != "1 2 1" {
		t.Errorf("%+v, %v; restarts %s", got, err, b.restarts(wordsJob, before))
	}
}

func TestRestartThatDoesNotRunAfterwards(t *testing.T) {
	b, _ := upWithContainers(t)
	b.Jobs.OnPlace = nil // no stream manager registers
	opts := only(1)
	opts.Wait = impatient
	_, err := b.restart(t.Context(), opts)
	if outcome.KindOf(err) != outcome.WaitExpired || !strings.Contains(fmt.Sprint(err), "has not written its physical plan again") {
		t.Errorf("kind %s, %v", outcome.KindOf(err), err)
	}
	b.wantNoClaim()
}

// A repair of indexes that was cut off leaves the job with a lower count. The
// packing plan says how many containers there must be.
func TestRestartAfterARepairThatWasCutOff(t *testing.T) {
	b, _ := upWithContainers(t)
	if _, err := b.Jobs.SetCount(t.Context(), b.Jobs.Jobs[wordsJob], 2); err != nil {
		t.Fatal(err)
	}
	got, err := b.restart(t.Context(), every())
	if err != nil || got.how() != "0 in_place, 1 in_place" || len(b.Jobs.Indexes(wordsJob)) != 3 {
		t.Errorf("%+v, %v; indexes %v", got, err, b.Jobs.Indexes(wordsJob))
	}
	b.wantNoClaim()
}
