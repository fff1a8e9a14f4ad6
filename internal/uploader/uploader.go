// Package uploader brings topology packages to where containers fetch them.
//
// An uploader knows how to store, find and remove one file under a name; what
// is in it and when it may go is decided elsewhere.
package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/heron-nomad/heron/internal/conf"
)

// Errors that callers tell apart.
var (
	// ErrTarget: the place is wrong, full or read-only: trying again does not
	// help.
	ErrTarget = errors.New("cannot store packages there")
	// ErrUnreachable: no answer in time.
	ErrUnreachable = errors.New("unreachable")
	// ErrContent: what the source gave is not what it announced, in size or
	// digest.
	ErrContent = errors.New("content is not what was announced")
	// ErrForeign: a URI that this uploader could not have returned; nothing
	// was touched.
	ErrForeign = errors.New("not a package of this uploader")
)

// ConfigError is a setting or a name that no upload can work with.
type ConfigError struct {
	// What is the setting or thing that is wrong, Value what it says.
	What, Value string
	// Reason says what is wrong with it and what would be right.
	Reason string
}

// Error implements error.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s %q: %s", e.What, e.Value, e.Reason)
}

// ExitCode is that of bad input.
func (e *ConfigError) ExitCode() int { return 2 }

// Capabilities say what the place behind an uploader can do. Callers ask
// before they rely on it.
type Capabilities struct {
	// Delete: packages can be removed. Without it Delete returns an error that
	// wraps errors.ErrUnsupported.
	Delete bool
	// FixedNames: the URI follows from the name, so URI knows it before the
	// upload and the same name always has the same URI.
	FixedNames bool
	// Resume: a second Upload of the same object goes on where the first one
	// was cut.
	Resume bool
}

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
	// Capabilities say what this uploader can do.
	Capabilities() Capabilities
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

// New makes the uploader that the configuration asks for. It connects to
// nothing; a wrong setting is a *ConfigError.
func New(settings conf.Upload) (Uploader, error) {
	switch settings.Kind {
	case "localfs":
		local, err := NewLocalFS(settings.LocalDir)
		if err != nil {
			return nil, err
		}
		return local, nil
	default:
		return nil, &ConfigError{What: "uploader", Value: settings.Kind, Reason: "not known; localfs is"}
	}
}
