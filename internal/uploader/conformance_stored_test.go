package uploader

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

func deleteCases(t *testing.T, newPlace func(*testing.T) place) {
	ctx := context.Background()
	t.Run("spares the others", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		if !u.Capabilities().Delete {
			return
		}
		one, data1 := source(testName, 10)
		other, data2 := source("local/role/test/wc/wc2", 11)
		first := mustUpload(t, p, u, one, data1)
		before := p.list(t)
		second := mustUpload(t, p, u, other, data2)
		if err := u.Delete(ctx, first.URI); err != nil {
			t.Fatal(err)
		}
		mustFetch(t, p, second, data2)
		again := mustUpload(t, p, u, one, data1)
		if err := u.Delete(ctx, second.URI); err != nil {
			t.Fatal(err)
		}
		if u.Capabilities().FixedNames {
			mustBeSame(t, p, before)
		}
		mustFetch(t, p, again, data1)
	})

	t.Run("refuses foreign URIs", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		src, data := source(testName, 10)
		where := mustUpload(t, p, u, src, data)
		before := p.list(t)
		for _, uri := range p.foreign(t) {
			if err := u.Delete(ctx, uri); !errors.Is(err, ErrForeign) {
				t.Errorf("%q: got %v, want ErrForeign", uri, err)
			}
		}
		mustBeSame(t, p, before)
		mustFetch(t, p, where, data)
	})

	t.Run("what was never there", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		if !u.Capabilities().Delete || !u.Capabilities().FixedNames {
			return
		}
		src, _ := source(testName, 10)
		if err := u.Delete(ctx, u.Locate(src.Name).URI); err != nil {
			t.Error(err)
		}
		mustBeEmpty(t, p, "it")
	})

	t.Run("takes parts along", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		src, _ := source(testName, max(bigSize, 2*p.partSize()+1))
		if !u.Capabilities().Delete || !u.Capabilities().FixedNames || !p.leavePart(t, src) {
			return
		}
		if left := p.list(t); len(left) == 0 {
			t.Fatal("there is no part")
		}
		deleteTwice(t, u, u.Locate(src.Name).URI)
		mustBeEmpty(t, p, "it")
	})
}

func listCases(t *testing.T, newPlace func(*testing.T) place) {
	ctx := context.Background()
	if !newPlace(t).uploader(t).Capabilities().List {
		for _, err := range newPlace(t).uploader(t).List(ctx, testName) {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("got %v, want ErrUnsupported", err)
			}
		}
		return
	}

	t.Run("what is stored", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		mustList(t, u, "local")
		start := time.Now()
		var want []Stored
		// The names begin alike, and one lies deeper.
		for i, name := range []string{"local/r/wc", "local/r/wc2", "local/r/wc/deep", "local/r2/wc"} {
			src, data := source(name, 10+i)
			where := mustUpload(t, p, u, src, data)
			want = append(want, Stored{Name: src.Name, URI: where.URI, Size: src.Size})
		}
		mustList(t, u, "local", want...)
		mustList(t, u, "local/r", want[:3]...)
		mustList(t, u, "local/r/wc", want[0], want[2])
		mustList(t, u, "local/r/w")
		mustList(t, u, "loca")
		for s, err := range u.List(ctx, "local") {
			// Clocks differ, and some count whole seconds.
			if age := s.Modified.Sub(start); err != nil || age < -time.Hour || age > time.Hour {
				t.Errorf("%s was stored %v (%v)", s.Name, s.Modified, err)
			}
			break // the caller may end it
		}
		if !u.Capabilities().Delete {
			return
		}
		if err := u.Delete(ctx, want[0].URI); err != nil {
			t.Fatal(err)
		}
		mustList(t, u, "local/r/wc", want[2])
	})

	t.Run("parts", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		whole, data := source("local/r/wc", 10)
		where := mustUpload(t, p, u, whole, data)
		part, _ := source("local/r/wc", max(bigSize, 2*p.partSize()+1))
		if !p.leavePart(t, part) {
			return
		}
		mustList(t, u, "local/r2")
		mustList(t, u, "local/r/wc",
			Stored{Name: whole.Name, URI: where.URI, Size: whole.Size},
			Stored{Name: part.Name, URI: u.Locate(part.Name).URI, Partial: true})
		if u.Capabilities().Delete {
			deleteTwice(t, u, u.Locate(part.Name).URI)
			mustList(t, u, "local/r/wc", Stored{Name: whole.Name, URI: where.URI, Size: whole.Size})
			mustFetch(t, p, where, data)
		}
	})

	t.Run("a context that has ended", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		src, data := source(testName, 10)
		mustUpload(t, p, u, src, data)
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		var last error
		for _, err := range u.List(ctx, "local") {
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", last)
		}
	})

	t.Run("folders that lead elsewhere", func(t *testing.T) {
		u := newPlace(t).uploader(t)
		for _, bad := range []string{"", "..", "/etc", "a/../..", "a//b"} {
			var input *ConfigError
			for _, err := range u.List(ctx, bad) {
				if !errors.As(err, &input) {
					t.Errorf("%q: got %v, want a *ConfigError", bad, err)
				}
			}
			if input == nil {
				t.Errorf("%q: no error", bad)
			}
		}
	})
}

// mustList compares what is listed, sizes of parts and times left aside.
func mustList(t *testing.T, u Uploader, folder string, want ...Stored) {
	t.Helper()
	var got []Stored
	for s, err := range u.List(context.Background(), folder) {
		if err != nil {
			t.Fatalf("list %s: %v", folder, err)
		}
		s.Modified = time.Time{}
		if s.Partial {
			s.Size = 0
		}
		got = append(got, s)
	}
	byName := func(a, b Stored) int { return strings.Compare(a.Name, b.Name) }
	want = slices.Clone(want)
	slices.SortFunc(got, byName)
	slices.SortFunc(want, byName)
	if !slices.Equal(got, want) {
		t.Errorf("below %s are %+v, want %+v", folder, got, want)
	}
}

func placeCases(t *testing.T, newPlace func(*testing.T) place) {
	ctx := context.Background()
	t.Run("names that lead elsewhere", func(t *testing.T) {
		p := newPlace(t)
		for _, bad := range []string{"", ".", "..", "/etc/x", "../x", "a/../../x", "a//b", "a/", "./a", "a\nb", "a\x00b", "a?b", "a#b", "a%41", "a${b}", "a\xff"} {
			src, _ := source(testName, 1)
			src.Name = bad
			var input *ConfigError
			if _, err := p.uploader(t).Upload(ctx, src); !errors.As(err, &input) || input.Kind() != outcome.Usage {
				t.Errorf("%q: got %v, want a *ConfigError", bad, err)
			}
		}
		mustBeEmpty(t, p, "it")
	})

	t.Run("that takes nothing", func(t *testing.T) {
		u := newPlace(t).readOnly(t)
		if u == nil {
			return
		}
		src, _ := source(testName, 1)
		for what, err := range map[string]error{"check": u.Check(ctx), "upload": second(u.Upload(ctx, src))} {
			if !errors.Is(err, ErrTarget) && !errors.Is(err, ErrDenied) {
				t.Errorf("%s: got %v, want ErrTarget or ErrDenied", what, err)
			}
		}
	})

	t.Run("that gets full", func(t *testing.T) {
		u := newPlace(t).full(t)
		if u == nil {
			return
		}
		src, _ := source(testName, bigSize)
		if _, err := u.Upload(ctx, src); !errors.Is(err, ErrTarget) {
			t.Fatalf("got %v, want ErrTarget", err)
		}
		small, _ := source(testName, 10)
		if _, err := u.Upload(ctx, small); err != nil {
			t.Errorf("there is no room for a small one afterwards, so something was left: %v", err)
		}
	})
}

func second(_ Location, err error) error { return err }
