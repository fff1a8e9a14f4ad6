package logs

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"
)

const (
	// blockSize is how much of a file is read at a time.
	blockSize = 64 << 10
	// markSize is how much of what stands before a position identifies it: some
	// lines, because parts of lines are often the same.
	markSize = 512
	// maxLine is where a line is broken.
	maxLine = 64 << 10
)

// errNoFile: a file or folder is not there.
var errNoFile = errors.New("no such file")

// folder is where the files of a container are.
type folder interface {
	// files lists a folder; errNoFile where it is not there.
	files(ctx context.Context, dir string) ([]file, error)
	// text is what the bytes [from, to) of a file say; to is not beyond what
	// files said. It is less where the file is shorter by now.
	text(ctx context.Context, path string, from, to int64) ([]byte, error)
	// exact says that text is the bytes themselves. Else what is not UTF-8 is
	// U+FFFD in it.
	exact() bool
}

// stream is one log, and how far it was read.
type stream struct {
	folder folder
	// carry: a line may go on in the next file.
	carry bool
	emit  func(path string, lines [][]byte) error
	// filter leaves out lines because of their time.
	filter sinceFilter
	// lost is told where a file was gone before all of it was read.
	lost func()

	// pos is in the file in which mark stands before it, from markAt on. No mark
	// means that nothing was read.
	pos, markAt int64
	mark        []byte
	// sum is a digest of the mark where that itself is not known yet: from a
	// bookmark.
	sum string
	// mod is the file's when it was looked at last.
	mod time.Time
	// older are files that need not be read.
	older   map[fileKey]bool
	partial []byte
	path    string
}

// fileKey tells files apart whose names change.
type fileKey struct {
	size int64
	mod  time.Time
}

func (e entry) key() fileKey { return fileKey{e.size, e.mod.UTC()} }

// sameFiles says that no file was renamed or added between two lists. Only the
// newest grows.
func sameFiles(now, before []entry) bool {
	if len(now) != len(before) {
		return false
	}
	for i, e := range now {
		if e.path != before[i].path || i > 0 && e.key() != before[i].key() || e.size < before[i].size {
			return false
		}
	}
	return true
}

// outcomes of a pass.
type passed int

const (
	// passDone: everything that was listed is read.
	passDone passed = iota
	// passAgain: the files have changed meanwhile; list them once more.
	passAgain
	// passLost: none of the files is the one that was read last, which was not
	// renamed meanwhile either.
	passLost
)

// pass reads what is new in the files of the log, newest first. relist lists
// them once more. With force, a log whose file is not found is read from its
// oldest file that was not there before. With trust, a file of the name that
// was read last counts as the same one, if reading it does not show another.
func (s *stream) pass(ctx context.Context, entries []entry, trust, force bool, relist func(context.Context) ([]entry, error)) (passed, error) {
	at := -1
	if len(s.mark) > 0 || s.sum != "" {
		var err error
		if at, err = s.find(ctx, entries, trust); err != nil {
			return passDone, err
		}
		if at < 0 {
			now, err := relist(ctx)
			switch {
			case err != nil:
				return passDone, err
			case !sameFiles(now, entries):
				return passAgain, nil // they were renamed while it was looked for
			case !force:
				return passLost, nil
			}
			if err := s.flush(); err != nil {
				return passDone, err
			}
			s.pos, s.mark, s.markAt, s.sum = 0, nil, 0, ""
			if len(entries) > 0 {
				s.lost()
			}
		}
	}
	if at < 0 {
		at = len(entries) - 1
		for at >= 0 && (entries[at].size == 0 || s.older[entries[at].key()]) {
			at--
		}
		if at < 0 {
			return passDone, nil
		}
		how, err := s.begin(ctx, entries, at, relist)
		if how != passDone || err != nil {
			return how, err
		}
	}
	for {
		how, err := s.toEnd(ctx, entries[at])
		if how != passDone || err != nil {
			return how, err
		}
		next := at - 1
		for next >= 0 && entries[next].size == 0 {
			next--
		}
		if next < 0 {
			break
		}
		if how, err = s.move(ctx, entries, at, next, relist); how != passDone || err != nil {
			return how, err
		}
		at = next
	}
	s.mod = entries[at].mod
	s.older = map[fileKey]bool{}
	for _, e := range entries[at+1:] {
		s.older[e.key()] = true
	}
	return passDone, nil
}

// find is the index of the file that was read last, -1 where none is it.
func (s *stream) find(ctx context.Context, entries []entry, trust bool) (int, error) {
	for i, e := range entries {
		if e.size < s.pos {
			continue
		}
		known := i == 0 && s.sum == ""
		if known && e.size == s.pos && e.mod.Equal(s.mod) && !s.mod.IsZero() && e.path == s.path {
			return 0, nil // nothing has happened
		}
		if known && trust && e.size > s.pos && e.path == s.path && s.folder.exact() {
			return 0, nil // toEnd compares
		}
		same, err := s.is(ctx, e)
		if same || err != nil {
			return i, err
		}
	}
	return -1, nil
}

// is says whether the mark stands in a file.
func (s *stream) is(ctx context.Context, e entry) (bool, error) {
	text, err := s.folder.text(ctx, e.path, s.markAt, s.pos)
	if errors.Is(err, errNoFile) {
		return false, nil
	}
	switch {
	case err != nil:
		return false, err
	case s.sum == "":
		return bytes.Equal(text, s.mark), nil
	case digest(text) != s.sum:
		return false, nil
	}
	s.mark, s.sum = text, ""
	return true, nil
}

// begin reads the first block of a log that was not read before.
func (s *stream) begin(ctx context.Context, entries []entry, at int, relist func(context.Context) ([]entry, error)) (passed, error) {
	e := entries[at]
	text, end, err := s.read(ctx, e.path, 0, min(e.size, blockSize))
	if err != nil || end == 0 {
		return gone(err)
	}
	// The files may have been renamed between the list and the reading. Then
	// there is one more, and older ones have other names.
	now, err := relist(ctx)
	if err != nil {
		return gone(err)
	}
	if !sameFiles(now, entries) {
		return passAgain, nil
	}
	return passDone, s.take(ctx, e.path, text, 0, end)
}

// toEnd reads the file at hand as far as it was listed.
func (s *stream) toEnd(ctx context.Context, e entry) (passed, error) {
	for s.pos < e.size {
		to := min(e.size, s.pos+blockSize)
		if s.folder.exact() {
			// One request tells both what is new and that it is the same file.
			text, err := s.folder.text(ctx, e.path, s.markAt, to)
			if err != nil {
				return gone(err)
			}
			fresh, same := bytes.CutPrefix(text, s.mark)
			if !same || len(fresh) == 0 {
				return passAgain, nil
			}
			if err := s.take(ctx, e.path, fresh, s.pos, s.pos+int64(len(fresh))); err != nil {
				return passDone, err
			}
			continue
		}
		text, end, err := s.read(ctx, e.path, s.pos, to)
		if err != nil {
			return gone(err)
		}
		// Looked at after the reading: what was read is of the same file.
		if same, err := s.is(ctx, e); err != nil || !same {
			return passAgain, err
		}
		if end == s.pos {
			return passDone, nil // a character that is not complete yet
		}
		if err := s.take(ctx, e.path, text, s.pos, end); err != nil {
			return passDone, err
		}
	}
	return passDone, nil
}

// move goes on to the next newer file. That it is the next one, and that
// nothing is left of the one before, is certain if after the reading the one
// before still has its name, and its size is the position.
func (s *stream) move(ctx context.Context, entries []entry, at, next int, relist func(context.Context) ([]entry, error)) (passed, error) {
	from, to := entries[at], entries[next]
	text, end, err := s.read(ctx, to.path, 0, min(to.size, blockSize))
	if err != nil || end == 0 {
		return gone(err)
	}
	now, err := relist(ctx)
	if err != nil {
		return gone(err)
	}
	if len(now) <= at || now[at].path != from.path || now[at].size != s.pos {
		return passAgain, nil
	}
	if same, err := s.is(ctx, from); err != nil || !same {
		return passAgain, err
	}
	if !s.carry {
		if err := s.flush(); err != nil {
			return passDone, err
		}
	}
	return passDone, s.take(ctx, to.path, text, 0, end)
}

// gone is the outcome of a request that failed: where the file is not there
// any more the files are listed again.
func gone(err error) (passed, error) {
	if err == nil || errors.Is(err, errNoFile) {
		return passAgain, nil
	}
	return passDone, err
}

// replaced is what a byte that is not UTF-8 becomes.
const replaced = "\uFFFD"

// read reads whole characters of the bytes [from, to) of a file, and says where
// they end.
func (s *stream) read(ctx context.Context, path string, from, to int64) (text []byte, end int64, err error) {
	text, err = s.folder.text(ctx, path, from, to)
	switch {
	case err != nil:
		return nil, from, err
	case s.folder.exact() || int64(len(text)) < to-from && !bytes.Contains(text, []byte(replaced)):
		return text, from + int64(len(text)), nil
	case !bytes.HasSuffix(text, []byte(replaced)):
		return text, to, nil
	}
	// The last character may be cut off: it is one of up to four bytes.
	for cut := to - 1; cut >= max(from, to-3); cut-- {
		if cut == from {
			return nil, from, nil
		}
		if text, err = s.folder.text(ctx, path, from, cut); err != nil {
			return nil, from, err
		}
		if !bytes.HasSuffix(text, []byte(replaced)) {
			return text, cut, nil
		}
	}
	text, err = s.folder.text(ctx, path, from, to)
	return text, to, err
}

// take shows the lines that end in the text of the bytes [from, end), and
// notes the new position.
func (s *stream) take(ctx context.Context, path string, text []byte, from, end int64) error {
	if err := s.remember(ctx, path, text, from, end); err != nil {
		return err
	}
	var lines [][]byte
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			s.partial = append(s.partial, line...)
			if len(s.partial) >= maxLine {
				lines = append(lines, s.partial)
				s.partial = nil
			}
			break
		}
		if len(s.partial) > 0 {
			line = append(s.partial, line...)
			s.partial = nil
		}
		lines = append(lines, bytes.TrimSuffix(line, []byte("\r")))
		text = rest
	}
	if len(lines) == 0 {
		return nil
	}
	return s.emit(path, lines)
}

// remember makes the end of the text the position.
func (s *stream) remember(ctx context.Context, path string, text []byte, from, end int64) error {
	if from != s.pos || from == 0 {
		s.mark, s.markAt = nil, from
	}
	s.path = path
	if s.folder.exact() || int64(len(text)) == end-from && !bytes.Contains(text, []byte(replaced)) {
		whole := slices.Concat(s.mark, text[max(0, len(text)-markSize):])
		cut := max(0, len(whole)-markSize)
		for cut < len(whole) && cut > 0 && !utf8.RuneStart(whole[cut]) {
			cut++
		}
		if cut == len(whole) { // not UTF-8
			cut = max(0, len(whole)-markSize)
		}
		s.mark = bytes.Clone(whole[cut:])
		s.pos, s.markAt = end, end-int64(len(s.mark))
		return nil
	}
	markAt := max(0, end-markSize)
	mark, err := s.folder.text(ctx, path, markAt, end)
	if err != nil {
		return err
	}
	s.pos, s.markAt, s.mark = end, markAt, mark
	return nil
}

// flush shows a last line that nothing ended.
func (s *stream) flush() error {
	if len(s.partial) == 0 {
		return nil
	}
	line := bytes.TrimSuffix(s.partial, []byte("\r"))
	s.partial = nil
	return s.emit(s.path, [][]byte{line})
}
