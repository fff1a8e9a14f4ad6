// Package uploader brings topology packages to where containers fetch them.
//
// An uploader knows how to store, find and remove one file under a name; what
// is in it and when it may go is decided elsewhere.
package uploader

import (
	"context"
	"errors"
	"io"
)

// Errors that callers tell apart.
var (
	// ErrTarget: the place is wrong, full or read-only: trying again does not
	// help.
	ErrTarget = errors.New("cannot store packages there")
	// ErrUnreachable: no answer in time.
	ErrUnreachable = errors.New("unreachable")
)

// Source is a package to upload. Open may be called more than once, each
// time for the whole content; Size is in bytes, SHA256 in lower-case hex.
type Source struct {
	Name   string
	Size   int64
	SHA256 string
	Open   func() (io.ReadCloser, error)
}

// Uploader stores packages. Names are relative slash-separated paths.
type Uploader interface {
	// Check says, without leaving anything behind, why an upload could not
	// work: a place that is missing, not writable or unreachable.
	Check(ctx context.Context) error
	// URI is where a package of this name will be found, or "" where only
	// the server can know.
	URI(name string) string
	// Upload stores the whole package and returns its URI. Nothing is visible
	// under the final name before all of it is there and its digest is right;
	// a failed or cancelled upload leaves nothing. Uploading what is there
	// already, with the same digest, transfers nothing.
	Upload(ctx context.Context, src Source) (uri string, err error)
	// Delete removes the package at a URI that Upload returned, and the
	// folders this leaves empty. What is gone already is no error.
	Delete(ctx context.Context, uri string) error
	// Close frees connections.
	Close() error
}
