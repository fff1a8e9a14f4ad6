package uploader

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	// retryFirst is the longest wait before the second try; it doubles with
	// each further one, up to retryLast.
	retryFirst = time.Second
	retryLast  = 30 * time.Second
	// retryAsked is the longest wait that a server may ask for.
	retryAsked = 5 * time.Minute
)

// retrying tries again what was cut off: each call whose error is
// ErrUnreachable and nothing worse, as long as its context lasts.
type retrying struct {
	Uploader
	// count is how many more tries there are after the first.
	count  int
	report func(format string, args ...any)
}

// Check implements Uploader.
func (r *retrying) Check(ctx context.Context) error {
	return r.do(ctx, func() (bool, error) { return true, r.Uploader.Check(ctx) })
}

// Delete implements Uploader.
func (r *retrying) Delete(ctx context.Context, uri string) error {
	return r.do(ctx, func() (bool, error) { return true, r.Uploader.Delete(ctx, uri) })
}

// Upload implements Uploader. A source that failed would fail again, and a
// package that may be there under a name nobody knows would be there twice.
// What was sent before a cut may be kept for the next try, but not beyond the
// last.
func (r *retrying) Upload(ctx context.Context, src Source) (where Location, err error) {
	var broken atomic.Bool
	src = tapped(src, nil, func(error) { broken.Store(true) })
	t := &tries{kept: map[string]func(context.Context) error{}}
	shared, n := context.WithValue(ctx, triesKey{}, t), 0
	err = r.do(ctx, func() (bool, error) {
		t.more = n < r.count
		n++
		where, err = r.Uploader.Upload(shared, src)
		var left *LeftoverError
		lost := errors.As(err, &left) && !r.Capabilities().FixedNames
		return !lost && !broken.Load(), err
	})
	if uerr := t.undo(ctx); uerr != nil && err != nil {
		err = &LeftoverError{What: "parts of package " + src.Name + ", with which the same upload goes on", Why: uerr.Error(), Err: err}
	}
	return where, err
}

// List implements Uploader. Once something has been listed there is no second
// try: it would be listed twice.
func (r *retrying) List(ctx context.Context, folder string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		stopped := false
		err := r.do(ctx, func() (bool, error) {
			listed := false
			for s, err := range r.Uploader.List(ctx, folder) {
				if err != nil {
					return !listed, err
				}
				listed = true
				if !yield(s, nil) {
					stopped = true
					return false, nil
				}
			}
			return false, nil
		})
		if err != nil && !stopped {
			yield(Stored{}, err)
		}
	}
}

// do calls try until it succeeds, says that it is not to be repeated, fails
// for good or has had its chances.
func (r *retrying) do(ctx context.Context, try func() (again bool, err error)) error {
	for n := 0; ; n++ {
		again, err := try()
		switch {
		case err == nil || !again || ctx.Err() != nil || !passing(err) || r.count == 0:
			return err
		case n == r.count:
			return fmt.Errorf("%w; given up after %d tries", err, n+1)
		}
		wait := backoff(n)
		var asked interface{ RetryAfter() time.Duration }
		if errors.As(err, &asked) {
			if asked.RetryAfter() > retryAsked {
				return fmt.Errorf("%w; it asks to be left alone for %s", err, asked.RetryAfter())
			}
			wait += max(asked.RetryAfter(), 0)
		}
		if r.report != nil {
			r.report("%v; try again in %s (%d of %d)", err, wait.Round(100*time.Millisecond), n+1, r.count)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w, while waiting to try again after: %w", ctx.Err(), err)
		}
	}
}

// passing says whether an error may be gone the next time.
func passing(err error) bool {
	var input *ConfigError
	if errors.As(err, &input) {
		return false
	}
	for _, permanent := range []error{ErrTarget, ErrDenied, ErrContent, ErrForeign, errors.ErrUnsupported} {
		if errors.Is(err, permanent) {
			return false
		}
	}
	return errors.Is(err, ErrUnreachable)
}

// backoff is how long to wait after so many failures: anything up to a bound
// that doubles, so that many clients of a server do not come back together.
func backoff(n int) time.Duration {
	bound := retryLast
	if n < 5 {
		bound = min(bound, retryFirst<<n)
	}
	return rand.N(bound)
}
