package files

import (
	"hash"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// pieceSize is how much of a file is digested and written at a time.
const pieceSize = 256 << 10

// copier copies what clients send. It takes large pieces from however small ones
// arrive, and lets only some clients' pieces be worked on at a time: digesting
// and writing keep a processor busy, and other requests need one too. While a
// piece is worked on, the next one is read; where there is one client alone, a
// piece is digested and written at the same time.
type copier struct {
	buffers sync.Pool
	working chan struct{}
	clients atomic.Int32
}

func newCopier() *copier {
	return &copier{
		buffers: sync.Pool{New: func() any { return new([pieceSize]byte) }},
		working: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
}

// piece is what was read into a buffer.
type piece struct {
	buffer *[pieceSize]byte
	filled int
}

// copy copies until src ends or fails, or dst does. What dst gets is digested.
func (c *copier) copy(dst io.Writer, digest hash.Hash, src io.Reader) (n int64, err error) {
	c.clients.Add(1)
	defer c.clients.Add(-1)
	pieces, stopped := make(chan piece), make(chan struct{})
	var writeErr error
	go func() {
		defer close(stopped)
		n, writeErr = c.writeAll(dst, digest, pieces)
	}()
	err = c.readAll(src, pieces, stopped)
	close(pieces)
	<-stopped
	if writeErr != nil {
		err = writeErr
	}
	return n, err
}

// readAll reads pieces until there are no more, or nobody takes them any longer.
func (c *copier) readAll(src io.Reader, pieces chan<- piece, stopped <-chan struct{}) error {
	for {
		p := piece{buffer: c.buffers.Get().(*[pieceSize]byte)}
		var err error
		p.filled, err = fill(p.buffer[:], src)
		select {
		case pieces <- p:
		case <-stopped:
			return nil
		}
		if err == io.EOF { //nolint:errorlint // a wrapped one is an error
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// writeAll writes pieces until there are no more, or dst fails.
func (c *copier) writeAll(dst io.Writer, digest hash.Hash, pieces <-chan piece) (n int64, err error) {
	for p := range pieces {
		var written int
		written, err = c.write(dst, digest, p.buffer[:p.filled])
		c.buffers.Put(p.buffer)
		n += int64(written)
		if err != nil {
			break
		}
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

// write digests and writes a piece when it is its turn.
func (c *copier) write(dst io.Writer, digest hash.Hash, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.working <- struct{}{}
	defer func() { <-c.working }()
	if c.clients.Load() > 1 {
		digest.Write(p)
		return dst.Write(p)
	}
	digested := make(chan struct{})
	go func() {
		defer close(digested)
		digest.Write(p)
	}()
	n, err := dst.Write(p)
	<-digested
	return n, err
}

// Copy copies what a client sends to a file of its request, and digests it. Of
// many at the same time only some are worked on. Where dst fails, the digest is
// of no use.
func (s *Store) Copy(dst io.Writer, digest hash.Hash, src io.Reader) (int64, error) {
	return s.copier.copy(dst, digest, src)
}
