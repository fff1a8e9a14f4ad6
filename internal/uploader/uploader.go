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
	"iter"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

// Errors that callers tell apart.
var (
	// ErrTarget: the place is wrong, full or read-only: trying again does not
	// help.
	ErrTarget = errors.New("cannot store packages there")
	// ErrDenied: the place does not take what we sign in with.
	ErrDenied = errors.New("access denied")
	// ErrUnreachable: no answer in time, or one that says to try again.
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
	// wraps errors.ErrUnsupported; with it a server may still turn out not to
	// delete, which is the same error.
	Delete bool
	// FixedNames: the URI follows from the name, so Locate knows it before the
	// upload and the same name always has the same URI.
	FixedNames bool
	// Resume: a second Upload of the same object goes on where one that was
	// killed was cut.
	Resume bool
	// List: what is stored can be listed.
	List bool
}

// Content is an open package. ReadAt may be called from several goroutines.
type Content interface {
	io.ReadCloser
	io.ReaderAt
}

// Source is a package to upload. Open may be called more than once, each
// time for the whole content; Size is in bytes, SHA256 in lower-case hex.
type Source struct {
	Name   string
	Size   int64
	SHA256 string
	Open   func() (Content, error)
}

// Location is where a package is.
type Location struct {
	// URI tells the package from all others and holds no secret: it is shown,
	// recorded, and given to Delete.
	URI string
	// Fetch is the URI by which nodes get it: URI itself, or one with a
	// signature that lets its holder in. It goes into the job and nowhere else.
	Fetch string
	// Nodes are the ids of the Nomad nodes that have it, none where every node
	// can fetch it.
	Nodes []string
}

// Stored is a package as List finds it.
type Stored struct {
	// Name is that of the package's Source, URI the one that Delete takes.
	Name, URI string
	// Size is in bytes, Modified when it was stored.
	Size     int64
	Modified time.Time
	// Partial: what is left of an upload that was killed. Deleting the URI
	// removes that too.
	Partial bool
}

// Uploader stores packages. Names are relative slash-separated paths.
// Methods may be called from several goroutines.
type Uploader interface {
	// Capabilities say what this uploader can do.
	Capabilities() Capabilities
	// Check says, without leaving anything behind, why an upload could not
	// work: a place that is missing, not writable or unreachable.
	Check(ctx context.Context) error
	// Locate is where a package of this name will be found, as far as that is
	// known without asking: the zero Location where only the server can know,
	// no Fetch where it takes credentials to make it. After a Check it also
	// knows what that has found out.
	Locate(name string) Location
	// Upload stores the whole package. Nothing is visible under the final name
	// before all of it is there and its digest is right; a failed or cancelled
	// upload leaves nothing, one whose process was killed nothing visible.
	// Uploading what is there already, with the same digest, transfers
	// nothing.
	//
	// ErrTarget, ErrDenied, ErrContent and a *ConfigError are permanent: the
	// same upload would fail again. ErrUnreachable may pass. The source's own
	// errors are handed through.
	Upload(ctx context.Context, src Source) (Location, error)
	// Delete removes the package at a URI that Upload returned, what killed
	// uploads of it left, and the folders that this leaves empty. What is gone
	// already is no error.
	Delete(ctx context.Context, uri string) error
	// List goes through what is stored below a folder of names, in no order. It ends
	// with the first error.
	List(ctx context.Context, folder string) iter.Seq2[Stored, error]
	// Close frees connections.
	Close() error
}

// Node is a client node of the Nomad cluster.
type Node struct {
	ID, Name string
	// Address is how other machines reach it: an IP address or a host name.
	Address string
	// Eligible nodes are up and take new containers.
	Eligible bool
}

// Environment is what an uploader needs of the world besides its settings.
type Environment struct {
	// Home is the user's home folder, where SSH keeps its files; Getenv reads
	// an environment variable.
	Home   string
	Getenv func(string) string
	// Nodes lists the nodes of the cluster that fetch packages; nil where
	// Nomad is not to be asked.
	Nodes func(ctx context.Context) ([]Node, error)
}

// New makes the uploader that the configuration asks for. It connects to
// nothing; a wrong setting is a *ConfigError.
func New(settings conf.Upload, _ Environment) (Uploader, error) {
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
