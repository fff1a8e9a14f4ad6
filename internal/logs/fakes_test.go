package logs

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// disk is a container's folder in memory.
type disk struct {
	mu     sync.Mutex
	data   map[string][]byte
	mods   map[string]time.Time
	clock  time.Time
	asText bool // as heron-shell answers
	reads  int
	bytes  int64
	// between is called before each request.
	between func(what string)
}

func newDisk(asText bool) *disk {
	return &disk{data: map[string][]byte{}, mods: map[string]time.Time{}, clock: time.Unix(1_700_000_000, 0), asText: asText}
}

// both runs a test on a folder as Nomad and as heron-shell shows it.
func both(t *testing.T, test func(t *testing.T, d *disk)) {
	t.Helper()
	for name, asText := range map[string]bool{"nomad": false, "heron-shell": true} {
		t.Run(name, func(t *testing.T) { test(t, newDisk(asText)) })
	}
}

func (d *disk) write(name, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = d.clock.Add(time.Second)
	d.data[name] = append(slices.Clone(d.data[name]), text...)
	d.mods[name] = d.clock
}

// rename moves a file, or all below a folder.
func (d *disk) rename(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.data {
		rest, ok := strings.CutPrefix(name, from)
		if ok && (rest == "" || rest[0] == '/') {
			d.data[to+rest], d.mods[to+rest] = d.data[name], d.mods[name]
			delete(d.data, name)
		}
	}
}

func (d *disk) remove(prefix string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.data {
		if strings.HasPrefix(name, prefix) {
			delete(d.data, name)
		}
	}
}

// rotate does what Java does: x.log.0 becomes x.log.1, and so on.
func (d *disk) rotate(log string, keep int) {
	d.remove(fmt.Sprintf("%s.log.%d", log, keep-1))
	for i := keep - 2; i >= 0; i-- {
		d.rename(fmt.Sprintf("%s.log.%d", log, i), fmt.Sprintf("%s.log.%d", log, i+1))
	}
}

func (d *disk) exact() bool { return !d.asText }

func (d *disk) hook(what string) {
	if d.between != nil {
		d.between(what)
	}
}

func (d *disk) files(_ context.Context, dir string) (list []file, err error) {
	d.hook("list " + dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	folders := map[string]bool{}
	for name, data := range d.data {
		if folder, _, ok := strings.Cut(name, "/"); ok && dir == "." && !folders[folder] {
			folders[folder] = true
			list = append(list, file{name: folder, isDir: true})
		}
		if path.Dir(name) != dir {
			continue
		}
		f := file{name: path.Base(name), size: int64(len(data)), mod: d.mods[name]}
		if d.asText {
			f.mod = time.Time{}
		}
		list = append(list, f)
	}
	if list == nil {
		return nil, errNoFile
	}
	return list, nil
}

func (d *disk) text(_ context.Context, name string, from, to int64) ([]byte, error) {
	d.hook("read " + name)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	data, ok := d.data[name]
	if !ok {
		return nil, errNoFile
	}
	part := slices.Clone(data[min(from, int64(len(data))):min(to, int64(len(data)))])
	d.bytes += int64(len(part))
	if d.asText {
		part = []byte(strings.ToValidUTF8(string(part), replaced))
	}
	return part, nil
}

// lines are what was shown.
type lines struct {
	mu   sync.Mutex
	list []string
	lost []string
}

func (l *lines) Begin(bool) {}

func (l *lines) Lines(more []Line) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range more {
		l.list = append(l.list, line.Line)
	}
	return nil
}

func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// reading reads a disk as one container's.
func reading(d *disk, o Options) (*container, *lines) {
	if o.Now == nil {
		o.Now = func() time.Time { return d.clock }
	}
	got := &lines{}
	return &container{options: o, folder: d, fresh: true, task: "executor", out: func(b block) error { return got.Lines(b.lines) }, lost: func(log string) { got.lost = append(got.lost, log) }}, got
}

func (c *container) mustRead(t *testing.T, last bool) {
	t.Helper()
	if err := c.read(t.Context(), last); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i < len(got) && i < len(want) && got[i] == want[i] {
			continue
		}
		around := func(list []string) []string { return list[min(max(0, i-2), len(list)):min(i+6, len(list))] }
		t.Errorf("%s: %d lines, want %d; from line %d on they differ: got\n%q\nwant\n%q", what, len(got), len(want), i, around(got), around(want))
		return
	}
}

// numbered are lines from..to with their ends.
func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func numbers(from, to int) []string {
	return strings.Split(strings.TrimSuffix(numbered(from, to), "\n"), "\n")
}
