package uploader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// guarded ends calls that hang.
type guarded struct {
	Uploader
	// limit is how long an upload may read nothing; end is how long it may
	// take when all is read, and how long other calls may take.
	limit, end time.Duration
}

// stallError is ErrUnreachable, whatever the error of the call that was ended.
type stallError struct {
	what  string
	limit time.Duration
	err   error
}

func (e *stallError) Error() string {
	return fmt.Sprintf("%v: %s for %s (heron.uploader.stall.timeout): %v", ErrUnreachable, e.what, e.limit, e.err)
}

func (e *stallError) Unwrap() error { return ErrUnreachable }

// errStalled is why a context was ended.
var errStalled = errors.New("standstill")

// Stalled is for uploaders: it says whether ctx was ended by the watch for
// stalls.
func Stalled(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errStalled) }

// Check implements Uploader.
func (g *guarded) Check(ctx context.Context) error {
	return g.bounded(ctx, g.Uploader.Check)
}

// Delete implements Uploader.
func (g *guarded) Delete(ctx context.Context, uri string) error {
	return g.bounded(ctx, func(ctx context.Context) error { return g.Uploader.Delete(ctx, uri) })
}

// bounded gives a call as long as the end of an upload may take.
func (g *guarded) bounded(ctx context.Context, call func(context.Context) error) error {
	within, cancel := context.WithTimeoutCause(ctx, g.end, errStalled)
	defer cancel()
	err := call(within)
	if err != nil && ctx.Err() == nil && Stalled(within) {
		return &stallError{"no answer", g.end, err}
	}
	return err
}

// Upload implements Uploader.
func (g *guarded) Upload(ctx context.Context, src Source) (Location, error) {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := watchdog{guarded: g, size: src.Size, allowed: g.limit}
	w.timer = time.AfterFunc(g.limit, func() { cancel(errStalled) })
	defer w.timer.Stop()
	where, err := g.Uploader.Upload(context.WithValue(within, watchdogKey{}, &w), tapped(src, w.alive, nil))
	if err != nil && ctx.Err() == nil && Stalled(within) {
		var left *LeftoverError
		if errors.As(err, &left) {
			return where, &LeftoverError{What: left.What, Why: left.Why, Err: &stallError{"nothing sent", w.limitNow(), left.Err}}
		}
		return where, &stallError{"nothing sent", w.limitNow(), err}
	}
	return where, err
}

// watchdog ends an upload that gave no sign of life for some time.
type watchdog struct {
	*guarded
	size int64
	read coverage

	mu      sync.Mutex
	timer   *time.Timer
	allowed time.Duration
}

// alive takes note of what was read. Before the end more must follow soon.
func (w *watchdog) alive(off, n int64) {
	total, _ := w.read.add(off, n, w.size)
	w.mu.Lock()
	defer w.mu.Unlock()
	if total == w.size {
		w.allowed = w.end
	}
	// One that has fired must not be started again.
	if w.timer.Stop() {
		w.timer.Reset(w.allowed)
	}
}

func (w *watchdog) limitNow() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.allowed
}

type watchdogKey struct{}

// Working is for uploaders: it tells the watch for stalls that an upload makes
// progress although it reads nothing of its source.
func Working(ctx context.Context) {
	if w, ok := ctx.Value(watchdogKey{}).(*watchdog); ok {
		w.alive(0, 0)
	}
}
