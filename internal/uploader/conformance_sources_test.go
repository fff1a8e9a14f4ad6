package uploader

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"sync/atomic"
)

// source is a package of pseudo-random content, and the content.
func source(name string, size int) (Source, []byte) {
	data := make([]byte, size)
	if _, err := generated(size).ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		panic(err)
	}
	return streamed(name, int64(size)), data
}

// streamed is source for content of any size.
func streamed(name string, size int64) Source {
	digest := hex.EncodeToString(generated(size).sum())
	return Source{
		Name: name + "/" + digest + ".tar.gz", Size: size, SHA256: digest,
		Open: func() (Content, error) { return newContent(generated(size)), nil },
	}
}

// generated is content of so many bytes that takes no memory. Whatever is
// shorter begins like whatever is longer.
type generated int64

// ReadAt makes each eight bytes from where they are, by the finalizer of
// SplitMix64.
func (g generated) ReadAt(p []byte, off int64) (n int, err error) {
	if off >= int64(g) {
		return 0, io.EOF
	}
	if int64(len(p)) > int64(g)-off {
		p, err = p[:int64(g)-off], io.EOF
	}
	var word [8]byte
	for n < len(p) {
		at := off + int64(n)
		x := uint64(at/8)*0x9e3779b97f4a7c15 + 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(word[:], x^x>>31)
		n += copy(p[n:], word[at%8:])
	}
	return n, err
}

func (g generated) sum() []byte {
	digest := sha256.New()
	if _, err := io.Copy(digest, io.NewSectionReader(g, 0, int64(g))); err != nil {
		panic(err)
	}
	return digest.Sum(nil)
}

// content reads generated content; like a file it errs once it is closed.
type content struct {
	*io.SectionReader
	closed atomic.Bool
}

func newContent(g generated) *content {
	return &content{SectionReader: io.NewSectionReader(g, 0, int64(g))}
}

func (c *content) Read(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, errClosed
	}
	return c.SectionReader.Read(p)
}

func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if c.closed.Load() {
		return 0, errClosed
	}
	return c.SectionReader.ReadAt(p, off)
}

func (c *content) Close() error {
	if c.closed.Swap(true) {
		return errClosed
	}
	return nil
}

var (
	errClosed = errors.New("the source is closed already")
	errBroken = errors.New("broken source")
)

// breaking gives n bytes of the content and then fails.
func breaking(open func() (Content, error), n int64) func() (Content, error) {
	return over(open, func(c Content) Content { return &broken{Content: c, whole: n} })
}

// over changes what is opened.
func over(open func() (Content, error), change func(Content) Content) func() (Content, error) {
	return func() (Content, error) {
		c, err := open()
		if err != nil {
			return nil, err
		}
		return change(c), nil
	}
}

// broken gives the first whole bytes.
type broken struct {
	Content
	whole, at int64
}

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.ReadAt(p, b.at)
	b.at += int64(n)
	return n, err
}

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.whole {
		return 0, errBroken
	}
	if int64(len(p)) > b.whole-off {
		n, _ := b.Content.ReadAt(p[:b.whole-off], off)
		return n, errBroken
	}
	return b.Content.ReadAt(p, off)
}

// tripping calls trip when so many bytes have been read, each time that more
// are.
func tripping(open func() (Content, error), at int64, trip func()) func() (Content, error) {
	left := new(atomic.Int64)
	left.Store(at)
	return over(open, func(c Content) Content { return &tripwire{c, left, trip} })
}

type tripwire struct {
	Content
	left *atomic.Int64
	trip func()
}

func (w *tripwire) Read(p []byte) (int, error) {
	n, err := w.Content.Read(p)
	return w.count(n), err
}

func (w *tripwire) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.Content.ReadAt(p, off)
	return w.count(n), err
}

func (w *tripwire) count(n int) int {
	if w.left.Add(int64(-n)) <= 0 {
		w.trip()
	}
	return n
}

// counting counts how often a source is opened and how often closed again.
func counting(open func() (Content, error), opened, closed *atomic.Int32) func() (Content, error) {
	return over(open, func(c Content) Content {
		opened.Add(1)
		return &closeCounter{c, closed}
	})
}

type closeCounter struct {
	Content
	closed *atomic.Int32
}

func (c *closeCounter) Close() error {
	c.closed.Add(1)
	return c.Content.Close()
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
