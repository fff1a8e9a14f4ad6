package update

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// fromOriginal is a topology as the original client puts it up: a job for each
// container, and no record or history.
func fromOriginal(t *testing.T, state heronpb.TopologyState) *bench {
	t.Helper()
	b := up(t, state)
	l, ctx := b.Cluster.State, t.Context()
	versions, err := l.Versions(ctx, "words")
	b.Must(err)
	ops := []statemgr.Op{statemgr.Delete(l.Deployment("words"))}
	for _, v := range versions {
		ops = append(ops, v.DeleteOps(l.Layout, "words")...)
	}
	b.Must(b.Store.Store.Apply(ctx, append(ops, statemgr.Delete(l.History("words")))...))
	clear(b.Jobs.Jobs)
	clear(b.Jobs.Allocations)
	for index := range 3 {
		id, name := fmt.Sprintf("%s-%d", topoID, index), fmt.Sprintf("words-%d", index)
		task := api.NewTask(name, "raw_exec")
		task.Env = map[string]string{
			"HERON_NOMAD_WORKING_DIR":     fmt.Sprintf("/work/container-%d", index),
			"HERON_USE_CORE_PACKAGE_URI":  "false",
			"HERON_CORE_PACKAGE_DIR":      "/opt/heron-core",
			"HERON_TOPOLOGY_DOWNLOAD_CMD": "heron-downloader -u file:///packages/words.tar.gz -f .",
			"HERON_EXECUTOR_CMD":          fmt.Sprintf("heron-executor --topology-id=%s --component-ram-map=a:1 --shard=%d", topoID, index),
		}
		job := &api.Job{ID: &id, Name: &name, TaskGroups: []*api.TaskGroup{api.NewTaskGroup(name, 1).AddTask(task)}}
		job.Meta = map[string]string{"topology.name": "words", "topology.id": topoID}
		b.Jobs.Put(job)
	}
	b.Jobs.Calls = nil
	return b
}

func runsAsOriginal(t *testing.T) *bench { t.Helper(); return fromOriginal(t, running) }

// jobs are the jobs that are there, with those that are stopped in brackets, and
// how many versions and records there are.
func (b *bench) jobs() string {
	b.T.Helper()
	var list []string
	for id, job := range b.Jobs.Jobs {
		if job.Stop != nil && *job.Stop {
			id = "(" + id + ")"
		}
		list = append(list, id)
	}
	slices.Sort(list)
	there, err := b.Cluster.State.Versions(b.T.Context(), "words")
	b.Must(err)
	_, err = b.Store.Read(b.T.Context(), b.Cluster.State.Deployment("words"))
	return fmt.Sprintf("%s; %d versions, record %v, %v", strings.Join(list, " "), len(there), err == nil, b.extra())
}

const (
	threeJobs = "words1234-0 words1234-1 words1234-2; 0 versions, record false, []"
	oneJob    = "heron.nomad.words; 1 versions, record true, []"
)

func (b *bench) wantJobs(what, want string) {
	b.T.Helper()
	if got := b.jobs(); got != want {
		b.T.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestTopologiesOfTheOriginalClientGetOneJob(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		state   heronpb.TopologyState
		request Request
		want    string
	}{
		"scaled":              {running, bolts(4), words(running, "[]", 4, 3)},
		"scaled while paused": {paused, bolts(4), words(paused, "[]", 4, 3)},
		"as many as before":   {running, bolts(2), words(running, "[]", 2, 2)},
		"configured":          {running, runtime("rate:5"), words(running, "[rate:5]", 2, 2)},
	} {
		b := fromOriginal(t, c.state)
		b.m.Store(topoID, c.state)
		before := b.jobs()
		p, err := Look(t.Context(), b.Cluster, "words", c.request)
		if err != nil || !p.Adopted || !p.Changes || b.jobs() != before {
			t.Errorf("%s: preview %+v, %v", what, p, err)
		}
		got, err := b.update(c.request)
		if err != nil || !got.Adopted || !got.Changed || got.State != c.state.String() {
			t.Errorf("%s: %+v, %v", what, got, err)
			continue
		}
		b.want(what, c.want)
		b.wantJobs(what, oneJob)
		task := b.Jobs.Jobs[jobID].TaskGroups[0].Tasks[0]
		if args := fmt.Sprint(task.Config["args"]); !strings.Contains(args, "heron-executor --topology-id=words1234 ") || !strings.HasSuffix(args, "--shard=${NOMAD_ALLOC_INDEX}]") {
			t.Errorf("%s: %s", what, args)
		}
		// From now on it is like any other.
		if got, err = b.update(bolts(3)); err != nil || got.Adopted {
			t.Errorf("%s: again: %+v, %v", what, got, err)
		}
		done, err := lifecycle.Kill(t.Context(), b.Cluster, "words", lifecycle.KillOptions{})
		if err != nil || len(done.Kept) != 1 || done.Kept[0].ID != "file:///packages/words.tar.gz" {
			t.Errorf("%s: killed: %+v, %v", what, done, err)
		}
	}
}

func TestWhatKeepsTheOriginalsJobs(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		broken func(*bench)
		kind   outcome.Kind
		says   string
	}{
		"a stopped job": {func(b *bench) { b.Must(b.Jobs.Stop(b.T.Context(), b.Jobs.Jobs["words1234-1"])) }, outcome.Differs, "is stopped"},
		"a job too many": {func(b *bench) {
			id := jobID
			b.Jobs.Put(&api.Job{ID: &id, Meta: map[string]string{"topology.name": "words", "topology.id": topoID}})
		}, outcome.Differs, "has both job heron.nomad.words and 3"},
		"an unknown package": {func(b *bench) {
			for _, job := range b.Jobs.Jobs {
				job.TaskGroups[0].Tasks[0].Env["HERON_TOPOLOGY_DOWNLOAD_CMD"] = "get -u hdfs://x/y"
			}
		}, outcome.Usage, "nodes can fetch"},
		"no script": {func(b *bench) { b.Settings.Nomad.Script = "/nonexistent" }, outcome.Usage, "heron.scheduler.job.template"},
	} {
		b := runsAsOriginal(t)
		c.broken(b)
		before := b.jobs()
		if _, err := b.update(bolts(4)); outcome.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v (%s)", what, err, outcome.KindOf(err))
		}
		b.wantJobs(what, before)
	}
}

func TestAMoveToOneJobThatFailsIsUndone(t *testing.T) {
	t.Parallel()
	for what, broken := range map[string]func(*bench){
		"the pause":             func(b *bench) { b.m.Before = first() },
		"a stop":                func(b *bench) { b.Jobs.Before = once("Stop", 2) },
		"a stop, reply lost":    func(b *bench) { b.Jobs.After = once("Stop", 2) },
		"the end of containers": func(b *bench) { b.Jobs.Before = once("WaitStopped", 1) },
		"the state":             func(b *bench) { b.Store.Before = first() },
		"the state, reply lost": func(b *bench) { b.Store.After = first() },
		"the job":               func(b *bench) { b.Jobs.Before = once("RegisterNew", 1) },
		"the job, reply lost":   func(b *bench) { b.Jobs.After = once("RegisterNew", 1) },
		"the wait for the plan": func(b *bench) { b.Jobs.Before = once("WaitRunning", 1) },
	} {
		for _, request := range []Request{bolts(4), runtime("rate:5")} {
			b := runsAsOriginal(t)
			broken(b)
			_, err := b.update(request)
			if kind := outcome.KindOf(err); kind != outcome.Undone || !errors.Is(err, errBroken) {
				t.Errorf("%s: %v (%s)", what, err, kind)
			}
			b.Jobs.Before, b.Jobs.After, b.Store.Before, b.Store.After, b.m.Before = nil, nil, nil, nil, nil
			b.wantJobs(what, threeJobs)
			if b.m.State != running {
				t.Errorf("%s: it is %s", what, b.m.State)
			}
			if _, err := b.update(request); err != nil {
				t.Errorf("%s: again: %v", what, err)
			}
			b.wantJobs(what+", again", oneJob)
		}
	}
}

// Where an undo fails, nothing is started that the rest does not fit.
func TestAMoveToOneJobThatCannotBeUndone(t *testing.T) {
	t.Parallel()
	for what, broken := range map[string]func(*bench){
		"the job stays": func(b *bench) {
			b.Jobs.Before = func(m string) error { return map[string]error{"WaitRunning": errBroken, "PurgeOwned": errBroken}[m] }
		},
		"the old jobs do not start": func(b *bench) {
			b.Jobs.Before = func(m string) error { return map[string]error{"WaitRunning": errBroken, "TakeOver": errBroken}[m] }
		},
		"the old jobs cannot be removed": func(b *bench) { b.Jobs.Before = once("PurgeOwned", 2) },
	} {
		b := runsAsOriginal(t)
		broken(b)
		_, err := b.update(bolts(4))
		var failed *operation.Failure
		if outcome.KindOf(err) != outcome.LeftBehind || !errors.As(err, &failed) || failed.Remedy == nil || failed.Remedy.Action != outcome.Repeat {
			t.Errorf("%s: %v (%s)", what, err, outcome.KindOf(err))
		}
		if live := b.jobs(); strings.Contains(live, " words1234") && !strings.Contains(live, "(words1234") {
			t.Errorf("%s: %s", what, live)
		}
		b.Jobs.Before = nil
		if _, err := b.update(bolts(4)); err != nil {
			t.Errorf("%s: again: %v", what, err)
		}
		b.want(what, words(running, "[]", 4, 3))
		b.wantJobs(what, oneJob)
	}
}

func TestTheSameUpdateFinishesAMoveThatDied(t *testing.T) {
	t.Parallel()
	both := Request{Parallelism: bolts(4).Parallelism, Runtime: runtime("rate:5").Runtime}
	crashes(t, runsAsOriginal, both, func(b *bench, died string) {
		if _, err := b.update(both); err != nil {
			b.T.Fatal(err)
		}
		b.want(died, words(running, "[rate:5]", 4, 3))
		b.wantJobs(died, oneJob)
	})
}

func TestKillAfterAMoveThatDied(t *testing.T) {
	t.Parallel()
	crashes(t, runsAsOriginal, bolts(4), func(b *bench, died string) {
		if _, err := lifecycle.Kill(b.T.Context(), b.Cluster, "words", lifecycle.KillOptions{}); err != nil {
			b.T.Error(err)
		}
		for _, left := range b.Left() {
			if !strings.HasPrefix(left, b.Packages) { // the original client stored none there
				b.T.Errorf("%s: left %s", died, left)
			}
		}
	})
}

// Another update either finds the topology as it was, or is refused and leaves
// it to the one that died.
func TestAnotherUpdateAfterAMoveThatDied(t *testing.T) {
	t.Parallel()
	refused := 0
	crashes(t, runsAsOriginal, bolts(4), func(b *bench, died string) {
		before := b.jobs()
		_, err := b.update(bolts(3))
		if outcome.KindOf(err) == outcome.Differs {
			refused++
			b.wantJobs(died, before)
			_, err = b.update(bolts(4))
		}
		if err != nil {
			b.T.Errorf("%s: %v", died, err)
		}
		if b.jobs() != oneJob && !strings.HasPrefix(b.jobs(), "heron.nomad.words; 2 versions, record true, []") {
			b.T.Errorf("%s: %s", died, b.jobs())
		}
	})
	if refused == 0 {
		t.Error("no update was refused")
	}
}
