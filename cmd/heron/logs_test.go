package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/logs"
)

func TestHowLinesOfLogsArePrinted(t *testing.T) {
	list := []logs.Line{
		{Container: 2, Component: "word", Instance: "container_2_word_4", Allocation: "a", File: "log-files/x", Line: "<one>", Label: "word_4"},
		{Container: 0, Allocation: "b", File: "y", Line: "", Label: "heron-executor-0"},
	}
	for what, c := range map[string]struct {
		output string
		one    bool
		want   string
	}{
		"several logs": {"text", false, "[2 word_4] <one>\n[0 heron-executor-0] \n"},
		"one log":      {"text", true, "<one>\n\n"},
		"JSON": {"json", false, `{"container":2,"component":"word","instance":"container_2_word_4","allocation":"a","file":"log-files/x","line":"<one>"}
{"container":0,"component":"","instance":"","allocation":"b","file":"y","line":""}
`},
	} {
		var out bytes.Buffer
		p := (&app{stdout: &out, output: c.output}).logSink()
		p.Begin(c.one)
		if err := p.Lines(list); err != nil || out.String() != c.want {
			t.Errorf("%s: %v, %q", what, err, out.String())
		}
	}
}

func TestTheOptionsOfLogs(t *testing.T) {
	now := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	a := &app{now: func() time.Time { return now }}
	for since, want := range map[string]time.Time{"90s": now.Add(-90 * time.Second), "2026-03-01T00:00:00+01:00": time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC)} {
		o, err := a.logOptions(&logFlags{since: since, stderr: true}, []string{"3"})
		if err != nil || !o.Since.Equal(want) || *o.Container != 3 || o.Stream != "stderr" {
			t.Errorf("--since %s: %+v, %v", since, o, err)
		}
	}
	for _, c := range []struct {
		flags logFlags
		index []string
		says  string
	}{
		{logFlags{since: "yesterday"}, nil, "give a duration"},
		{logFlags{since: "-5m"}, nil, "give a duration"},
		{logFlags{stdout: true, stderr: true}, nil, "give one of them"},
		{logFlags{}, []string{"x"}, "give its index"},
	} {
		if _, err := a.logOptions(&c.flags, c.index); err == nil || exitCode(err) != exitInput || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v %v: %v", c.flags, c.index, err)
		}
	}
}
