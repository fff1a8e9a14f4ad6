package uploader

import (
	"errors"
	"io"
	"sync/atomic"
)

// tap sees what is read of a content.
type tap struct {
	Content
	// seen is called for each span that was read or need not be sent, from
	// several goroutines at once.
	seen func(off, n int64)
	// failed is called with the content's own errors.
	failed func(error)
	at     atomic.Int64
	closed atomic.Bool
}

// tapped puts a tap on what a source opens. Either function may be nil.
func tapped(src Source, seen func(off, n int64), failed func(error)) Source {
	if seen == nil {
		seen = func(int64, int64) {}
	}
	if failed == nil {
		failed = func(error) {}
	}
	open := src.Open
	src.Open = func() (Content, error) {
		c, err := open()
		if err != nil {
			failed(err)
			return nil, err
		}
		return &tap{Content: c, seen: seen, failed: failed}, nil
	}
	return src
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Content.Read(p)
	t.note(t.at.Add(int64(n))-int64(n), n, err)
	return n, err
}

func (t *tap) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.Content.ReadAt(p, off)
	t.note(off, n, err)
	return n, err
}

func (t *tap) note(off int64, n int, err error) {
	if n > 0 {
		t.seen(off, int64(n))
	}
	// A late read after Close fails through no fault of the content.
	if err != nil && !errors.Is(err, io.EOF) && !t.closed.Load() {
		t.failed(err)
	}
}

// Skip implements what the function Skip looks for.
func (t *tap) Skip(off, n int64) {
	t.seen(off, n)
	Skip(t.Content, off, n)
}

func (t *tap) unwatched() Content { return t.Content }

// Unwatched is for uploaders: the content behind all that watches it, for what
// is read and not sent.
func Unwatched(c Content) Content {
	for {
		w, ok := c.(interface{ unwatched() Content })
		if !ok {
			return c
		}
		c = w.unwatched()
	}
}

func (t *tap) Close() error {
	t.closed.Store(true)
	return t.Content.Close()
}
