package files

import (
	"io"
	"runtime"
	"sync"
)

// pieceSize is how much of a file is digested and written at a time.
const pieceSize = 256 << 10

// copier copies what clients send. It takes large pieces from however small ones
// arrive, and lets only some clients' pieces be worked on at a time: digesting
// and writing keep a processor busy, and other requests need one too.
type copier struct {
	buffers sync.Pool
	working chan struct{}
}

func newCopier() *copier {
	return &copier{
		buffers: sync.Pool{New: func() any { return new([pieceSize]byte) }},
		working: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
}

// copy copies until src ends or fails.
func (c *copier) copy(dst io.Writer, src io.Reader) (n int64, err error) {
	buffer := c.buffers.Get().(*[pieceSize]byte)
	defer c.buffers.Put(buffer)
	for err == nil {
		var filled int
		filled, err = fill(buffer[:], src)
		written, writeErr := c.write(dst, buffer[:filled])
		n += int64(written)
		if writeErr != nil {
			return n, writeErr
		}
	}
	if err == io.EOF { //nolint:errorlint // a wrapped one is an error
		err = nil
	}
	return n, err
}

// fill reads until a buffer is full or there is an error.
func fill(p []byte, src io.Reader) (n int, err error) {
	for n < len(p) && err == nil {
		var read int
		read, err = src.Read(p[n:])
		n += read
	}
	return n, err
}

// write writes a piece when it is its turn.
func (c *copier) write(dst io.Writer, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.working <- struct{}{}
	defer func() { <-c.working }()
	return dst.Write(p)
}

// Copy copies what a client sends to a file of its request. Of many at the same
// time only some are worked on.
func (s *Store) Copy(dst io.Writer, src io.Reader) (int64, error) { return s.copier.copy(dst, src) }
