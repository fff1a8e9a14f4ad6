package uploader

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Short is for uploaders: the error of a content that ends after n bytes,
// before it should.
func (s Source) Short(n int64) error {
	return fmt.Errorf("%w: %d bytes instead of %d; the file was changed meanwhile", ErrContent, n, s.Size)
}

// Verify is for uploaders that have read Size bytes of the content. It says
// whether that is what the source announced: nothing is left in rest, and the
// SHA-256, for which sum is then called, is that of the source.
func (s Source) Verify(rest io.Reader, sum func() string) error {
	// One byte more is enough to see that it is too much.
	switch n, err := io.ReadFull(rest, make([]byte, 1)); {
	case n > 0:
		return fmt.Errorf("%w: more than %d bytes; the file was changed meanwhile", ErrContent, s.Size)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("read the package: %w", err)
	}
	if got := sum(); got != s.SHA256 {
		return fmt.Errorf("%w: SHA-256 is %s instead of %s; the file was changed meanwhile", ErrContent, got, s.SHA256)
	}
	return nil
}

// Hex gives a digest in lower-case hex when it is called.
func Hex(h hash.Hash) func() string {
	return func() string { return hex.EncodeToString(h.Sum(nil)) }
}

// Skip tells those who watch a content that n bytes from off on need not be
// sent because the server has them already.
func Skip(c Content, off, n int64) {
	if s, ok := c.(interface{ Skip(off, n int64) }); ok {
		s.Skip(off, n)
	}
}
