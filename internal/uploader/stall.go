package uploader

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

// List implements Uploader. Each thing that is listed, and each sign of life
// (Working), starts the time anew; that of the caller does not count.
func (g *guarded) List(ctx context.Context, folder string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		within, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		w := &watchdog{allowed: g.end, end: g.end}
		w.start(cancel)
		defer w.stop()
		for s, err := range g.Uploader.List(context.WithValue(within, watchdogKey{}, w), folder) {
			if err != nil && ctx.Err() == nil && Stalled(within) {
				err = &stallError{"no answer", g.end, err}
			}
			w.pause()
			if !yield(s, err) {
				return
			}
			w.alive(0, 0)
		}
	}
}

// Upload implements Uploader.
func (g *guarded) Upload(ctx context.Context, src Source) (Location, error) {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watchdog{size: src.Size, allowed: g.limit, end: g.end}
	w.start(cancel)
	defer w.stop()
	where, err := g.Uploader.Upload(context.WithValue(within, watchdogKey{}, w), tapped(src, w.alive, nil))
	if err != nil && ctx.Err() == nil && Stalled(within) {
		var left *LeftoverError
		if errors.As(err, &left) {
			return where, &LeftoverError{What: left.What, Why: left.Why, Err: &stallError{"nothing sent", w.limitNow(), left.Err}}
		}
		return where, &stallError{"nothing sent", w.limitNow(), err}
	}
	return where, err
}

// watchdog ends a call that gave no sign of life for some time.
type watchdog struct {
	// size is that of an upload, end what is allowed once all is read.
	size int64
	end  time.Duration
	read coverage

	mu      sync.Mutex
	timer   *time.Timer
	allowed time.Duration
	// fired: it must not be started again. paused: nobody is waited for.
	fired, paused bool
}

func (w *watchdog) start(cancel context.CancelCauseFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.allowed, func() {
		w.mu.Lock()
		paused := w.paused
		w.fired = !paused
		w.mu.Unlock()
		if !paused {
			cancel(errStalled)
		}
	})
}

// alive takes note of what was read. Before the end more must follow soon.
func (w *watchdog) alive(off, n int64) {
	total, _ := w.read.add(off, n, w.size)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size > 0 && total == w.size {
		w.allowed = w.end
	}
	w.paused = false
	if !w.fired {
		w.timer.Reset(w.allowed)
	}
}

// pause stops the time until the next sign of life.
func (w *watchdog) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = true
	w.timer.Stop()
}

func (w *watchdog) stop() { w.timer.Stop() }

func (w *watchdog) limitNow() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.allowed
}

type watchdogKey struct{}

// Working is for uploaders: it tells the watch for stalls that an upload or a
// list makes progress although it reads nothing of a source.
func Working(ctx context.Context) {
	if w, ok := ctx.Value(watchdogKey{}).(*watchdog); ok {
		w.alive(0, 0)
	}
}
