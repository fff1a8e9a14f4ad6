package logs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Bookmark says how far the logs of one allocation were shown. Another Show that
// gets the bookmarks of all allocations goes on right there.
type Bookmark struct {
	Allocation string `json:"allocation"`
	// Fresh: it was there when the first Show began, so that Options.Tail and
	// Options.Since count.
	Fresh bool `json:"fresh,omitempty"`
	// Begun: its logs were looked for. One that is not in Logs was not there.
	Begun bool `json:"begun,omitempty"`
	// Done: all of it was shown that is to be shown.
	Done bool                `json:"done,omitempty"`
	Logs map[string]Position `json:"logs,omitempty"`
}

// Position is how far one log was shown.
type Position struct {
	// Path is the file's, and Mod when it was written last. Both only help to
	// find it: its name may change.
	Path string    `json:"path"`
	Mod  time.Time `json:"mod,omitzero"`
	// At is the place in the file. Sum is a digest of the bytes [From, At), by
	// which the file is known again; "" where nothing of the log was read.
	At   int64  `json:"at"`
	From int64  `json:"from"`
	Sum  string `json:"sum,omitempty"`
	// Partial is what was read of a line that is not complete.
	Partial []byte `json:"partial,omitempty"`
	// Older are files that need not be read: size and time of each.
	Older []string `json:"older,omitempty"`
	// Hidden: the line before was left out because of its time, and so are those
	// behind it that have none.
	Hidden bool `json:"hidden,omitempty"`
}

// Marker is a Sink that wants bookmarks. Mark is called by the goroutine that
// calls Lines: the bookmarks say what is shown with those lines. A bookmark
// has only what has changed since the last one for the same allocation.
type Marker interface {
	Sink
	Mark([]Bookmark) error
}

// Bookmarks are those of a topology, by allocation.
type Bookmarks map[string]Bookmark

// Take adds what a Marker got.
func (b Bookmarks) Take(changes []Bookmark) {
	for _, c := range changes {
		there := b[c.Allocation]
		logs := maps.Clone(there.Logs)
		if logs == nil {
			logs = map[string]Position{}
		}
		maps.Copy(logs, c.Logs)
		c.Logs = logs
		c.Fresh, c.Begun, c.Done = c.Fresh || there.Fresh, c.Begun || there.Begun, c.Done || there.Done
		b[c.Allocation] = c
	}
}

// List is all of them, in the order of the allocations.
func (b Bookmarks) List() []Bookmark {
	list := make([]Bookmark, 0, len(b))
	for _, allocation := range slices.Sorted(maps.Keys(b)) {
		list = append(list, b[allocation])
	}
	return list
}

// check refuses bookmarks that no Show made.
func (b Bookmarks) check() error {
	for _, one := range b {
		for log, p := range one.Logs {
			if p.From < 0 || p.At < p.From || p.At-p.From > 2*markSize || len(p.Partial) > 2*maxLine {
				return outcome.Errorf(outcome.Usage, "the bookmark of log %q of allocation %q is none: from %d to %d, %d bytes of a line",
					log, one.Allocation, p.From, p.At, len(p.Partial))
			}
		}
	}
	return nil
}

// bookmark says how far the logs of a container were shown, all or some of them;
// nil where nobody wants to know.
func (c *container) bookmark(logs ...string) *Bookmark {
	if !c.marking {
		return nil
	}
	b := &Bookmark{Allocation: c.allocation, Fresh: c.fresh, Begun: c.begun, Logs: map[string]Position{}}
	for _, log := range logs {
		b.Logs[log] = c.streams[log].position()
	}
	return b
}

// allLogs are the names of the logs that were found.
func (c *container) allLogs() []string { return slices.Collect(maps.Keys(c.streams)) }

// restore goes on where a bookmark says.
func (c *container) restore(b Bookmark) {
	c.fresh, c.begun, c.matched = b.Fresh, b.Begun, len(b.Logs) > 0
	c.streams = map[string]*stream{}
	for log, p := range b.Logs {
		s := c.stream(log)
		s.restore(p)
		c.streams[log] = s
	}
}

// position is how far the stream was read.
func (s *stream) position() Position {
	p := Position{
		Path: s.path, Mod: s.mod, At: s.pos, From: s.markAt, Sum: s.sum, Partial: bytes.Clone(s.partial), Hidden: s.filter.hidden,
	}
	if len(s.mark) > 0 {
		p.Sum = digest(s.mark)
	}
	for key := range s.older {
		p.Older = append(p.Older, key.String())
	}
	slices.Sort(p.Older)
	return p
}

func (s *stream) restore(p Position) {
	s.path, s.mod, s.pos, s.markAt, s.sum = p.Path, p.Mod, p.At, p.From, p.Sum
	s.partial, s.filter.hidden = p.Partial, p.Hidden
	s.older = map[fileKey]bool{}
	for _, text := range p.Older {
		if key, ok := parseKey(text); ok {
			s.older[key] = true
		}
	}
}

// digest identifies what stands before a position.
func digest(mark []byte) string {
	sum := sha256.Sum256(mark)
	return fmt.Sprintf("%x", sum[:16])
}

// String is the key in a bookmark.
func (k fileKey) String() string {
	if k.mod.IsZero() {
		return strconv.FormatInt(k.size, 10)
	}
	return fmt.Sprintf("%d %s", k.size, k.mod.Format(time.RFC3339Nano))
}

func parseKey(text string) (k fileKey, ok bool) {
	size, mod, dated := strings.Cut(text, " ")
	var err error
	if k.size, err = strconv.ParseInt(size, 10, 64); err == nil && dated {
		k.mod, err = time.Parse(time.RFC3339Nano, mod)
	}
	k.mod = k.mod.UTC()
	return k, err == nil
}

// resumed are the containers that an earlier Show began with and did not end.
func (r *reader) resumed(list []nomad.Container) []nomad.Container {
	list = slices.DeleteFunc(slices.Clone(list), func(c nomad.Container) bool {
		mark, known := r.options.From[c.ID]
		return !known || mark.Done || !r.wanted(c)
	})
	slices.SortStableFunc(list, func(a, b nomad.Container) int { return a.Index - b.Index })
	return list
}

// begin marks the containers that are to be shown, all at once: what is not among
// them was there before, or comes later.
func (r *reader) begin(list []nomad.Container) error {
	if r.marker == nil {
		return nil
	}
	marks := make([]Bookmark, 0, len(list))
	for _, c := range list {
		marks = append(marks, Bookmark{Allocation: c.ID, Fresh: true})
	}
	return r.marker.Mark(marks)
}

// ended marks that all of a container was shown.
func (r *reader) ended(c nomad.Container) error {
	if r.marker == nil {
		return nil
	}
	return r.marker.Mark([]Bookmark{{Allocation: c.ID, Done: true}})
}

// matched says that an earlier Show has found something to show.
func (r *reader) matched() bool {
	for _, mark := range r.options.From {
		if len(mark.Logs) > 0 {
			return true
		}
	}
	return false
}

// block is what was read at once: lines of one log, and how far its container
// was shown with them.
type block struct {
	lines []Line
	mark  *Bookmark
}

// deliver hands blocks to the sink.
func (r *reader) deliver(b block) error {
	if len(b.lines) > 0 {
		if err := r.sink.Lines(b.lines); err != nil {
			return err
		}
	}
	if b.mark == nil {
		return nil
	}
	return r.marker.Mark([]Bookmark{*b.mark})
}
