package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

var errBroken = errors.New("the connection is broken")

// broken is a client whose connection breaks. What it gets it gets with the
// bookmarks, or not at all.
type broken struct {
	tagged
	mu      sync.Mutex
	pending []Line
	marks   Bookmarks
	// left is after how many pieces the connection breaks; below 0 for never.
	left int
}

func (b *broken) Lines(lines []Line) error {
	b.pending = append(b.pending, lines...)
	return nil
}

func (b *broken) Mark(marks []Bookmark) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 {
		return errBroken
	}
	b.left--
	if b.marks == nil {
		b.marks = Bookmarks{}
	}
	b.marks.Take(marks)
	lines := b.pending
	b.pending = nil
	return b.tagged.Lines(lines)
}

// again is the connection after that, and the bookmarks that go with the request.
func (b *broken) again(t *testing.T, left int) Bookmarks {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending, b.left = nil, left
	if b.marks == nil {
		return nil
	}
	data, err := json.Marshal(b.marks.List())
	var list []Bookmark
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	from := Bookmarks{}
	from.Take(list)
	if err := from.check(); err != nil {
		t.Fatal(err)
	}
	return from
}

// Reading goes on from bookmarks that were taken anywhere, while files are written
// and renamed.
func TestBookmarksAnywhere(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		for seed := range uint64(60) {
			random := rand.New(rand.NewPCG(seed, 3))
			at := newDisk(d.asText)
			written := 0
			write := func() {
				n := random.IntN(6) + 1
				text := numbered(written+1, written+n)
				cut := random.IntN(len(text))
				at.write(words+".log.0", text[:cut])
				at.write(words+".log.0", text[cut:])
				written += n
			}
			write()
			first := written
			o := all()
			if seed%3 == 0 {
				o.Tail = 2
			}
			got := &broken{left: random.IntN(3)}
			for n := 0; n < 40; n++ {
				c, _ := reading(at, o)
				c.allocation, c.marking = "a", true
				out := &reader{sink: got, marker: got}
				c.out = out.deliver
				if mark, ok := o.From["a"]; ok {
					c.restore(mark)
				}
				for last := false; c.read(t.Context(), last) == nil && !last; last = n == 39 {
					switch random.IntN(3) {
					case 0:
						write()
					case 1:
						write()
						at.rotate(words, 50)
						write()
					}
				}
				left := random.IntN(4)
				if n >= 38 {
					left = -1
				}
				o.From = got.again(t, left)
			}
			from := 1
			if seed%3 == 0 {
				from = max(1, first-1)
			}
			var want []string
			for _, text := range numbers(from, written) {
				want = append(want, "0 a "+text)
			}
			list := got.lines()
			if o.Tail == 2 && len(list) < len(want) {
				// The first connection broke before it said where it began.
				want = want[len(want)-len(list):]
			}
			equal(t, fmt.Sprintf("seed %d", seed), list, want)
			if t.Failed() {
				return
			}
		}
	})
}

// A client that follows loses its connection again and again, while containers
// write, move and end.
func TestFollowGoesOnFromBookmarks(t *testing.T) {
	for what, dir := range map[string]string{"through Nomad": "", "through heron-shell": "/var/heron"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, dir)
			random := rand.New(rand.NewPCG(1, 4))
			log := func(index int) string { return fmt.Sprintf("log-files/container_%d_spout_%d.log.0", index, index) }
			b.disk("old").write(log(1), "of a container that ended before\n")
			b.disk("a1").write(log(1), numbered(1, 5))
			b.set(up(0, "a0"), ended(1, "old"), up(1, "a1"), up(2, "a2"))
			got := &broken{left: 3}
			options := Options{Follow: true, Tail: 2}
			over := make(chan error, 1)
			go func() {
				err := b.show(t.Context(), options, got)
				for errors.Is(err, errBroken) {
					options.From = got.again(t, random.IntN(5)+1)
					err = b.show(t.Context(), options, got)
				}
				over <- err
			}()
			got.waitFor(t, 2)
			for n := 6; n < 16; n++ {
				b.disk("a1").write(log(1), numbered(n, n))
				b.disk("a2").write(log(2), numbered(n, n))
				got.waitFor(t, 2+2*(n-5))
			}
			// Container 1 moves, on the same node where heron-shell shows it.
			if dir != "" {
				b.mu.Lock()
				b.disks["b1"], b.down["a1"] = b.disks["a1"], true
				b.mu.Unlock()
				b.disk("b1").rename("log-files", previousFolder)
			}
			for n := 16; n < 26; n++ {
				b.disk("b1").write(log(1), numbered(n, n))
				b.disk("a2").write(log(2), numbered(n, n))
				if n == 16 {
					b.set(up(0, "a0"), ended(1, "old"), ended(1, "a1"), up(1, "b1"), up(2, "a2"))
				}
				got.waitFor(t, 22+2*(n-15))
			}
			b.stop()
			b.set(ended(0, "a0"), ended(1, "b1"), ended(2, "a2"))
			select {
			case err := <-over:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Fatal("it does not end")
			}
			byContainer := map[string][]string{}
			for _, line := range got.lines() {
				index, text, _ := strings.Cut(line, " ")
				_, text, _ = strings.Cut(text, " ")
				byContainer[index] = append(byContainer[index], text)
			}
			equal(t, "container 1", byContainer["1"], numbers(4, 25))
			equal(t, "container 2", byContainer["2"], numbers(6, 25))
			if !maps.EqualFunc(got.marks, map[string]bool{"a0": true, "old": true, "a1": true, "a2": true, "b1": true}, func(b Bookmark, done bool) bool { return b.Done == done }) {
				t.Errorf("bookmarks at the end: %+v", got.marks)
			}
		})
	}
}

// What there is is shown once as well, wherever the connection breaks.
func TestShowGoesOnFromBookmarks(t *testing.T) {
	b := newBench(t, "")
	var want []string
	for index := range 3 {
		name := fmt.Sprintf("log-files/container_%d_spout_%d.log.0", index, index)
		b.disk(fmt.Sprintf("a%d", index)).write(name, strings.TrimSuffix(numbered(1, 20_000), "\n"))
		for _, text := range numbers(1, 20_000) {
			want = append(want, fmt.Sprintf("%d a%d %s", index, index, text))
		}
	}
	for every := 1; every < 5; every++ {
		got := &broken{left: every}
		options := Options{Tail: Everything}
		err := b.show(t.Context(), options, got)
		for errors.Is(err, errBroken) {
			options.From = got.again(t, every)
			err = b.show(t.Context(), options, got)
		}
		b.Must(err)
		equal(t, fmt.Sprintf("breaking after %d", every), got.lines(), want)
	}

	// A file that no container has is missed at the end all the same.
	got := &broken{left: 2}
	options := Options{Tail: Everything, File: "none"}
	if err := b.show(t.Context(), options, got); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	options.From = got.again(t, -1)
	if err := b.show(t.Context(), options, got); outcome.KindOf(err) != outcome.NotFound {
		t.Error(err)
	}
}

// A topology that has ended while the connection was broken ends the command, as
// it does with one.
func TestFollowEndsThoughTheTopologyIsGone(t *testing.T) {
	b := newBench(t, "")
	delete(b.Jobs.Jobs, jobID)
	b.Must(b.show(t.Context(), Options{Follow: true, Tail: Everything, From: Bookmarks{"a0": {Allocation: "a0"}}}, &broken{left: -1}))
}

func TestBookmarksThatAreNone(t *testing.T) {
	b := newBench(t, "")
	for _, p := range []Position{{From: -1, At: 3}, {From: 5, At: 3}, {From: 0, At: 1 << 40}, {Partial: make([]byte, 3*maxLine)}} {
		o := Options{Tail: Everything, From: Bookmarks{"a0": {Allocation: "a0", Logs: map[string]Position{"x": p}}}}
		if err := b.show(t.Context(), o, &broken{left: -1}); outcome.KindOf(err) != outcome.Usage {
			t.Errorf("%d to %d: %v", p.From, p.At, err)
		}
	}
	k := fileKey{7, time.Unix(1_700_000_000, 5).UTC()}
	for _, key := range []fileKey{k, {size: 3}} {
		if back, ok := parseKey(key.String()); !ok || back != key {
			t.Errorf("%v: %v, %v", key, back, ok)
		}
	}
	if _, ok := parseKey("x y"); ok || !slices.Equal(Bookmarks{"b": {Allocation: "b"}}.List()[0].Logs["x"].Partial, nil) {
		t.Error("nonsense is a key")
	}
}
