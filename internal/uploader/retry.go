package uploader

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

const (
	// retryFirst is the longest wait before the second attempt; it doubles
	// with each further one, up to retryLast.
	retryFirst = time.Second
	retryLast  = 30 * time.Second
	// retryAsked is the longest wait that a server may ask for.
	retryAsked = 5 * time.Minute
)

// retrying repeats what was cut off: each call whose error is ErrUnreachable
// and nothing worse, as long as its context lasts.
type retrying struct {
	Uploader
	// count is how many more attempts there are after the first.
	count int
	sink  progress.Sink
}

// Check implements Uploader.
func (r *retrying) Check(ctx context.Context) error {
	return r.do(ctx, stepCheck, outcome.Resource{}, func() (bool, error) { return true, r.Uploader.Check(ctx) })
}

// Delete implements Uploader.
func (r *retrying) Delete(ctx context.Context, uri string) error {
	return r.do(ctx, stepRemove, pkg(uri), func() (bool, error) { return true, r.Uploader.Delete(ctx, uri) })
}

// Upload implements Uploader. A source that failed would fail again, and a
// package that may be stored under an unknown name would be stored twice.
// What was sent before a cut may be kept for the next attempt, but not beyond
// the last.
func (r *retrying) Upload(ctx context.Context, src Source) (where Location, err error) {
	var broken atomic.Bool
	src = tapped(src, nil, func(error) { broken.Store(true) })
	t := &tries{kept: map[string]func(context.Context) error{}}
	shared, n := context.WithValue(ctx, triesKey{}, t), 0
	err = r.do(ctx, stepUpload, pkg(src.Name), func() (bool, error) {
		t.more = n < r.count
		n++
		where, err = r.Uploader.Upload(shared, src)
		var left *LeftoverError
		lost := errors.As(err, &left) && !r.Capabilities().FixedNames
		return !lost && !broken.Load(), err
	})
	if uerr := t.undo(ctx); uerr != nil && err != nil {
		id := src.Name
		if r.Capabilities().FixedNames {
			id = r.Locate(src.Name).URI
		}
		err = &LeftoverError{What: pkg(id), Why: "parts of it, which the same upload continues: " + uerr.Error(), Err: err}
	}
	return where, err
}

// List implements Uploader. Once something has been listed there is no second
// attempt: it would be listed twice.
func (r *retrying) List(ctx context.Context, folder string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		stopped := false
		err := r.do(ctx, stepList, pkg(folder), func() (bool, error) {
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

// do calls try until it succeeds, says that it must not be repeated, fails
// for good or has no attempts left.
func (r *retrying) do(ctx context.Context, step string, what outcome.Resource, try func() (again bool, err error)) error {
	for n := 0; ; n++ {
		again, err := try()
		switch {
		case err == nil || !again || ctx.Err() != nil || !passing(err) || r.count == 0:
			return err
		case n == r.count:
			return fmt.Errorf("%w; gave up after %d attempts", err, n+1)
		}
		wait := backoff(n)
		var asked interface{ RetryAfter() time.Duration }
		if errors.As(err, &asked) {
			if asked.RetryAfter() > retryAsked {
				return fmt.Errorf("%w; the server asks to wait %s", err, asked.RetryAfter())
			}
			wait += max(asked.RetryAfter(), 0)
		}
		r.sink.Send(progress.Event{
			State: progress.Retrying, Step: step, What: what, Err: err, Wait: wait, Attempt: n + 1, Attempts: r.count,
		})
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
