package uploadertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/uploader"
)

func deleteCases(t *testing.T, newPlace func(*testing.T) Place) {
	ctx := context.Background()
	t.Run("spares the others", func(t *testing.T) {
		p := newPlace(t)
		u := p.Uploader(t)
		if !u.Capabilities().Delete {
			return
		}
		one, data1 := Source(Folder, 10)
		other, data2 := Source("local/role/test/wc/wc2", 11)
		first := MustUpload(t, p, u, one, data1)
		before := p.List(t)
		Second := MustUpload(t, p, u, other, data2)
		if err := u.Delete(ctx, first.URI); err != nil {
			t.Fatal(err)
		}
		MustFetch(t, p, Second, data2)
		again := MustUpload(t, p, u, one, data1)
		if err := u.Delete(ctx, Second.URI); err != nil {
			t.Fatal(err)
		}
		if u.Capabilities().FixedNames {
			mustBeSame(t, p, before)
		}
		MustFetch(t, p, again, data1)
	})

	t.Run("refuses foreign URIs", func(t *testing.T) {
		p := newPlace(t)
		u := p.Uploader(t)
		src, data := Source(Folder, 10)
		where := MustUpload(t, p, u, src, data)
		before := p.List(t)
		for _, uri := range p.Foreign(t) {
			if err := u.Delete(ctx, uri); !errors.Is(err, uploader.ErrForeign) {
				t.Errorf("%q: got %v, want ErrForeign", uri, err)
			}
		}
		mustBeSame(t, p, before)
		MustFetch(t, p, where, data)
	})

	t.Run("what was never there", func(t *testing.T) {
		p := newPlace(t)
		u := p.Uploader(t)
		if !u.Capabilities().Delete || !u.Capabilities().FixedNames {
			return
		}
		src, _ := Source(Folder, 10)
		if err := u.Delete(ctx, u.Locate(src.Name).URI); err != nil {
			t.Error(err)
		}
		MustBeEmpty(t, p, "it")
	})

	t.Run("takes parts along", func(t *testing.T) {
		p := newPlace(t)
		u := p.Uploader(t)
		src, _ := Source(Folder, max(BigSize, 2*p.PartSize()+1))
		if !u.Capabilities().Delete || !u.Capabilities().FixedNames || !p.LeavePart(t, src) {
			return
		}
		if left := p.List(t); len(left) == 0 {
			t.Fatal("there is no part")
		}
		DeleteTwice(t, u, u.Locate(src.Name).URI)
		MustBeEmpty(t, p, "it")
	})

	t.Run("spares the parts of others", func(t *testing.T) { partsOfOthersCase(t, newPlace(t)) })
}

// partsOfOthersCase deletes packages of which the names begin alike, as those of
// their temporary files do.
func partsOfOthersCase(t *testing.T, p Place) {
	u := p.Uploader(t)
	if !u.Capabilities().Delete || !u.Capabilities().List {
		return
	}
	src, _ := Source(Folder, max(BigSize, 2*p.PartSize()+1))
	for _, name := range []string{"a", "a.b", "a.b.c", ".a", "b.a", "a[b]", "a*"} {
		one := src
		one.Name = Folder + "/" + name
		if !p.LeavePart(t, one) {
			return
		}
	}
	left := func() (names []string) {
		for s, err := range u.List(context.Background(), Folder) {
			if err != nil || !s.Partial {
				t.Fatalf("there is %+v, %v", s, err)
			}
			names = append(names, strings.TrimPrefix(s.Name, Folder+"/"))
		}
		slices.Sort(names)
		return names
	}
	all := left()
	for len(all) > 0 {
		if err := u.Delete(context.Background(), u.Locate(Folder+"/"+all[0]).URI); err != nil {
			t.Fatal(err)
		}
		if got := left(); !slices.Equal(got, all[1:]) {
			t.Errorf("deleting %q left the parts of %q, want %q", all[0], got, all[1:])
		}
		all = all[1:]
	}
	MustBeEmpty(t, p, "it")
}

func listCases(t *testing.T, newPlace func(*testing.T) Place) {
	ctx := context.Background()
	if !newPlace(t).Uploader(t).Capabilities().List {
		for _, err := range newPlace(t).Uploader(t).List(ctx, Folder) {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("got %v, want ErrUnsupported", err)
			}
		}
		return
	}

	t.Run("what is stored", func(t *testing.T) {
		p := newPlace(t)
		u := p.Uploader(t)
		mustList(t, u, "local")
		start := time.Now()
		var want []uploader.Stored
		// The names begin alike, and one lies deeper.
		for i, name := range []string{"local/r/wc", "local/r/wc2", "local/r/wc/deep", "local/r2/wc"} {
			src, data := Source(name, 10+i)
			where := MustUpload(t, p, u, src, data)
			want = append(want, uploader.Stored{Name: src.Name, URI: where.URI, Size: src.Size})
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
		u := p.Uploader(t)
		whole, data := Source("local/r/wc", 10)
		where := MustUpload(t, p, u, whole, data)
		part, _ := Source("local/r/wc", max(BigSize, 2*p.PartSize()+1))
		if !p.LeavePart(t, part) {
			return
		}
		mustList(t, u, "local/r2")
		mustList(t, u, "local/r/wc",
			uploader.Stored{Name: whole.Name, URI: where.URI, Size: whole.Size},
			uploader.Stored{Name: part.Name, URI: u.Locate(part.Name).URI, Partial: true})
		if u.Capabilities().Delete {
			DeleteTwice(t, u, u.Locate(part.Name).URI)
			mustList(t, u, "local/r/wc", uploader.Stored{Name: whole.Name, URI: where.URI, Size: whole.Size})
			MustFetch(t, p, where, data)
		}
	})

	t.Run("a context that has ended", func(t *testing.T) {
		p := newPlace(t)
		u := p.Uploader(t)
		src, data := Source(Folder, 10)
		MustUpload(t, p, u, src, data)
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
		u := newPlace(t).Uploader(t)
		for _, bad := range []string{"", "..", "/etc", "a/../..", "a//b"} {
			var input *uploader.ConfigError
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
func mustList(t *testing.T, u uploader.Uploader, folder string, want ...uploader.Stored) {
	t.Helper()
	var got []uploader.Stored
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
	byName := func(a, b uploader.Stored) int { return strings.Compare(a.Name, b.Name) }
	want = slices.Clone(want)
	slices.SortFunc(got, byName)
	slices.SortFunc(want, byName)
	if !slices.Equal(got, want) {
		t.Errorf("below %s are %+v, want %+v", folder, got, want)
	}
}

func placeCases(t *testing.T, newPlace func(*testing.T) Place) {
	ctx := context.Background()
	t.Run("names that lead elsewhere", func(t *testing.T) {
		p := newPlace(t)
		for _, bad := range []string{"", ".", "..", "/etc/x", "../x", "a/../../x", "a//b", "a/", "./a", "a\nb", "a\x00b", "a?b", "a#b", "a%41", "a${b}", "a\xff", "a/.b.0123456789abcdef.part"} {
			src, _ := Source(Folder, 1)
			src.Name = bad
			var input *uploader.ConfigError
			if _, err := p.Uploader(t).Upload(ctx, src); !errors.As(err, &input) || input.Kind() != outcome.Usage {
				t.Errorf("%q: got %v, want a *ConfigError", bad, err)
			}
		}
		MustBeEmpty(t, p, "it")
	})

	t.Run("that takes nothing", func(t *testing.T) {
		u := newPlace(t).ReadOnly(t)
		if u == nil {
			return
		}
		src, _ := Source(Folder, 1)
		for what, err := range map[string]error{"check": u.Check(ctx), "upload": Second(u.Upload(ctx, src))} {
			if !errors.Is(err, uploader.ErrTarget) && !errors.Is(err, uploader.ErrDenied) {
				t.Errorf("%s: got %v, want ErrTarget or ErrDenied", what, err)
			}
		}
	})

	t.Run("that gets full", func(t *testing.T) {
		u := newPlace(t).Full(t)
		if u == nil {
			return
		}
		src, _ := Source(Folder, BigSize)
		if _, err := u.Upload(ctx, src); !errors.Is(err, uploader.ErrTarget) {
			t.Fatalf("got %v, want ErrTarget", err)
		}
		// A server may still be about to remove what it could not keep.
		small, _ := Source(Folder, 10)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(Soon); ; <-tick.C {
			_, err := u.Upload(ctx, small)
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("there is no room for a small one afterwards, so something was left: %v", err)
			}
		}
	})
}

// Second is the error of an upload.
func Second(_ uploader.Location, err error) error { return err }
