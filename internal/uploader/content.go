package uploader

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// short is the error of a content that ends after n bytes, before it should.
func (s Source) short(n int64) error {
	return fmt.Errorf("%w: %d bytes instead of %d; the file was changed meanwhile", ErrContent, n, s.Size)
}

// check says whether a content of which as much was read as announced is what
// the source announced: nothing is left of it, and its SHA-256, which is asked
// for then, is that of the source.
func (s Source) check(rest io.Reader, sum func() string) error {
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

// hexOf gives a digest in lower-case hex, when it is asked for.
func hexOf(h hash.Hash) func() string {
	return func() string { return hex.EncodeToString(h.Sum(nil)) }
}
