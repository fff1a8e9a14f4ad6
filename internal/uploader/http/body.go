package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"path"
	"strings"
	"sync"

	"github.com/heron-nomad/heron/internal/uploader"
)

// body is a multipart/form-data message with a package as its one part,
// made while it is sent. Its length is known before. It ends only after the
// content has proved to be what was announced: what a server gets of another,
// or of an upload that was cancelled, is shorter than its Content-Length and
// lacks the closing boundary.
type body struct {
	ctx     context.Context
	src     uploader.Source
	content uploader.Content
	digest  *digest
	head    *bytes.Reader
	tail    *bytes.Reader
	left    int64 // of the content
	// contentType is that of the whole message, length is its size.
	contentType string
	length      int64

	mu sync.Mutex
	// checked: all that is left is the tail. whole: the end has been given out
	// to be sent. stopped: it must not be any more.
	checked, whole, stopped bool
	err                     error
	closeOnce               sync.Once
	closed                  chan struct{}
}

// errStopped is why a cancelled body ends.
var errStopped = errors.New("cancelled")

func newBody(ctx context.Context, src uploader.Source) (*body, error) {
	var frame bytes.Buffer
	w := multipart.NewWriter(&frame)
	quote := strings.NewReplacer(`\`, `\\`, `"`, "%22")
	_, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="` + quote.Replace(path.Base(src.Name)) + `"`},
		"Content-Type":        {"application/octet-stream"},
	})
	head := frame.Len()
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	content, err := src.Open()
	if err != nil {
		return nil, fmt.Errorf("open the package: %w", err)
	}
	return &body{
		ctx: ctx, src: src, content: content, digest: newDigest(),
		head: bytes.NewReader(frame.Bytes()[:head]), tail: bytes.NewReader(frame.Bytes()[head:]), left: src.Size,
		contentType: w.FormDataContentType(), length: int64(frame.Len()) + src.Size,
		closed: make(chan struct{}),
	}, nil
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case b.head.Len() > 0:
		return b.head.Read(p)
	case b.checked:
		return b.tail.Read(p)
	}
	n, err := b.readContent(p)
	if err == nil && n == 0 {
		if err = b.finish(); err == nil {
			return b.tail.Read(p)
		}
	}
	if err != nil {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	return n, err
}

// readContent gives some of the content, nothing at its end.
func (b *body) readContent(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left == 0 {
		return 0, nil
	}
	n, err := b.content.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.digest.write(p[:n])
	switch {
	case n > 0:
		// An error comes again with the next piece.
		return n, nil
	case errors.Is(err, io.EOF):
		return 0, b.src.Short(b.src.Size - b.left)
	case err == nil:
		err = io.ErrNoProgress
	}
	return 0, fmt.Errorf("read the package: %w", err)
}

// finish checks the content and lets the end of the message out.
func (b *body) finish() error {
	if err := b.src.Verify(b.content, b.digest.hex); err != nil {
		return err
	}
	if err := b.ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return errStopped
	}
	b.checked, b.whole = true, true
	return nil
}

// stop keeps the end of the message back, unless it has been given out: then
// it is too late and stop says so.
func (b *body) stop() (tooLate bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = !b.whole
	return b.whole
}

// state says whether the whole message was given out to be sent, and what went
// wrong with the content.
func (b *body) state() (whole bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole, b.err
}

// Close implements io.Closer.
func (b *body) Close() (err error) {
	b.closeOnce.Do(func() {
		err = b.content.Close()
		b.digest.close()
		close(b.closed)
	})
	return err
}
