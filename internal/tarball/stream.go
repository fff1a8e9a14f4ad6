package tarball

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"io"
)

// decompress finds out by the first bytes how a tar file is compressed. All of
// r belongs to it: what follows the compressed data is an error.
func decompress(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	head, err := buffered.Peek(6)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(buffered)
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzip2.NewReader(buffered), nil
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")), bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, errors.New("it is compressed with xz or zstd: use gzip")
	}
	return buffered, nil
}

// contextReader fails once its context has ended.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// sourceReader counts what is read of the archive, and keeps the error of the
// source: that is not the archive's fault.
type sourceReader struct {
	io.Reader
	n   int64
	err error
}

func (r *sourceReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// plainReader is the tar file: it ends with an error where a limit is
// exceeded, and knows how many zero bytes it has ended with.
type plainReader struct {
	io.Reader
	source *sourceReader
	limits Limits
	// n are the bytes so far, zeros those since the last one that was not zero
	// or since zeros was reset.
	n, zeros int64
}

func (r *plainReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += int64(n)
	if rest := bytes.TrimRight(p[:n], "\x00"); len(rest) > 0 {
		r.zeros = int64(n - len(rest))
	} else {
		r.zeros += int64(n)
	}
	if limit := r.limits.check(r.n, r.source.n); limit != nil {
		return n, limit
	}
	return n, err
}

// check looks at what has come out of the archive and what was read for it.
func (l Limits) check(out, in int64) error {
	if out > l.Bytes {
		return refuse("", "it holds more than %d bytes, which is the limit", l.Bytes)
	}
	if out > ratioFrom && out/l.Ratio > in {
		return refuse("", "it unpacks to more than %d times its size, which is the limit", l.Ratio)
	}
	return nil
}
