package uploadertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/heron-nomad/heron/internal/uploader"
)

func sizeCases(t *testing.T, newPlace func(*testing.T) Place) {
	ctx := context.Background()
	sizes := []int{0, 1, BigSize}
	if part := newPlace(t).PartSize(); part > 0 {
		sizes = append(sizes, part-1, part, part+1, 2*part+1)
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			p := newPlace(t)
			u := p.Uploader(t)
			src, data := Source(Folder, size)
			var opened, closed atomic.Int32
			src.Open = counting(src.Open, &opened, &closed)
			if err := u.Check(ctx); err != nil {
				t.Fatal(err)
			}
			MustBeEmpty(t, p, "the check")
			where := MustUpload(t, p, u, src, data)
			if promised := u.Locate(src.Name); u.Capabilities().FixedNames && where.URI != promised.URI {
				t.Errorf("URI is %s, promised %s", where.URI, promised.URI)
			}
			if opened.Load() != closed.Load() {
				t.Errorf("the source was opened %d times and closed %d times", opened.Load(), closed.Load())
			}
			before := p.List(t)
			if err := u.Check(ctx); err != nil {
				t.Errorf("check after the upload: %v", err)
			}
			mustBeSame(t, p, before)
			DeleteTwice(t, u, where.URI)
			if u.Capabilities().Delete {
				MustBeEmpty(t, p, "the delete")
			}
		})
	}
}

func failureCases(t *testing.T, newPlace func(*testing.T) Place) {
	ctx := context.Background()
	failures := map[string]struct {
		spoil func(*uploader.Source)
		want  error
	}{
		"a source that does not open":       {func(s *uploader.Source) { s.Open = func() (uploader.Content, error) { return nil, ErrBroken } }, ErrBroken},
		"a source that fails half way":      {func(s *uploader.Source) { s.Open = Breaking(s.Open, s.Size/2) }, ErrBroken},
		"a source that fails at the end":    {func(s *uploader.Source) { s.Open = Breaking(s.Open, s.Size) }, ErrBroken},
		"another digest":                    {func(s *uploader.Source) { s.SHA256 = sumOf("something else") }, uploader.ErrContent},
		"a byte less than announced":        {func(s *uploader.Source) { s.Size++ }, uploader.ErrContent},
		"a byte more than announced":        {func(s *uploader.Source) { s.Size-- }, uploader.ErrContent},
		"much more than announced":          {func(s *uploader.Source) { s.Size = 3 }, uploader.ErrContent},
		"something where nothing should be": {func(s *uploader.Source) { s.Size = 0 }, uploader.ErrContent},
	}
	for label, f := range failures {
		t.Run(label, func(t *testing.T) {
			p := newPlace(t)
			u := p.Uploader(t)
			src, data := Source(Folder, BigSize)
			good := src
			f.spoil(&src)
			var opened, closed atomic.Int32
			src.Open = counting(src.Open, &opened, &closed)
			where, err := u.Upload(ctx, src)
			if !errors.Is(err, f.want) || errors.Is(err, uploader.ErrTarget) || where.URI != "" {
				t.Fatalf("got %q, %v; want %v, which is not the place's fault", where, err, f.want)
			}
			if opened.Load() != closed.Load() {
				t.Errorf("the source was opened %d times and closed %d times", opened.Load(), closed.Load())
			}
			MustBeEmpty(t, p, "it")
			MustUpload(t, p, u, good, data)
		})
	}

	for label, at := range map[string]int64{"0": 0, "50": BigSize / 2, "99": BigSize * 99 / 100, "100": BigSize} {
		t.Run("cancel at "+label+" percent", func(t *testing.T) {
			p := newPlace(t)
			u := p.Uploader(t)
			src, data := Source(Folder, BigSize)
			good := src
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			src.Open = Tripping(src.Open, at, cancel)
			if at == 0 {
				cancel()
			}
			if where, err := u.Upload(ctx, src); !errors.Is(err, context.Canceled) || errors.Is(err, uploader.ErrTarget) || where.URI != "" {
				t.Fatalf("got %q, %v; want context.Canceled", where, err)
			}
			MustBeEmpty(t, p, "it")
			MustUpload(t, p, u, good, data)
		})
	}

	t.Run("a context that has ended", func(t *testing.T) {
		p := newPlace(t)
		u := p.Uploader(t)
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if err := u.Check(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("check: got %v, want context.Canceled", err)
		}
		src, _ := Source(Folder, 1)
		where, err := u.Upload(context.Background(), src)
		if err != nil {
			t.Fatal(err)
		}
		before := p.List(t)
		if err := u.Delete(ctx, where.URI); u.Capabilities().Delete && !errors.Is(err, context.Canceled) {
			t.Errorf("delete: got %v, want context.Canceled", err)
		}
		mustBeSame(t, p, before)
	})

	t.Run("beside a good one", func(t *testing.T) {
		p := newPlace(t)
		u := p.Uploader(t)
		good, data := Source(Folder, 10)
		where := MustUpload(t, p, u, good, data)
		before := p.List(t)
		bad, _ := Source(Folder, BigSize)
		bad.Open = Breaking(bad.Open, 100)
		if _, err := u.Upload(ctx, bad); !errors.Is(err, ErrBroken) {
			t.Fatalf("got %v", err)
		}
		mustBeSame(t, p, before)
		MustFetch(t, p, where, data)
	})
}

func repetitionCases(t *testing.T, newPlace func(*testing.T) Place) {
	ctx := context.Background()
	for label, size := range map[string]int{"small": 10, "big": BigSize} {
		t.Run("the same object twice, "+label, func(t *testing.T) {
			p := newPlace(t)
			u := p.Uploader(t)
			src, data := Source(Folder, size)
			first := MustUpload(t, p, u, src, data)
			before := p.List(t)
			if !u.Capabilities().FixedNames {
				// Nothing says where the first one is.
				return
			}
			open := src.Open
			src.Open = func() (uploader.Content, error) {
				t.Error("the source was opened again")
				return open()
			}
			Second, err := p.Uploader(t).Upload(ctx, src)
			if err != nil || Second.URI != first.URI {
				t.Fatalf("got %q, %v; want %q", Second, err, first)
			}
			mustBeSame(t, p, before)
			MustFetch(t, p, Second, data)
		})
	}

	t.Run("two uploads of one object at once", func(t *testing.T) {
		p := newPlace(t)
		src, data := Source(Folder, BigSize)
		// Both have begun before either goes on.
		var reading atomic.Int32
		both := make(chan struct{})
		open := src.Open
		src.Open = func() (uploader.Content, error) {
			if reading.Add(1) == 2 {
				close(both)
			}
			<-both
			return open()
		}
		places, errs := make([]uploader.Location, 2), make([]error, 2)
		var all sync.WaitGroup
		for i := range 2 {
			u := p.Uploader(t)
			all.Go(func() { places[i], errs[i] = u.Upload(ctx, src) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		u := p.Uploader(t)
		for _, where := range places {
			MustFetch(t, p, where, data)
		}
		for _, where := range places {
			DeleteTwice(t, u, where.URI)
		}
		if u.Capabilities().Delete {
			MustBeEmpty(t, p, "the delete")
		}
	})

	t.Run("after a killed upload", func(t *testing.T) {
		p := newPlace(t)
		u := p.Uploader(t)
		src, data := Source(Folder, max(BigSize, 2*p.PartSize()+1))
		if !p.LeavePart(t, src) {
			return
		}
		where := MustUpload(t, p, u, src, data)
		DeleteTwice(t, u, where.URI)
		if u.Capabilities().Delete {
			MustBeEmpty(t, p, "upload and delete")
		}
	})

	t.Run("close twice", func(t *testing.T) {
		u := newPlace(t).Uploader(t)
		for range 2 {
			if err := u.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
