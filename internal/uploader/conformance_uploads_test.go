package uploader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func sizeCases(t *testing.T, newPlace func(*testing.T) place) {
	ctx := context.Background()
	sizes := []int{0, 1, bigSize}
	if part := newPlace(t).partSize(); part > 0 {
		sizes = append(sizes, part-1, part, part+1, 2*part+1)
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			p := newPlace(t)
			u := p.uploader(t)
			src, data := source(testName, size)
			var opened, closed atomic.Int32
			src.Open = counting(src.Open, &opened, &closed)
			if err := u.Check(ctx); err != nil {
				t.Fatal(err)
			}
			mustBeEmpty(t, p, "the check")
			where := mustUpload(t, p, u, src, data)
			if promised := u.Locate(src.Name); u.Capabilities().FixedNames && where.URI != promised.URI {
				t.Errorf("URI is %s, promised %s", where.URI, promised.URI)
			}
			if opened.Load() != closed.Load() {
				t.Errorf("the source was opened %d times and closed %d times", opened.Load(), closed.Load())
			}
			before := p.list(t)
			if err := u.Check(ctx); err != nil {
				t.Errorf("check after the upload: %v", err)
			}
			mustBeSame(t, p, before)
			deleteTwice(t, u, where.URI)
			if u.Capabilities().Delete {
				mustBeEmpty(t, p, "the delete")
			}
		})
	}
}

func failureCases(t *testing.T, newPlace func(*testing.T) place) {
	ctx := context.Background()
	failures := map[string]struct {
		spoil func(*Source)
		want  error
	}{
		"a source that does not open":       {func(s *Source) { s.Open = func() (Content, error) { return nil, errBroken } }, errBroken},
		"a source that fails half way":      {func(s *Source) { s.Open = breaking(s.Open, s.Size/2) }, errBroken},
		"a source that fails at the end":    {func(s *Source) { s.Open = breaking(s.Open, s.Size) }, errBroken},
		"another digest":                    {func(s *Source) { s.SHA256 = sumOf("something else") }, ErrContent},
		"a byte less than announced":        {func(s *Source) { s.Size++ }, ErrContent},
		"a byte more than announced":        {func(s *Source) { s.Size-- }, ErrContent},
		"much more than announced":          {func(s *Source) { s.Size = 3 }, ErrContent},
		"something where nothing should be": {func(s *Source) { s.Size = 0 }, ErrContent},
	}
	for label, f := range failures {
		t.Run(label, func(t *testing.T) {
			p := newPlace(t)
			u := p.uploader(t)
			src, data := source(testName, bigSize)
			good := src
			f.spoil(&src)
			var opened, closed atomic.Int32
			src.Open = counting(src.Open, &opened, &closed)
			where, err := u.Upload(ctx, src)
			if !errors.Is(err, f.want) || errors.Is(err, ErrTarget) || where.URI != "" {
				t.Fatalf("got %q, %v; want %v, which is not the place's fault", where, err, f.want)
			}
			if opened.Load() != closed.Load() {
				t.Errorf("the source was opened %d times and closed %d times", opened.Load(), closed.Load())
			}
			mustBeEmpty(t, p, "it")
			mustUpload(t, p, u, good, data)
		})
	}

	for label, at := range map[string]int64{"0": 0, "50": bigSize / 2, "99": bigSize * 99 / 100, "100": bigSize} {
		t.Run("cancel at "+label+" percent", func(t *testing.T) {
			p := newPlace(t)
			u := p.uploader(t)
			src, data := source(testName, bigSize)
			good := src
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			src.Open = tripping(src.Open, at, cancel)
			if at == 0 {
				cancel()
			}
			if where, err := u.Upload(ctx, src); !errors.Is(err, context.Canceled) || errors.Is(err, ErrTarget) || where.URI != "" {
				t.Fatalf("got %q, %v; want context.Canceled", where, err)
			}
			mustBeEmpty(t, p, "it")
			mustUpload(t, p, u, good, data)
		})
	}

	t.Run("a context that has ended", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if err := u.Check(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("check: got %v, want context.Canceled", err)
		}
		src, _ := source(testName, 1)
		where, err := u.Upload(context.Background(), src)
		if err != nil {
			t.Fatal(err)
		}
		before := p.list(t)
		if err := u.Delete(ctx, where.URI); u.Capabilities().Delete && !errors.Is(err, context.Canceled) {
			t.Errorf("delete: got %v, want context.Canceled", err)
		}
		mustBeSame(t, p, before)
	})

	t.Run("beside a good one", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		good, data := source(testName, 10)
		where := mustUpload(t, p, u, good, data)
		before := p.list(t)
		bad, _ := source(testName, bigSize)
		bad.Open = breaking(bad.Open, 100)
		if _, err := u.Upload(ctx, bad); !errors.Is(err, errBroken) {
			t.Fatalf("got %v", err)
		}
		mustBeSame(t, p, before)
		mustFetch(t, p, where, data)
	})
}

func repetitionCases(t *testing.T, newPlace func(*testing.T) place) {
	ctx := context.Background()
	for label, size := range map[string]int{"small": 10, "big": bigSize} {
		t.Run("the same object twice, "+label, func(t *testing.T) {
			p := newPlace(t)
			u := p.uploader(t)
			src, data := source(testName, size)
			first := mustUpload(t, p, u, src, data)
			before := p.list(t)
			if !u.Capabilities().FixedNames {
				// Nothing says where the first one is.
				return
			}
			open := src.Open
			src.Open = func() (Content, error) {
				t.Error("the source was opened again")
				return open()
			}
			second, err := p.uploader(t).Upload(ctx, src)
			if err != nil || second.URI != first.URI {
				t.Fatalf("got %q, %v; want %q", second, err, first)
			}
			mustBeSame(t, p, before)
			mustFetch(t, p, second, data)
		})
	}

	t.Run("two uploads of one object at once", func(t *testing.T) {
		p := newPlace(t)
		src, data := source(testName, bigSize)
		// Both have begun before either goes on.
		var reading atomic.Int32
		both := make(chan struct{})
		open := src.Open
		src.Open = func() (Content, error) {
			if reading.Add(1) == 2 {
				close(both)
			}
			<-both
			return open()
		}
		places, errs := make([]Location, 2), make([]error, 2)
		var all sync.WaitGroup
		for i := range 2 {
			u := p.uploader(t)
			all.Go(func() { places[i], errs[i] = u.Upload(ctx, src) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		u := p.uploader(t)
		for _, where := range places {
			mustFetch(t, p, where, data)
		}
		for _, where := range places {
			deleteTwice(t, u, where.URI)
		}
		if u.Capabilities().Delete {
			mustBeEmpty(t, p, "the delete")
		}
	})

	t.Run("after a killed upload", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		src, data := source(testName, max(bigSize, 2*p.partSize()+1))
		if !p.leavePart(t, src) {
			return
		}
		where := mustUpload(t, p, u, src, data)
		deleteTwice(t, u, where.URI)
		if u.Capabilities().Delete {
			mustBeEmpty(t, p, "upload and delete")
		}
	})

	t.Run("close twice", func(t *testing.T) {
		u := newPlace(t).uploader(t)
		for range 2 {
			if err := u.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
