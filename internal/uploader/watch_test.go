package uploader_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// in reads a span of a content.
func in(c uploader.Content, off, n int64) error {
	_, err := c.ReadAt(make([]byte, n), off)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func TestProgressCountsDistinctBytes(t *testing.T) {
	src, _ := uploadertest.Source("a", 1000)
	fail := false
	base := &scripted{upload: func(_ context.Context, src uploader.Source) (uploader.Location, error) {
		if src.Name == "there" {
			return uploader.Location{}, nil
		}
		var all sync.WaitGroup
		for range 2 { // once for a digest, once to send it
			c, err := src.Open()
			if err != nil {
				return uploader.Location{}, err
			}
			uploader.Skip(c, 0, 200)
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
			return uploader.Location{}, uploader.ErrTarget
		}
		return uploader.Location{}, nil
	}}
	log := new(uploadertest.ProgressLog)
	u := uploader.Decorate(base, conf.Upload{}, uploader.Options{Progress: log.Add})
	if _, err := u.Upload(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	all := log.Check(t, 1000)
	if first, before := all[0], all[len(all)-2]; first.Done != 0 || before.Done != 810 {
		t.Errorf("it began with %+v and ended with %+v", first, before)
	}
	fail = true
	if _, err := u.Upload(t.Context(), src); !errors.Is(err, uploader.ErrTarget) {
		t.Fatal(err)
	}
	all = log.Take()
	if last := all[len(all)-1]; last.State != progress.Ended || last.Done != 810 || !errors.Is(last.Err, uploader.ErrTarget) {
		t.Errorf("a failed one ended with %+v", last)
	}
	src.Name = "there"
	if _, err := u.Upload(t.Context(), src); err != nil {
		t.Error(err)
	}
	if all := log.Take(); len(all) > 0 {
		t.Errorf("an upload that reads nothing: %+v", all)
	}
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, _ := uploadertest.Source("a", 10000)
		base := &scripted{upload: func(_ context.Context, src uploader.Source) (uploader.Location, error) {
			c, err := src.Open()
			if err != nil {
				return uploader.Location{}, err
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
			return uploader.Location{}, nil
		}}
		// A read as a whole takes longer than the stall timeout.
		u := uploader.Decorate(base, conf.Upload{RateLimit: 1000, StallTimeout: time.Second}, uploader.Options{})
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
	src, _ := uploadertest.Source("a", 1000)
	for _, c := range []struct {
		name string
		// reads are spans read, before each of which it waits.
		reads [][2]int64
		wait  time.Duration
		// last is how long it takes after the last one; it ends earlier with
		// its context.
		last time.Duration
		want time.Duration // 0: no stall
	}{
		{"at once", nil, 0, time.Hour, limit},
		{"after some", [][2]int64{{0, 100}, {100, 200}}, 50 * time.Second, time.Hour, 100*time.Second + limit},
		{"steadily", [][2]int64{{0, 100}, {100, 200}, {0, 100}, {100, 200}, {200, 300}, {300, 1000}}, 50 * time.Second, time.Second, 0},
		{"at the end", [][2]int64{{500, 1000}, {0, 500}}, 0, time.Hour, 5 * limit},
		{"long answer", [][2]int64{{500, 1000}, {0, 500}}, 0, 4 * limit, 0},
		{"in the middle, the end is read", [][2]int64{{500, 1000}}, 0, time.Hour, limit},
	} {
		synctest.Test(t, func(t *testing.T) {
			u := uploader.Decorate(&scripted{upload: func(ctx context.Context, src uploader.Source) (uploader.Location, error) {
				content, err := src.Open()
				if err != nil {
					return uploader.Location{}, err
				}
				for _, s := range c.reads {
					time.Sleep(c.wait)
					if err := in(content, s[0], s[1]-s[0]); err != nil {
						return uploader.Location{}, err
					}
				}
				select {
				case <-time.After(c.last):
					return uploader.Location{}, nil
				case <-ctx.Done():
					return uploader.Location{}, ctx.Err()
				}
			}}, conf.Upload{StallTimeout: limit}, uploader.Options{})
			start := time.Now()
			_, err := u.Upload(t.Context(), src)
			took := time.Since(start)
			if c.want == 0 {
				if err != nil {
					t.Errorf("%s: %v after %s", c.name, err, took)
				}
				return
			}
			if !errors.Is(err, uploader.ErrUnreachable) || errors.Is(err, context.Canceled) || took != c.want {
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
		hangs.upload = func(ctx context.Context, _ uploader.Source) (uploader.Location, error) {
			for range 5 {
				time.Sleep(50 * time.Second)
				uploader.Working(ctx)
			}
			return uploader.Location{}, hangs.call(ctx)
		}
		u := uploader.Decorate(hangs, conf.Upload{Kind: "http", HTTP: conf.HTTPUpload{ResponseTimeout: 10 * time.Minute}, StallTimeout: time.Minute}, uploader.Options{})
		for name, c := range map[string]struct {
			call func(context.Context) error
			want time.Duration
		}{
			"check":   {u.Check, 11 * time.Minute},
			"delete":  {func(ctx context.Context) error { return u.Delete(ctx, "") }, 11 * time.Minute},
			"working": {func(ctx context.Context) error { return uploadertest.Second(u.Upload(ctx, uploader.Source{Size: 1})) }, 310 * time.Second},
		} {
			start := time.Now()
			if err := c.call(t.Context()); !errors.Is(err, uploader.ErrUnreachable) || time.Since(start) != c.want {
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

// listed is an uploader whose list waits as long before each thing as is said.
type listed struct {
	uploader.Uploader
	waits []time.Duration
	sign  bool
}

func (l *listed) Capabilities() uploader.Capabilities { return uploader.Capabilities{List: true} }

func (l *listed) List(ctx context.Context, _ string) iter.Seq2[uploader.Stored, error] {
	return func(yield func(uploader.Stored, error) bool) {
		for _, wait := range l.waits {
			for range 4 {
				select {
				case <-time.After(wait / 4):
				case <-ctx.Done():
					yield(uploader.Stored{}, ctx.Err())
					return
				}
				if l.sign {
					uploader.Working(ctx)
				}
			}
			if !yield(uploader.Stored{Name: "a"}, nil) {
				return
			}
		}
	}
}

func TestStallsOfLists(t *testing.T) {
	const limit = 5 * time.Minute
	for name, c := range map[string]struct {
		base   listed
		caller time.Duration
		things int
		want   time.Duration // 0: no stall
	}{
		"nothing comes":          {listed{waits: []time.Duration{time.Hour}}, 0, 0, limit},
		"nothing more comes":     {listed{waits: []time.Duration{time.Minute, time.Minute, time.Hour}}, 0, 2, 2*time.Minute + limit},
		"slowly":                 {listed{waits: []time.Duration{4 * time.Minute, 4 * time.Minute, 4 * time.Minute}}, 0, 3, 0},
		"with signs of life":     {listed{waits: []time.Duration{16 * time.Minute}, sign: true}, 0, 1, 0},
		"to a caller that waits": {listed{waits: []time.Duration{time.Minute, time.Minute}}, time.Hour, 2, 0},
		"a slow caller, then nothing": {listed{waits: []time.Duration{time.Minute, time.Hour}}, time.Hour, 1,
			time.Minute + time.Hour + limit},
	} {
		synctest.Test(t, func(t *testing.T) {
			u := uploader.Decorate(&c.base, conf.Upload{StallTimeout: time.Minute}, uploader.Options{})
			start := time.Now()
			things := 0
			var last error
			for _, err := range u.List(t.Context(), "x") {
				if last = err; err == nil {
					things++
					time.Sleep(c.caller)
				}
			}
			took := time.Since(start)
			if things != c.things || (last != nil) != (c.want > 0) {
				t.Errorf("%s: %d things, then %v", name, things, last)
			}
			if c.want > 0 && (!errors.Is(last, uploader.ErrUnreachable) || errors.Is(last, context.Canceled) || took != c.want) {
				t.Errorf("%s: %v after %s, want a stall after %s", name, last, took, c.want)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for _, err := range u.List(ctx, "x") {
				last = err
			}
			if !errors.Is(last, context.DeadlineExceeded) {
				t.Errorf("%s: %v when its context ends", name, last)
			}
		})
	}
}
