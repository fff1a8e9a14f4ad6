package logs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/heronshell"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/submit"
)

const (
	id    = "words1234"
	jobID = "heron.nomad.words"
)

// servers are a fake Nomad and fake heron-shells, with a disk per allocation.
type servers struct {
	mu      sync.Mutex
	list    []nomad.Container
	index   uint64
	changed chan struct{}
	disks   map[string]*disk
	down    map[string]bool // heron-shells that do not answer, by allocation
}

func (s *servers) ContainersSince(ctx context.Context, id string, index uint64) ([]nomad.Container, uint64, error) {
	for {
		s.mu.Lock()
		list, at, changed := slices.Clone(s.list), s.index, s.changed
		s.mu.Unlock()
		if at != index {
			return slices.DeleteFunc(list, func(c nomad.Container) bool { return c.JobID != id }), at, nil
		}
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-changed:
		}
	}
}

// set replaces the list of allocations.
func (s *servers) set(list ...nomad.Container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = list
	s.index++
	close(s.changed)
	s.changed = make(chan struct{})
}

// root is the working directory of an allocation's container, as Nomad names
// it.
func (s *servers) below(allocation, path string) string {
	for _, root := range []string{"executor/local/container-0/", "executor/local/container-1/", "executor/local/container-2/"} {
		path = strings.TrimPrefix(path, root)
	}
	return path
}

func (s *servers) Files(ctx context.Context, allocation, path string) (list []nomad.File, err error) {
	files, err := s.disk(allocation).files(ctx, s.below(allocation, path))
	if errors.Is(err, errNoFile) {
		return nil, nomad.ErrNoFile
	}
	for _, f := range files {
		list = append(list, nomad.File{Name: f.name, Size: f.size, ModTime: f.mod, IsDir: f.isDir})
	}
	return list, err
}

func (s *servers) ReadFile(ctx context.Context, allocation, path string, offset, limit int64) ([]byte, error) {
	text, err := s.disk(allocation).text(ctx, s.below(allocation, path), offset, offset+limit)
	if errors.Is(err, errNoFile) {
		err = nomad.ErrNoFile
	}
	return text, err
}

func (s *servers) PortAddress(_ context.Context, allocation, label string) (string, error) {
	return allocation + ":" + label, nil
}

func (s *servers) disk(allocation string) *disk {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disks[allocation] == nil {
		s.disks[allocation] = newDisk(false)
	}
	return s.disks[allocation]
}

// shells is the same as heron-shells show it.
type shells struct{ *servers }

func (s shells) find(at string) (*disk, error) {
	allocation := strings.TrimSuffix(at, ":"+shellPort)
	s.mu.Lock()
	down := s.down[allocation]
	s.mu.Unlock()
	if down {
		return nil, heronshell.ErrUnreachable
	}
	d := s.disk(allocation)
	d.asText = true
	return d, nil
}

func (s shells) Files(ctx context.Context, at, folder string) (list []heronshell.File, err error) {
	d, err := s.find(at)
	if err != nil {
		return nil, err
	}
	files, err := d.files(ctx, folder)
	if errors.Is(err, errNoFile) {
		return nil, heronshell.ErrNoFile
	}
	for _, f := range files {
		list = append(list, heronshell.File{Name: f.name, Size: f.size, IsDir: f.isDir})
	}
	return list, err
}

func (s shells) Text(ctx context.Context, at, file string, offset, length int64) (string, error) {
	d, err := s.find(at)
	if err != nil {
		return "", err
	}
	text, err := d.text(ctx, file, offset, offset+length)
	return string(text), err
}

// bench has the topology "words" of two containers beside the TManager's.
type bench struct {
	*clustertest.Bench
	*servers
}

func newBench(t *testing.T, workingDir string) *bench {
	t.Helper()
	b := &bench{Bench: clustertest.New(t), servers: &servers{changed: make(chan struct{}), disks: map[string]*disk{}, down: map[string]bool{}}}
	b.Settings.Nomad.WorkingDir = workingDir
	m, err := submit.NewManifest(submit.Input{
		Settings: b.Settings, Definition: clustertest.Words(id), DefinitionFile: "words.defn", BinaryFile: "words.jar", PackageType: "jar",
		Package: submit.PackageFile{
			Path: b.PackageFile(), Size: int64(len(clustertest.PackageText)),
			SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(clustertest.PackageText))),
		},
		Locate: b.Uploader.Locate, Script: "#!/bin/sh\n", Client: "test", Now: time.Unix(1_700_000_000, 0), Request: "a request",
	})
	b.Must(err)
	there, err := b.Cluster.Look(t.Context(), "words", cluster.Scope{Job: true})
	b.Must(err)
	_, err = submit.Submit(t.Context(), b.Cluster, []submit.Decision{{Manifest: m, There: there}}, submit.Options{})
	b.Must(err)
	b.set(up(0, "a0"), up(1, "a1"), up(2, "a2"))
	return b
}

func up(index int, allocation string) nomad.Container {
	return nomad.Container{Index: index, ID: allocation, JobID: jobID, Desired: "run", Status: "running"}
}

func ended(index int, allocation string) nomad.Container {
	c := up(index, allocation)
	c.Desired, c.Status = "stop", "complete"
	return c
}

func (b *bench) show(ctx context.Context, o Options, sink Sink) error {
	o.Now = time.Now
	return Show(ctx, Servers{Cluster: b.Cluster, Nomad: b.servers, Shell: shells{b.servers}}, "words", o, sink)
}

// stop stops the job.
func (b *bench) stop() {
	b.T.Helper()
	job, err := b.Jobs.Job(b.T.Context(), jobID)
	b.Must(err)
	b.Must(b.Jobs.Stop(b.T.Context(), job))
}

// tagged keeps lines with their container and allocation.
type tagged struct {
	mu   sync.Mutex
	list []string
	one  bool
	fail error
}

func (s *tagged) Begin(one bool) { s.one = one }

func (s *tagged) Lines(lines []Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		s.list = append(s.list, fmt.Sprintf("%d %s %s", l.Container, l.Allocation, l.Line))
	}
	return s.fail
}

func (s *tagged) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// waitFor waits until so many lines were shown.
func (s *tagged) waitFor(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(s.lines()) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d lines, want %d: %q", len(s.lines()), n, s.lines())
		}
	}
}

func all0() Options { return Options{Tail: Everything, Now: time.Now} }

func TestFollowUntilTheEnd(t *testing.T) {
	for what, dir := range map[string]string{"through Nomad": "", "through heron-shell": "/var/heron"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, dir)
			log := func(index int) string { return fmt.Sprintf("log-files/container_%d_spout_%d.log.0", index, index) }
			b.disk("a1").write(log(1), numbered(1, 5))
			got := &tagged{}
			done := make(chan error, 1)
			go func() { done <- b.show(t.Context(), Options{Follow: true, Tail: 2}, got) }()
			got.waitFor(t, 2)
			b.disk("a1").write(log(1), numbered(6, 7))
			b.disk("a2").write(log(2), numbered(1, 2))
			got.waitFor(t, 6)
			equal(t, "the last lines, and new ones", sorted(got.lines()), []string{"1 a1 line 4", "1 a1 line 5", "1 a1 line 6", "1 a1 line 7", "2 a2 line 1", "2 a2 line 2"})

			// Container 1 moves. Its last lines come before those of the new one.
			b.disk("a1").write(log(1), numbered(8, 9))
			if dir != "" { // on the same node, in the same folder
				b.mu.Lock()
				b.disks["b1"], b.down["a1"] = b.disks["a1"], true
				b.mu.Unlock()
				b.disk("b1").rename("log-files", previousFolder)
			}
			b.disk("b1").write(log(1), numbered(10, 11))
			b.set(up(0, "a0"), ended(1, "a1"), up(1, "b1"), up(2, "a2"))
			got.waitFor(t, 10)
			want := []string{"1 a1 line 8", "1 a1 line 9", "1 b1 line 10", "1 b1 line 11"}
			if dir != "" {
				want[0], want[1] = "1 b1 line 8", "1 b1 line 9"
			}
			equal(t, "after the move", got.lines()[6:], want)

			// All containers have ended, but the topology has not: it is restarted.
			b.set(ended(0, "a0"), ended(1, "b1"), ended(2, "a2"))
			b.disk("c2").write(log(2), numbered(3, 3))
			b.set(ended(0, "a0"), ended(1, "b1"), ended(2, "a2"), up(2, "c2"))
			got.waitFor(t, 11)

			b.disk("c2").write(log(2), "the end")
			if dir != "" {
				got.waitFor(t, 11)
				b.disk("c2").write(log(2), "\n")
				got.waitFor(t, 12)
				b.mu.Lock()
				b.down["c2"] = true
				b.mu.Unlock()
			}
			b.stop()
			b.set(ended(2, "c2"))
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it does not end")
			}
			if list := got.lines(); len(list) != 12 || list[11] != "2 c2 the end" {
				t.Errorf("%q", list)
			}
		})
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// The original client made a job per container, whose logs heron-shell shows.
func TestJobsOfTheOriginalClient(t *testing.T) {
	b := newBench(t, "")
	delete(b.Jobs.Jobs, jobID)
	var list []nomad.Container
	for i := range 3 {
		name := fmt.Sprintf("%s-%d", id, i)
		b.Jobs.Jobs[name] = &api.Job{
			ID: &name, Meta: map[string]string{"topology.name": "words", "topology.id": id},
			TaskGroups: []*api.TaskGroup{{Tasks: []*api.Task{{
				Name: fmt.Sprintf("words-%d", i), Driver: "raw_exec", Env: map[string]string{jobspec.EnvWorkingDir: "/home/ann/container-" + strconv.Itoa(i)},
			}}}},
		}
		alloc := fmt.Sprintf("o%d", i)
		list = append(list, nomad.Container{Index: 0, ID: alloc, JobID: name, Desired: "run", Status: "running"})
		b.disk(alloc).write(fmt.Sprintf("log-files/heron-executor-%d.log", i), "executor\n")
		b.disk(alloc).write(fmt.Sprintf("alloc/logs/words-%d.stdout.0", i), "output\n")
	}
	b.set(list...)
	got := &tagged{}
	b.Must(b.show(t.Context(), Options{Tail: Everything}, got))
	equal(t, "logs", got.lines(), []string{"0 o0 executor", "1 o1 executor", "2 o2 executor"})
	got = &tagged{}
	two := 2
	b.Must(b.show(t.Context(), Options{Tail: Everything, Container: &two, Stream: "stdout"}, got))
	equal(t, "output", got.lines(), []string{"2 o2 output"})

	got = &tagged{}
	done := make(chan error, 1)
	go func() { done <- b.show(t.Context(), Options{Follow: true, Tail: Everything}, got) }()
	got.waitFor(t, 3)
	b.disk("o1").write("log-files/heron-executor-1.log", "more\n")
	got.waitFor(t, 4)
	for i := range 3 {
		b.Must(b.Jobs.PurgeOwned(t.Context(), fmt.Sprintf("%s-%d", id, i), id))
	}
	b.set()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFollowIsInterrupted(t *testing.T) {
	b := newBench(t, "")
	b.disk("a1").write("log-files/heron-executor-1.log", "x\n")
	ctx, cancel := context.WithCancelCause(t.Context())
	got := &tagged{}
	done := make(chan error, 1)
	go func() { done <- b.show(ctx, Options{Follow: true, Tail: Everything}, got) }()
	got.waitFor(t, 1)
	stopped := errors.New("stopped")
	cancel(stopped)
	if err := <-done; !errors.Is(err, stopped) {
		t.Error(err)
	}
	broken := errors.New("broken pipe")
	if err := b.show(t.Context(), Options{Follow: true, Tail: Everything}, &tagged{fail: broken}); !errors.Is(err, broken) {
		t.Error(err)
	}
}
