// Package uploader puts topology packages where containers fetch them.
//
// It holds the contract that every uploader keeps, and what all of them share:
// retries, a rate limit, progress and the watch for stalls (see Decorate).
// Each uploader has a package of its own below this one; package all chooses
// between them. An uploader stores, finds and removes one file under a name;
// what is in the file and when it may go is decided elsewhere.
package uploader

import (
	"context"
	"io"
	"iter"
	"time"
)

// Capabilities say what the place behind an uploader can do. Callers ask
// before they rely on it.
type Capabilities struct {
	// Delete: packages can be removed. Without it Delete returns an error that
	// wraps errors.ErrUnsupported. With it a server may still turn out not to
	// support deletion, which is the same error.
	Delete bool
	// FixedNames: the URI follows from the name, so Locate knows it before the
	// upload and the same name always has the same URI.
	FixedNames bool
	// Resume: a second Upload of the same object continues one that was cut
	// off.
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
// Progress, rate limit and the watch for stalls see what is read of the
// content. So an uploader reads as it sends, no more than a few MiB ahead, and
// passes what it need not send to Skip. It closes what it opened, also after
// an error.
type Source struct {
	Name   string
	Size   int64
	SHA256 string
	Open   func() (Content, error)
}

// Location is where a package is.
type Location struct {
	// URI tells the package from all others and holds no secret: it is shown,
	// recorded, and passed to Delete.
	URI string
	// Fetch is the URI by which nodes get it: URI itself, or one with a
	// signature that gives access to anybody who has it. It goes into the job
	// and nowhere else.
	Fetch string
	// Nodes are the ids of the Nomad nodes that have it; none means that every
	// node can fetch it.
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
// any order; Close ends that, and may itself be called again. After a
// connection broke, the next call makes a new one. What the capabilities rule
// out returns an error that wraps errors.ErrUnsupported.
//
// Errors. ErrTarget, ErrDenied, ErrContent, ErrForeign and a *ConfigError are
// permanent: the same call would fail again. ErrUnreachable may pass; it may
// have a method RetryAfter() time.Duration, found by errors.As, which is the
// least time that the server asks to wait. Errors of the source are returned
// as they are, and are permanent. When ctx ends, the error wraps ctx.Err(),
// and the call returns soon. No error, URI or event holds a secret; Fetch may.
//
// An uploader itself makes no second attempt at a whole upload and reports no
// progress: Decorate adds that to all of them.
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
	// An upload that fails or is cancelled removes what it stored, for a short
	// time even after ctx has ended. If that fails, for lack of a connection,
	// or if the process is killed, parts may stay that are not visible as a
	// package: List calls them partial; the next Upload of that package or a
	// Delete of its URI removes them, or the server does in its own time. If
	// only the answer to the last request was lost, the package may be there
	// whole. What is known to be left, or may be left under a name that only
	// the server knows, is reported as a *LeftoverError.
	//
	// Uploading what is there already, with the same digest, transfers
	// nothing; that takes FixedNames. With Resume an upload continues an
	// earlier one of the same digest that was cut off.
	Upload(ctx context.Context, src Source) (Location, error)
	// Delete removes the package at a URI that Upload returned, or Locate
	// with FixedNames; what killed uploads of it left; and the folders that
	// this leaves empty. A package that is already gone is no error. Other
	// packages, and what this uploader did not make, are not touched:
	// ErrForeign.
	Delete(ctx context.Context, uri string) error
	// List yields what is stored below a folder of names, in no order. A
	// folder whose name only begins with the same letters does not count, and
	// a folder that does not exist is empty. It ends with the first error.
	List(ctx context.Context, folder string) iter.Seq2[Stored, error]
	// Close frees connections. Uploads that are still running may fail.
	Close() error
}
