package uploader

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

func TestCoverageCountsEachByteOnce(t *testing.T) {
	const size = 64
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var (
			c    coverage
			have [size]bool
		)
		for range 20 {
			off, n := random.Int64N(size+4)-2, random.Int64N(12)
			before, want := int64(0), int64(0)
			for i := range have {
				if have[i] {
					before++
				}
				have[i] = have[i] || int64(i) >= off && int64(i) < off+n
				if have[i] {
					want++
				}
			}
			if total, more := c.add(off, n, size); total != want || more != (want > before) {
				t.Fatalf("%d bytes from %d on: %d, %v; want %d; spans %v", n, off, total, more, want, c.spans)
			}
		}
		for i := 1; i < len(c.spans); i++ {
			if c.spans[i].from <= c.spans[i-1].to {
				t.Fatalf("spans %v touch", c.spans)
			}
		}
	}
}

// in reads a span of a content.
func in(c Content, off, n int64) error {
	_, err := c.ReadAt(make([]byte, n), off)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func TestProgressCountsDistinctBytes(t *testing.T) {
	src, _ := source("a", 1000)
	fail := false
	base := &scripted{upload: func(_ context.Context, src Source) (Location, error) {
		if src.Name == "there" {
			return Location{}, nil
		}
		var all sync.WaitGroup
		for range 2 { // once for a digest, once to send it
			c, err := src.Open()
			if err != nil {
				return Location{}, err
			}
			Skip(c, 0, 200)
			for i := int64(2); i < 8; i++ {
				all.Go(func() {
					if err := in(c, i*100, 110); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			_ = c.Close()
		}
		if fail {
			return Location{}, ErrTarget
		}
		return Location{}, nil
	}}
	log := new(progressLog)
	u := decorate(base, conf.Upload{}, Environment{Progress: log.add})
	if _, err := u.Upload(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	log.check(t, 1000)
	if first, before := log.all[0], log.all[len(log.all)-2]; first.Done != 0 || before.Done != 810 {
		t.Errorf("it began with %+v and ended with %+v", first, before)
	}
	fail, log.all = true, nil
	if _, err := u.Upload(t.Context(), src); !errors.Is(err, ErrTarget) {
		t.Fatal(err)
	}
	if last := log.all[len(log.all)-1]; !last.Ended || last.Done != 810 {
		t.Errorf("a failed one ended with %+v", last)
	}
	log.all, src.Name = nil, "there"
	if _, err := u.Upload(t.Context(), src); err != nil || len(log.all) > 0 {
		t.Errorf("an upload that reads nothing: %v, %+v", err, log.all)
	}
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, _ := source("a", 10000)
		base := &scripted{upload: func(_ context.Context, src Source) (Location, error) {
			c, err := src.Open()
			if err != nil {
				return Location{}, err
			}
			defer c.Close()
			var all sync.WaitGroup
			for i := range int64(4) {
				all.Go(func() {
					if err := in(c, i*2500, 2500); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			return Location{}, nil
		}}
		// A read as a whole takes longer than the stall timeout.
		u := decorate(base, conf.Upload{RateLimit: 1000, StallTimeout: time.Second}, Environment{})
		for range 2 {
			start := time.Now()
			if _, err := u.Upload(t.Context(), src); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took < 9*time.Second || took > 11*time.Second {
				t.Errorf("10000 bytes at 1000 in a second took %s", took)
			}
		}
		base.upload = reads
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := u.Upload(ctx, src); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestStalls(t *testing.T) {
	const limit = time.Minute
	src, _ := source("a", 1000)
	for _, c := range []struct {
		name string
		// reads are spans read, before each of which it waits.
		reads []span
		wait  time.Duration
		// last is how long it takes after the last one; it ends earlier with
		// its context.
		last time.Duration
		want time.Duration // 0: no stall
	}{
		{"at once", nil, 0, time.Hour, limit},
		{"after some", []span{{0, 100}, {100, 200}}, 50 * time.Second, time.Hour, 100*time.Second + limit},
		{"steadily", []span{{0, 100}, {100, 200}, {0, 100}, {100, 200}, {200, 300}, {300, 1000}}, 50 * time.Second, time.Second, 0},
		{"at the end", []span{{500, 1000}, {0, 500}}, 0, time.Hour, 5 * limit},
		{"long answer", []span{{500, 1000}, {0, 500}}, 0, 4 * limit, 0},
		{"in the middle, the end is read", []span{{500, 1000}}, 0, time.Hour, limit},
	} {
		synctest.Test(t, func(t *testing.T) {
			u := decorate(&scripted{upload: func(ctx context.Context, src Source) (Location, error) {
				content, err := src.Open()
				if err != nil {
					return Location{}, err
				}
				for _, s := range c.reads {
					time.Sleep(c.wait)
					if err := in(content, s.from, s.to-s.from); err != nil {
						return Location{}, err
					}
				}
				select {
				case <-time.After(c.last):
					return Location{}, nil
				case <-ctx.Done():
					return Location{}, ctx.Err()
				}
			}}, conf.Upload{StallTimeout: limit}, Environment{})
			start := time.Now()
			_, err := u.Upload(t.Context(), src)
			took := time.Since(start)
			if c.want == 0 {
				if err != nil {
					t.Errorf("%s: %v after %s", c.name, err, took)
				}
				return
			}
			if !errors.Is(err, ErrUnreachable) || errors.Is(err, context.Canceled) || took != c.want {
				t.Errorf("%s: %v after %s, want a stall after %s", c.name, err, took, c.want)
			}
		})
	}
}

func TestStallsOfOtherCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &scripted{call: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		hangs.upload = func(ctx context.Context, _ Source) (Location, error) {
			for range 5 {
				time.Sleep(50 * time.Second)
				working(ctx)
			}
			return Location{}, hangs.call(ctx)
		}
		u := decorate(hangs, conf.Upload{Kind: "http", HTTP: conf.HTTPUpload{ResponseTimeout: 10 * time.Minute}, StallTimeout: time.Minute}, Environment{})
		for name, c := range map[string]struct {
			call func(context.Context) error
			want time.Duration
		}{
			"check":   {u.Check, 11 * time.Minute},
			"delete":  {func(ctx context.Context) error { return u.Delete(ctx, "") }, 11 * time.Minute},
			"working": {func(ctx context.Context) error { return second(u.Upload(ctx, Source{Size: 1})) }, 310 * time.Second},
		} {
			start := time.Now()
			if err := c.call(t.Context()); !errors.Is(err, ErrUnreachable) || time.Since(start) != c.want {
				t.Errorf("%s: %v after %s", name, err, time.Since(start))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := c.call(ctx); !errors.Is(err, context.DeadlineExceeded) && name != "working" {
				t.Errorf("%s: %v when its context ends", name, err)
			}
			cancel()
		}
	})
}
