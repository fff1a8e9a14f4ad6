package http

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// digestAhead is how many pieces of a content may wait to be digested, and
// digestPiece the size of each in bytes.
const (
	digestAhead = 8
	digestPiece = 256 << 10
)

// digest is a SHA-256 that is computed beside an upload, not in its way. One
// goroutine writes and asks; close may come from another.
type digest struct {
	// pieces wait to be digested, nil is the end; free is room for more.
	pieces, free chan []byte
	sum          chan string
	result       string
	quit         chan struct{}
	close        func()
}

func newDigest() *digest {
	d := &digest{
		pieces: make(chan []byte, digestAhead),
		// As many as can be under way, so that giving one back never waits.
		free: make(chan []byte, digestAhead+2),
		sum:  make(chan string, 1),
		quit: make(chan struct{}),
	}
	d.close = sync.OnceFunc(func() { close(d.quit) })
	go d.run()
	return d
}

func (d *digest) run() {
	h := sha256.New()
	for {
		select {
		case <-d.quit:
			return
		case p := <-d.pieces:
			if p == nil {
				d.sum <- hex.EncodeToString(h.Sum(nil))
				return
			}
			h.Write(p)
			d.free <- p[:0]
		}
	}
}

// write takes a copy of what comes next.
func (d *digest) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), digestPiece)
		var room []byte
		select {
		case room = <-d.free:
		default:
			room = make([]byte, 0, digestPiece)
		}
		select {
		case d.pieces <- append(room, p[:n]...):
		case <-d.quit:
			return
		}
		p = p[n:]
	}
}

// hex is the digest in lower-case hex of all that was written, "" after close.
// Nothing may be written after it.
func (d *digest) hex() string {
	if d.result != "" {
		return d.result
	}
	select {
	case d.pieces <- nil:
	case <-d.quit:
		return ""
	}
	select {
	case d.result = <-d.sum:
	case <-d.quit:
	}
	return d.result
}
