package logs

import (
	"bytes"
	"context"
	"errors"
)

// startAt makes a place in a file the position of a log of which nothing was
// read: files older than it, entries[at+1:], are left out.
func (s *stream) startAt(ctx context.Context, entries []entry, at int, pos int64) error {
	s.older = map[fileKey]bool{}
	for _, e := range entries[at+1:] {
		s.older[e.key()] = true
	}
	if pos == 0 {
		return nil
	}
	s.path, s.pos, s.markAt = entries[at].path, pos, max(0, pos-markSize)
	mark, err := s.folder.text(ctx, s.path, s.markAt, pos)
	s.mark = mark
	return err
}

// startAtTail makes the place where the last n lines begin the position. The
// log is read backwards from its end, in blocks.
func (s *stream) startAtTail(ctx context.Context, entries []entry, n int) error {
	newest := 0
	for newest < len(entries) && entries[newest].size == 0 {
		newest++
	}
	if newest == len(entries) {
		return nil
	}
	// Newlines that have to be seen: that of the line before, and those of the
	// lines themselves. A last line that is not complete has none.
	want := n + 1
	last, err := s.folder.text(ctx, entries[newest].path, entries[newest].size-1, entries[newest].size)
	if err != nil {
		return missing(err)
	}
	if !bytes.Equal(last, []byte("\n")) {
		want = max(1, n)
	}
	for i := newest; i < len(entries); i++ {
		pos, left, err := s.newlineBefore(ctx, entries[i], want)
		if err != nil {
			return missing(err)
		}
		if left == 0 {
			if pos == entries[i].size && i > newest {
				return s.startAt(ctx, entries, i-1, 0)
			}
			return s.startAt(ctx, entries, i, pos)
		}
		want = left
	}
	return nil // all of it
}

// missing says that a file which is gone is no error: it was rotated, and the
// log is read from its beginning instead.
func missing(err error) error {
	if errors.Is(err, errNoFile) {
		return nil
	}
	return err
}

// newlineBefore is the place after the want-th newline from the end of a file.
// left says how many are missing there.
func (s *stream) newlineBefore(ctx context.Context, e entry, want int) (pos int64, left int, err error) {
	for to := e.size; to > 0; {
		from := max(0, to-blockSize)
		text, err := s.folder.text(ctx, e.path, from, to)
		if err != nil {
			return 0, 0, err
		}
		if have := bytes.Count(text, []byte("\n")); have < want {
			want -= have
			to = from
			continue
		}
		if int64(len(text)) == to-from && (s.folder.exact() || !bytes.Contains(text, []byte(replaced))) {
			for ; want > 1; want-- {
				text = text[:bytes.LastIndexByte(text, '\n')]
			}
			return from + int64(bytes.LastIndexByte(text, '\n')) + 1, 0, nil
		}
		pos, err := s.bisect(ctx, e.path, from, to, want)
		return pos, 0, err
	}
	return 0, want, nil
}

// bisect is newlineBefore where it is not known which bytes the text stands
// for: it counts in halves.
func (s *stream) bisect(ctx context.Context, path string, from, to int64, want int) (int64, error) {
	for to-from > 1 {
		middle := from + (to-from)/2
		text, err := s.folder.text(ctx, path, middle, to)
		if err != nil {
			return 0, err
		}
		if have := bytes.Count(text, []byte("\n")); have >= want {
			from = middle
		} else {
			want -= have
			to = middle
		}
	}
	return from + 1, nil
}
