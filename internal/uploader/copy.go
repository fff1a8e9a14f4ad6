package uploader

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
)

// copyBuffer is how much is read between two looks at the context.
const copyBuffer = 256 << 10

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

// contextReader stops reading when the context is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// copyVerified writes the whole source to w and checks size and digest on the
// way. inTarget tells errors of w from those of the source.
func copyVerified(ctx context.Context, w io.Writer, src Source) (inTarget bool, err error) {
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
	content := contextReader{ctx, r}
	n, err := io.CopyBuffer(io.MultiWriter(target, digest), io.LimitReader(content, src.Size), make([]byte, copyBuffer))
	switch {
	case target.err != nil:
		return true, target.err
	case err != nil:
		return false, fmt.Errorf("read the package: %w", err)
	case n < src.Size:
		return false, src.short(n)
	}
	return false, src.check(content, hexOf(digest))
}

// holds says whether r gives exactly the content of src.
func holds(ctx context.Context, r io.Reader, src Source) (bool, error) {
	digest := sha256.New()
	n, err := io.CopyBuffer(onlyWriter{digest}, contextReader{ctx, r}, make([]byte, copyBuffer))
	if err != nil {
		return false, err
	}
	return n == src.Size && hexOf(digest)() == src.SHA256, nil
}

// onlyWriter hides ReadFrom, which would pass by the context.
type onlyWriter struct{ io.Writer }
