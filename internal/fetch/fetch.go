// Package fetch copies one file from a URI to a local file: over HTTP, from S3
// or from the file system. A transfer that breaks is tried again and continues
// where it was cut; its digest is checked.
//
// It signs in to S3 as AWS's own tools do. HTTP servers get only what the URI
// itself holds, a user and password or a signature: there is no file of
// passwords and no token.
package fetch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// stepFetch is the step that events name.
const stepFetch = "fetch"

// Options say how a file is fetched. A zero is the default.
type Options struct {
	// SHA256 is what the file must have, in hex; "" for not checked.
	SHA256 string
	// MaxSize is the most that is fetched, in bytes, by default 8 GiB.
	MaxSize int64
	// Retries is how many attempts in a row may follow one that brought
	// nothing new, by default 5; below 0 is none. Whenever a mebibyte has
	// arrived, the count begins anew.
	Retries int
	// Backoff is the wait before the first retry, by default 500 ms. It
	// doubles each time up to 30 s, and is cut at random to between half and
	// all of it.
	Backoff time.Duration
	// Stall is how long the other side may send nothing, by default 30 s.
	Stall time.Duration
	// Progress gets the events of the step "fetch": Retrying for every retry,
	// and Warned where the file is fetched again as a whole.
	Progress progress.Sink
}

const (
	defaultMaxSize = 8 << 30
	defaultRetries = 5
	defaultBackoff = 500 * time.Millisecond
	maxBackoff     = 30 * time.Second
	defaultStall   = 30 * time.Second
	// maxRetryAfter is the longest wait that a server can ask for.
	maxRetryAfter = 2 * time.Minute
	// advance is how much has to arrive for a transfer to count as one that
	// makes progress, in bytes.
	advance = 1 << 20
)

func (o Options) withDefaults() Options {
	o.MaxSize = cmp.Or(o.MaxSize, defaultMaxSize)
	o.Retries = cmp.Or(o.Retries, defaultRetries)
	o.Backoff = cmp.Or(o.Backoff, defaultBackoff)
	o.Stall = cmp.Or(o.Stall, defaultStall)
	return o
}

// Result is what was fetched.
type Result struct {
	// Size is in bytes, SHA256 in lower-case hex.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

var digestForm = lazyregexp.New(`^[0-9A-Fa-f]{64}$`)

// File fetches what is at a URI into a file that is empty and open for
// reading and writing, and leaves it open at its beginning. URIs are http,
// https, file and s3 ones, those that Nomad's artifacts take for S3
// (s3::https://…), and paths.
//
// Every error but that of the context is an *Error or one of the local file;
// what the file holds then means nothing.
func File(ctx context.Context, uri string, into *os.File, opts Options) (Result, error) {
	shown := Shown(uri)
	if opts.SHA256 != "" && !digestForm.MatchString(opts.SHA256) {
		return Result{}, &Error{URI: shown, Class: ErrInput, Err: fmt.Errorf("%q is not a SHA-256; give its 64 hex digits", opts.SHA256)}
	}
	src, err := open(uri)
	if err != nil {
		return Result{}, &Error{URI: shown, Class: ErrInput, Err: err}
	}
	t := &transfer{source: src, shown: shown, into: into, opts: opts.withDefaults(), sum: sha256.New(), size: -1}
	defer src.close()
	if err := t.run(ctx); err != nil {
		return Result{}, err
	}
	if _, err := into.Seek(0, io.SeekStart); err != nil {
		return Result{}, err
	}
	return Result{Size: t.have, SHA256: t.digest()}, nil
}

// transfer is one file on its way. What it has got stays over retries.
type transfer struct {
	source source
	shown  string
	into   *os.File
	opts   Options

	sum hash.Hash
	// have are the bytes that into and sum have got, most the largest that
	// this ever was when a retry was counted.
	have, most int64
	// size is that of the whole file, -1 while it is not known; tag tells one
	// version of it from another, "" where the server has no such thing.
	size int64
	tag  string
	// resumed: what there is comes from more than one answer.
	resumed bool
}

// what is the file as events name it.
func (t *transfer) what() outcome.Resource {
	return outcome.Resource{Kind: outcome.File, ID: t.shown}
}

func (t *transfer) digest() string { return hex.EncodeToString(t.sum.Sum(nil)) }

// run fetches all of it and checks the digest.
func (t *transfer) run(ctx context.Context) error {
	if err := t.complete(ctx); err != nil {
		return err
	}
	if t.right() {
		return nil
	}
	if t.resumed {
		// The parts may be those of different files.
		t.opts.Progress.Warn(stepFetch, t.what(), "the SHA-256 is wrong; the file came in parts and is fetched again as a whole", nil)
		t.resumed, t.tag = false, ""
		if err := t.complete(ctx); err != nil {
			return err
		}
		if t.right() {
			return nil
		}
	}
	return &Error{URI: t.shown, Class: ErrContent, Err: fmt.Errorf("its SHA-256 is %s, not %s", t.digest(), strings.ToLower(t.opts.SHA256))}
}

func (t *transfer) right() bool {
	return t.opts.SHA256 == "" || strings.EqualFold(t.digest(), t.opts.SHA256)
}

// complete tries until the file is whole.
func (t *transfer) complete(ctx context.Context) error {
	for tries := 0; ; tries++ {
		err := t.attempt(ctx)
		if err == nil {
			return nil
		}
		if ended := ctx.Err(); ended != nil {
			return fmt.Errorf("fetch %s: %w", t.shown, ended)
		}
		if err.local {
			return fmt.Errorf("fetch %s: %w", t.shown, err.err)
		}
		if t.have >= t.most+advance {
			t.most, tries = t.have, 0
		}
		if !err.again || tries >= t.opts.Retries {
			return t.givenUp(err, tries)
		}
		wait := t.wait(tries, err.after)
		t.opts.Progress.Send(progress.Event{
			State: progress.Retrying, Step: stepFetch, What: t.what(), Err: err.err,
			Wait: wait, Attempt: tries + 1, Attempts: t.opts.Retries,
		})
		if err := sleep(ctx, wait); err != nil {
			return fmt.Errorf("fetch %s: %w", t.shown, err)
		}
	}
}

func (t *transfer) givenUp(f *failure, tries int) error {
	err := f.err
	if f.again && tries > 0 {
		err = fmt.Errorf("%w (gave up after %d attempts)", err, tries+1)
	}
	return &Error{URI: t.shown, Class: f.class, Err: err}
}
