package uploader

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
)

// CopyBuffer is how much is read between two looks at the context, in bytes.
const CopyBuffer = 256 << 10

// targetWriter marks the errors of the place that is written to, so that they
// can be told from those of the source.
type targetWriter struct {
	w   io.Writer
	err error
}

func (t *targetWriter) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	if err != nil {
		t.err = err
	}
	return n, err
}

// ContextReader stops reading when its context is done.
type ContextReader struct {
	Context context.Context
	Reader  io.Reader
}

func (c ContextReader) Read(p []byte) (int, error) {
	if err := c.Context.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

// CopyVerified is for uploaders: it writes the whole source to w and checks
// size and digest on the way. inTarget tells errors of w from those of the
// source.
func CopyVerified(ctx context.Context, w io.Writer, src Source) (inTarget bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	r, err := src.Open()
	if err != nil {
		return false, fmt.Errorf("open the package: %w", err)
	}
	defer r.Close()

	target := &targetWriter{w: w}
	digest := sha256.New()
	content := ContextReader{ctx, r}
	n, err := io.CopyBuffer(io.MultiWriter(target, digest), io.LimitReader(content, src.Size), make([]byte, CopyBuffer))
	switch {
	case target.err != nil:
		return true, target.err
	case err != nil:
		return false, fmt.Errorf("read the package: %w", err)
	case n < src.Size:
		return false, src.Short(n)
	}
	return false, src.Verify(content, Hex(digest))
}

// Holds says whether r gives exactly the content of src.
func Holds(ctx context.Context, r io.Reader, src Source) (bool, error) {
	digest := sha256.New()
	n, err := io.CopyBuffer(OnlyWriter{digest}, ContextReader{ctx, r}, make([]byte, CopyBuffer))
	if err != nil {
		return false, err
	}
	return n == src.Size && Hex(digest)() == src.SHA256, nil
}

// OnlyWriter hides all but Write, ReadFrom above all: io.Copy would use it and
// pass its own buffer by.
type OnlyWriter struct{ io.Writer }
