package logs

import (
	"context"

	"github.com/heron-nomad/heron/internal/nomad"
)

// beginning is how an allocation is begun with.
type beginning int

const (
	// The zero value is a newcomer, placed since: all it writes is shown.
	_ beginning = iota
	// resident: it was there before, and Tail and Since count.
	resident
	// bygone: nothing of it is to be shown.
	bygone
	// shown: all of it was shown; what takes its place may go on from there.
	shown
)

// began says which of the allocations are not newcomers.
func (f *follower) began(list []nomad.Container, first bool) map[string]beginning {
	known := map[string]beginning{}
	switch {
	case !first:
	case f.options.From != nil:
		for id, mark := range f.options.From {
			switch {
			case mark.Done && len(mark.Logs) == 0:
				known[id] = bygone
			case mark.Done:
				known[id] = shown
			case mark.Fresh:
				known[id] = resident
			}
		}
	default:
		for _, c := range list {
			known[c.ID] = bygone
		}
		for _, c := range f.selected(list) {
			known[c.ID] = resident
		}
	}
	return known
}

// begin begins with an allocation.
func (f *follower) begin(ctx context.Context, one *followed, how beginning) {
	before := f.last[one.Index]
	if !f.wanted(one.Container) || how == bygone {
		close(one.done)
		return
	}
	f.last[one.Index] = one
	one.reading = f.container(one.Container, how == resident, func(b block) error {
		one.wrote = one.wrote || len(b.lines) > 0
		return f.display(b)
	})
	if how == shown {
		close(one.done)
		return
	}
	f.reading.Go(func() { f.one(ctx, one, before) })
}

// mark marks all allocations that there are at first, at once: those that nobody
// marked come later.
func (f *follower) mark(list []nomad.Container, began map[string]beginning) {
	if f.marker == nil {
		return
	}
	marks := make([]Bookmark, 0, len(list))
	for _, c := range list {
		marks = append(marks, Bookmark{Allocation: c.ID, Fresh: began[c.ID] == resident, Done: began[c.ID] == bygone})
	}
	f.output.Lock()
	defer f.output.Unlock()
	if err := f.marker.Mark(marks); err != nil {
		f.cancel(err)
	}
}

// markEnd marks that all of an allocation was shown.
func (f *follower) markEnd(c *followed) {
	if f.marker != nil {
		// An error ends the command, which display sees to.
		_ = f.display(block{mark: &Bookmark{Allocation: c.ID, Done: true}})
	}
}

// display shows what was read of one container.
func (f *follower) display(b block) error {
	f.output.Lock()
	defer f.output.Unlock()
	err := f.deliver(b)
	if err != nil {
		f.cancel(err)
	}
	return err
}
