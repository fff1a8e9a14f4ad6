package apiserver

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// asks is shared answers whose questions the test counts: the answer is how
// many were asked before.
type asks struct {
	*shared[string, int]
	t     *testing.T
	count atomic.Int32
	// takes is how long a question takes; err is its answer, unless nil.
	takes time.Duration
	err   error
}

func newAsks(t *testing.T) *asks {
	run := func(_ context.Context, do func() error) error { return do() }
	return &asks{shared: newShared[string, int](time.Now, run), t: t}
}

func (a *asks) ask(ctx context.Context) (int, error) {
	n := int(a.count.Add(1))
	select {
	case <-time.After(a.takes):
		return n, a.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (a *asks) want(key string, anew bool, value int, age time.Duration) {
	a.t.Helper()
	v, old, err := a.get(a.t.Context(), key, anew, a.ask)
	if err != nil || v != value || old != age {
		a.t.Errorf("%s: answer %d, %v old, %v; want %d, %v old", key, v, old, err, value, age)
	}
}

func TestSharedAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsks(t)
		a.takes = 100 * time.Millisecond
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() { a.want("x", false, 1, 100*time.Millisecond) })
		}
		group.Wait()
		a.want("x", false, 1, 100*time.Millisecond)
		a.want("y", false, 2, 100*time.Millisecond)
		a.want("x", true, 3, 100*time.Millisecond)
		time.Sleep(2 * fresh)
		synctest.Wait()
		a.mu.Lock()
		kept := len(a.kept)
		a.mu.Unlock()
		if kept != 0 {
			t.Errorf("%d answers are kept that are too old", kept)
		}
		a.want("x", false, 4, 100*time.Millisecond)
	})
}

// The next question is asked before the last answer is too old.
func TestSharedAnswersAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsks(t)
		a.takes = 100 * time.Millisecond
		a.want("x", false, 1, 100*time.Millisecond)
		time.Sleep(fresh / 2)
		a.want("x", false, 1, fresh/2+100*time.Millisecond)
		a.want("x", false, 1, fresh/2+100*time.Millisecond)
		time.Sleep(200 * time.Millisecond)
		a.want("x", false, 2, 200*time.Millisecond)
		if n := a.count.Load(); n != 2 {
			t.Errorf("%d questions, want 2", n)
		}
	})
}

func TestSharedAnswersForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsks(t)
		a.want("x", false, 1, 0)
		a.want("y", false, 2, 0)
		a.forget(func(key string) bool { return key == "x" })
		a.want("x", false, 3, 0)
		a.want("y", false, 2, 0)

		// A question from before the change answers who asked then, and no one else.
		a.takes = time.Second
		a.forget(func(string) bool { return true })
		var before sync.WaitGroup
		before.Go(func() { a.want("x", false, 4, time.Second) })
		synctest.Wait()
		a.forget(func(string) bool { return true })
		a.want("x", false, 5, time.Second)
		before.Wait()
		a.want("x", false, 5, time.Second)
	})
}

func TestSharedErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsks(t)
		a.err = errors.New("no")
		for range 2 {
			if _, _, err := a.get(t.Context(), "x", false, a.ask); !errors.Is(err, a.err) {
				t.Errorf("error %v", err)
			}
		}
		if n := a.count.Load(); n != 2 {
			t.Errorf("%d questions, want 2: errors are not kept", n)
		}
	})
}

// A question ends when the last one who waits for it goes, and not before.
func TestSharedAnswersNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsks(t)
		a.takes = time.Second
		var ended atomic.Bool
		ask := func(ctx context.Context) (int, error) {
			n, err := a.ask(ctx)
			ended.Store(ctx.Err() != nil)
			return n, err
		}
		wait := func() (cancel context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if _, _, err := a.get(ctx, "x", false, ask); !errors.Is(err, context.Canceled) {
					t.Errorf("error %v", err)
				}
			}()
			synctest.Wait()
			return cancel
		}
		first, second := wait(), wait()
		first()
		synctest.Wait()
		if ended.Load() || a.count.Load() != 1 {
			t.Errorf("ended %v, %d questions", ended.Load(), a.count.Load())
		}
		second()
		synctest.Wait()
		if !ended.Load() {
			t.Error("the question goes on though nobody waits for it")
		}
		a.want("x", false, 2, time.Second)
	})
}
