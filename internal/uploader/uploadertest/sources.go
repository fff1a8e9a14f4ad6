package uploadertest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"sync/atomic"

	"github.com/heron-nomad/heron/internal/uploader"
)

// Source is a package of pseudo-random content, and the content.
func Source(name string, size int) (uploader.Source, []byte) {
	data := make([]byte, size)
	if _, err := Generated(size).ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		panic(err)
	}
	return Streamed(name, int64(size)), data
}

// Streamed is Source for content of any size.
func Streamed(name string, size int64) uploader.Source {
	digest := hex.EncodeToString(Generated(size).sum())
	return uploader.Source{
		Name: name + "/" + digest + ".tar.gz", Size: size, SHA256: digest,
		Open: func() (uploader.Content, error) { return newContent(Generated(size)), nil },
	}
}

// Generated is content of so many bytes that takes no memory. Whatever is
// shorter begins like whatever is longer.
type Generated int64

// ReadAt makes each eight bytes from where they are, by the finalizer of
// SplitMix64.
func (g Generated) ReadAt(p []byte, off int64) (n int, err error) {
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

func (g Generated) sum() []byte {
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

func newContent(g Generated) *content {
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

// ErrBroken is the error of sources that Breaking made.
var ErrBroken = errors.New("broken source")

var errClosed = errors.New("the source is closed already")

// Breaking gives n bytes of the content and then fails.
func Breaking(open func() (uploader.Content, error), n int64) func() (uploader.Content, error) {
	return over(open, func(c uploader.Content) uploader.Content { return &broken{Content: c, whole: n} })
}

// over changes what is opened.
func over(open func() (uploader.Content, error), change func(uploader.Content) uploader.Content) func() (uploader.Content, error) {
	return func() (uploader.Content, error) {
		c, err := open()
		if err != nil {
			return nil, err
		}
		return change(c), nil
	}
}

// broken gives the first whole bytes.
type broken struct {
	uploader.Content
	whole, at int64
}

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.ReadAt(p, b.at)
	b.at += int64(n)
	return n, err
}

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.whole {
		return 0, ErrBroken
	}
	if int64(len(p)) > b.whole-off {
		n, _ := b.Content.ReadAt(p[:b.whole-off], off)
		return n, ErrBroken
	}
	return b.Content.ReadAt(p, off)
}

// Tripping calls trip when so many bytes have been read, each time that more
// are.
func Tripping(open func() (uploader.Content, error), at int64, trip func()) func() (uploader.Content, error) {
	left := new(atomic.Int64)
	left.Store(at)
	return over(open, func(c uploader.Content) uploader.Content { return &tripwire{c, left, trip} })
}

type tripwire struct {
	uploader.Content
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
func counting(open func() (uploader.Content, error), opened, closed *atomic.Int32) func() (uploader.Content, error) {
	return over(open, func(c uploader.Content) uploader.Content {
		opened.Add(1)
		return &closeCounter{c, closed}
	})
}

type closeCounter struct {
	uploader.Content
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
