package uploader

import (
	"slices"
	"sync"
)

// coverage is which bytes of a content have been read. What is read twice,
// for a digest or by a protocol library that sends a part again, counts once.
type coverage struct {
	mu sync.Mutex
	// spans are apart from each other and in order.
	spans []span
	total int64
}

// span is from an offset up to another.
type span struct{ from, to int64 }

// add counts n bytes from off on, as far as they lie below size, and returns
// how many bytes are covered now and whether these added any.
func (c *coverage) add(off, n, size int64) (total int64, more bool) {
	s := span{max(off, 0), min(off+n, size)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.to <= s.from {
		return c.total, false
	}
	before := c.total
	// All that touch it become one with it.
	first, _ := slices.BinarySearchFunc(c.spans, s.from, func(x span, from int64) int {
		if x.to < from {
			return -1
		}
		return 1
	})
	last := first
	c.total += s.to - s.from
	for last < len(c.spans) && c.spans[last].from <= s.to {
		x := c.spans[last]
		c.total -= min(x.to, s.to) - max(x.from, s.from)
		last++
	}
	if last > first {
		s.from, s.to = min(s.from, c.spans[first].from), max(s.to, c.spans[last-1].to)
	}
	c.spans = slices.Replace(c.spans, first, last, s)
	return c.total, c.total > before
}
