package logs

import (
	"errors"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestShow(t *testing.T) {
	b := newBench(t, "")
	for _, c := range []struct{ alloc, name string }{
		{"a0", "log-files/heron-tmanager-words1234.INFO"}, {"a2", "log-files/container_2_bolt_2.log.0"},
		{"a1", "log-files/container_1_spout_1.log.0"}, {"a1", "log-files/heron-executor-1.log"}, {"a1", "alloc/logs/executor.stderr.0"},
	} {
		b.disk(c.alloc).write(c.name, c.name+"\n")
	}
	all := []string{
		"0 a0 log-files/heron-tmanager-words1234.INFO", "1 a1 log-files/container_1_spout_1.log.0",
		"1 a1 log-files/heron-executor-1.log", "2 a2 log-files/container_2_bolt_2.log.0",
	}
	index := func(n int) *int { return &n }
	for what, c := range map[string]struct {
		o    Options
		want []string
		one  bool
		kind outcome.Kind
	}{
		"everything":                     {Options{}, all, false, ""},
		"one container":                  {Options{Container: index(2)}, all[3:], false, ""},
		"a component":                    {Options{Component: "bolt"}, all[3:], false, ""},
		"an instance":                    {Options{Component: "bolt", Container: index(2)}, all[3:], true, ""},
		"standard error":                 {Options{Stream: "stderr", Container: index(1)}, []string{"1 a1 alloc/logs/executor.stderr.0"}, true, ""},
		"a file":                         {Options{File: "heron-executor-1.log"}, all[2:3], false, ""},
		"a file that is not there":       {Options{File: "x"}, nil, false, outcome.NotFound},
		"a container that is not there":  {Options{Container: index(3)}, nil, false, outcome.NotFound},
		"a container that can't be":      {Options{Container: index(-1)}, nil, false, outcome.Usage},
		"a component that is not there":  {Options{Component: "bolz"}, nil, false, outcome.NotFound},
		"a path out of the folder":       {Options{File: "../x"}, nil, false, outcome.Usage},
		"a file and standard error":      {Options{File: "x", Stream: "stderr"}, nil, false, outcome.Usage},
		"a component and standard error": {Options{Component: "bolt", Stream: "stderr"}, nil, false, outcome.Usage},
	} {
		c.o.Tail = Everything
		got := &tagged{}
		err := b.show(t.Context(), c.o, got)
		if outcome.KindOf(err) != c.kind || got.one != c.one {
			t.Errorf("%s: %v, one %v", what, err, got.one)
		}
		equal(t, what, got.lines(), c.want)
	}
	err := b.show(t.Context(), Options{Component: "bolz", Tail: Everything}, &tagged{})
	if err == nil || !strings.Contains(err.Error(), "did you mean bolt?") {
		t.Error(err)
	}
	want := errors.New("the reader is gone")
	if err := b.show(t.Context(), all0(), &tagged{fail: want}); !errors.Is(err, want) {
		t.Error(err)
	}
	err = Show(t.Context(), Servers{Cluster: b.Cluster, Nomad: b.servers}, "other", all0(), &tagged{})
	if outcome.KindOf(err) != outcome.NotFound {
		t.Error(err)
	}
}

// Of a container that does not run the last run's logs are shown.
func TestShowAContainerThatFailed(t *testing.T) {
	b := newBench(t, "")
	failed := up(1, "old")
	failed.Status = "failed"
	older := up(1, "older")
	older.Status = "failed"
	b.set(up(0, "a0"), older, failed)
	b.disk("older").write("log-files/heron-executor-1.log", "older\n")
	b.disk("old").write("log-files/heron-executor-1.log", "why\nit failed")
	got := &tagged{}
	b.Must(b.show(t.Context(), Options{Tail: Everything}, got))
	equal(t, "lines", got.lines(), []string{"1 old why", "1 old it failed"})
}
