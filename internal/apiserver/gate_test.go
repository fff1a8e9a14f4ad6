package apiserver

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/progress"
)

// TestOperationsBeginInTurn: few operations begin at the same time, and one that
// waits for something else keeps nobody from beginning.
func TestOperationsBeginInTurn(t *testing.T) {
	store, err := files.Open(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	synctest.Test(t, func(t *testing.T) {
		opts := Options{Limits: DefaultLimits(), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		o := newOperations(opts, newMetrics(store), func(string) {})
		o.starts = make(chan struct{}, 2)
		var running atomic.Int32
		start := func(takes time.Duration) {
			t.Helper()
			run := func(ctx context.Context, _ progress.Sink) (*reply, error) {
				running.Add(1)
				defer running.Add(-1)
				select {
				case <-time.After(takes):
				case <-ctx.Done():
				}
				return &reply{}, ctx.Err()
			}
			if _, err := o.start(t.Context(), task{topology: "words", run: run}, "", ""); err != nil {
				t.Fatal(err)
			}
		}
		want := func(what string, n int32) {
			t.Helper()
			synctest.Wait()
			if got := running.Load(); got != n {
				t.Errorf("%s: %d operations run, want %d", what, got, n)
			}
		}
		for range 3 {
			start(startTime / 2)
		}
		want("short ones", 2)
		time.Sleep(startTime / 2)
		want("the third", 1)
		time.Sleep(startTime)
		want("all over", 0)

		for range 3 {
			start(time.Hour)
		}
		want("long ones", 2)
		time.Sleep(startTime)
		want("when two have begun", 3)

		// Ones that have not begun can be cancelled.
		for range opts.Limits.Operations {
			start(time.Hour)
		}
		for _, run := range o.list() {
			run.cancel(errCanceled)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		o.drain(ended)
		want("cancelled", 0)
	})
}
