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
	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart.
var (
	// ErrTarget: the place is wrong, full or read-only: trying again does not
	// help.
	ErrTarget = errors.New("cannot store packages there")
	// ErrDenied: the place does not take what we sign in with.
	ErrDenied = outcome.New(outcome.Denied, "access denied")
	// ErrUnreachable: no answer in time, or one that says to try again.
	ErrUnreachable = outcome.New(outcome.Unreachable, "unreachable")
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

// Kind implements the contract of package outcome.
func (e *ConfigError) Kind() outcome.Kind { return outcome.Usage }

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
//
// What is read of the content is what progress, rate limit and the watch for
// stalls see. So an uploader reads as it sends, no more than a few MiB ahead,
// and hands what it need not send to Skip. It closes what it opened, also
// after an error.
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
//
// Methods may be called from several goroutines, any number of times and in
// any order; Close ends that, and may itself be called again. A connection
// that broke is made anew by the next call. What the capabilities rule out
// returns an error that wraps errors.ErrUnsupported.
//
// Errors. ErrTarget, ErrDenied, ErrContent, ErrForeign and a *ConfigError are
// permanent: the same call would fail again. ErrUnreachable may pass; it may
// have a method RetryAfter() time.Duration, found by errors.As, which is the
// least time that the server asks to wait. The source's own errors are handed
// through and permanent. When ctx ends, the error wraps ctx.Err(), and the
// call returns soon. No error, URI or report holds a secret; Fetch may.
//
// An uploader itself makes no second try of a whole upload and reports no
// progress: New adds that to all of them.
type Uploader interface {
	// Capabilities say what this uploader can do. They do not change.
	Capabilities() Capabilities
	// Check says, without leaving anything behind, why an upload could not
	// work: a place that is missing, not writable or unreachable.
	Check(ctx context.Context) error
	// Locate is where a package of this name will be found, as far as that is
	// known without asking: the zero Location where only the server can know,
	// no Fetch where it takes credentials to make it. After a Check it also
	// knows what that has found out.
	Locate(name string) Location
	// Upload stores the whole package. It is atomic: nothing is visible under
	// the final name before all of it is there and its size and digest are
	// right, and what is visible is never replaced by something that is not.
	// Two uploads of one package at once both succeed.
	//
	// An upload that fails or is cancelled removes what it has put there, for
	// a short time even after ctx has ended. Where that fails, as without a
	// connection, and where the process was killed, parts may stay that are
	// not visible as a package: List calls them partial, the next Upload of
	// that package or a Delete of its URI removes them, or the server does in
	// its own time. If only the answer to the last request was lost, the
	// package may be there whole. What is known to be left, or may be under a
	// name that only the server knows, is told by a *LeftoverError.
	//
	// Uploading what is there already, with the same digest, transfers
	// nothing; that takes FixedNames. With Resume an upload goes on where an
	// earlier one of the same digest was cut.
	Upload(ctx context.Context, src Source) (Location, error)
	// Delete removes the package at a URI that Upload returned, or Locate
	// with FixedNames; what killed uploads of it left; and the folders that
	// this leaves empty. What is gone already is no error. Other packages, and
	// what is not of this uploader's making, are not touched: ErrForeign.
	Delete(ctx context.Context, uri string) error
	// List goes through what is stored below a folder of names, in no order,
	// and not through what only begins with the same letters. A folder that is
	// not there is empty. It ends with the first error.
	List(ctx context.Context, folder string) iter.Seq2[Stored, error]
	// Close frees connections. Uploads that still run may fail.
	Close() error
}

// Skip tells whoever watches a content that n bytes from off on need not be
// sent, for they are there: of an upload that goes on where another was cut.
func Skip(c Content, off, n int64) {
	if s, ok := c.(interface{ Skip(off, n int64) }); ok {
		s.Skip(off, n)
	}
}

// cleanupLimit is how long an upload that failed may take to remove its parts.
const cleanupLimit = 20 * time.Second

// cleanup is a context for what is done after a failure: ctx may have ended.
// It lasts for the stall timeout of the settings, if that is set, and not
// longer than cleanupLimit.
func cleanup(ctx context.Context, settings conf.Upload) (context.Context, context.CancelFunc) {
	limit := cleanupLimit
	if settings.StallTimeout > 0 {
		limit = min(limit, settings.StallTimeout)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
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
	// Progress takes how far uploads are, often and from any goroutine, but
	// not from two at once; it must return at once. nil is not told.
	Progress func(Progress)
	// Report takes a line for a person, as that something is tried again; nil
	// is not told.
	Report func(format string, args ...any)
}

// Progress is how far an upload is.
type Progress struct {
	// Name is that of the package.
	Name string
	// Done of Size bytes have been sent, or need not be. It falls back when a
	// cut upload begins anew.
	Done, Size int64
	// Ended says that this was the last of an upload, or of one try.
	Ended bool
}

// New makes the uploader that the configuration asks for, with retries, rate
// limit, progress and the watch for stalls. It connects to nothing; a wrong
// setting is a *ConfigError.
func New(settings conf.Upload, env Environment) (Uploader, error) {
	u, err := base(settings, env)
	if err != nil {
		return nil, err
	}
	return decorate(u, settings, env), nil
}

// base makes the uploader alone.
func base(settings conf.Upload, env Environment) (Uploader, error) {
	switch settings.Kind {
	case "localfs":
		local, err := NewLocalFS(settings.LocalDir)
		if err != nil {
			return nil, err
		}
		return local, nil
	case "http":
		u, err := NewHTTP(settings, env)
		if err != nil {
			return nil, err
		}
		return u, nil
	case "s3":
		bucket, err := NewS3(settings)
		if err != nil {
			return nil, err
		}
		return bucket, nil
	case "scp":
		scp, err := NewSCP(settings, env)
		if err != nil {
			return nil, err
		}
		return scp, nil
	default:
		return nil, &ConfigError{What: "uploader", Value: settings.Kind, Reason: "not known; localfs, http, s3 and scp are"}
	}
}
