package uploader

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// place is where an uploader under test stores packages, seen from behind.
type place interface {
	// uploader is a new one on this place.
	uploader(t *testing.T) Uploader
	// fetch reads a package as a node would, by its URI.
	fetch(t *testing.T, uri string) []byte
	// list names all that is there: packages, parts of them, folders.
	list(t *testing.T) []string
	// readOnly is an uploader on a place that takes nothing, full one on a
	// place that has room for less than 1 MiB.
	readOnly(t *testing.T) Uploader
	full(t *testing.T) Uploader
	// foreign are URIs that an uploader of this place never returned.
	foreign(t *testing.T) []string
}

const bigSize = 5<<20 + 1

// source is a package of pseudo-random content, and the content.
func source(name string, size int) (Source, []byte) {
	data := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(data)
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	return Source{
		Name: name + "/" + digest + ".tar.gz", Size: int64(size), SHA256: digest,
		Open: func() (Content, error) { return memory{bytes.NewReader(data)}, nil },
	}, data
}

// conformance is what every uploader must pass; what it declares not to be
// capable of is left out. newPlace makes an empty place.
func conformance(t *testing.T, newPlace func(t *testing.T) place) {
	ctx := context.Background()
	const name = "local/role/test/wc/wc1"

	for label, size := range map[string]int{"0 bytes": 0, "1 byte": 1, "5 MiB + 1": bigSize} {
		t.Run("upload "+label, func(t *testing.T) {
			p := newPlace(t)
			u := p.uploader(t)
			src, data := source(name, size)
			if err := u.Check(ctx); err != nil {
				t.Fatal(err)
			}
			if left := p.list(t); len(left) > 0 {
				t.Fatalf("the check left %q", left)
			}
			where, err := u.Upload(ctx, src)
			if err != nil {
				t.Fatal(err)
			}
			if promised := u.Locate(src.Name); u.Capabilities().FixedNames && where.URI != promised.URI {
				t.Errorf("URI is %s, promised %s", where.URI, promised.URI)
			}
			uri := where.URI
			if !bytes.Equal(p.fetch(t, where.Fetch), data) {
				t.Error("what a node fetches is something else")
			}
			if err := u.Check(ctx); err != nil {
				t.Errorf("check after the upload: %v", err)
			}
			if !u.Capabilities().Delete {
				if err := u.Delete(ctx, uri); !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("delete: got %v, want ErrUnsupported", err)
				}
				return
			}
			for _, which := range []string{"first", "second"} {
				if err := u.Delete(ctx, uri); err != nil {
					t.Errorf("%s delete: %v", which, err)
				}
			}
			if left := p.list(t); len(left) > 0 {
				t.Errorf("the delete left %q", left)
			}
		})
	}

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
		t.Run("failure: "+label, func(t *testing.T) {
			p := newPlace(t)
			u := p.uploader(t)
			src, _ := source(name, bigSize)
			good := src
			f.spoil(&src)
			where, err := u.Upload(ctx, src)
			if !errors.Is(err, f.want) || errors.Is(err, ErrTarget) || where.URI != "" {
				t.Fatalf("got %q, %v; want %v, which is not the place's fault", where, err, f.want)
			}
			if left := p.list(t); len(left) > 0 {
				t.Fatalf("it left %q", left)
			}
			if _, err := u.Upload(ctx, good); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}

	for label, at := range map[string]int64{"0": 0, "50": bigSize / 2, "99": bigSize * 99 / 100, "100": bigSize} {
		t.Run("cancel at "+label+" percent", func(t *testing.T) {
			p := newPlace(t)
			src, _ := source(name, bigSize)
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			open := src.Open
			src.Open = func() (Content, error) {
				r, err := open()
				w := &tripwire{Content: r, trip: cancel}
				w.left.Store(at)
				return w, err
			}
			if at == 0 {
				cancel()
			}
			if where, err := p.uploader(t).Upload(ctx, src); !errors.Is(err, context.Canceled) || where.URI != "" {
				t.Fatalf("got %q, %v; want context.Canceled", where, err)
			}
			if left := p.list(t); len(left) > 0 {
				t.Errorf("it left %q", left)
			}
		})
	}

	t.Run("the same object twice", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		src, data := source(name, bigSize)
		first, err := u.Upload(ctx, src)
		if err != nil {
			t.Fatal(err)
		}
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
		if after := p.list(t); !slices.Equal(before, after) {
			t.Errorf("there was %q, now %q", before, after)
		}
		if !bytes.Equal(p.fetch(t, first.Fetch), data) {
			t.Error("what a node fetches is something else")
		}
	})

	t.Run("two uploads of one object at once", func(t *testing.T) {
		p := newPlace(t)
		src, data := source(name, bigSize)
		// Both have read something before either goes on.
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
		for _, where := range places {
			if !bytes.Equal(p.fetch(t, where.Fetch), data) {
				t.Error("what a node fetches is something else")
			}
		}
	})

	t.Run("a failed upload beside a good one", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		good, data := source(name, 10)
		where, err := u.Upload(ctx, good)
		if err != nil {
			t.Fatal(err)
		}
		before := p.list(t)
		bad, _ := source(name, bigSize)
		bad.Open = breaking(bad.Open, 100)
		if _, err := u.Upload(ctx, bad); !errors.Is(err, errBroken) {
			t.Fatalf("got %v", err)
		}
		if after := p.list(t); !slices.Equal(before, after) || !bytes.Equal(p.fetch(t, where.Fetch), data) {
			t.Errorf("there was %q, now %q", before, after)
		}
	})

	t.Run("delete spares the others", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		if !u.Capabilities().Delete {
			return
		}
		one, _ := source(name, 10)
		other, data := source("local/role/test/wc/wc2", 10)
		first, err1 := u.Upload(ctx, one)
		before := p.list(t)
		second, err2 := u.Upload(ctx, other)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if err := u.Delete(ctx, first.URI); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.fetch(t, second.Fetch), data) {
			t.Error("the other is gone")
		}
		if _, err := u.Upload(ctx, one); err != nil {
			t.Fatal(err)
		}
		if err := u.Delete(ctx, second.URI); err != nil {
			t.Fatal(err)
		}
		if after := p.list(t); !slices.Equal(before, after) {
			t.Errorf("there was %q, now %q", before, after)
		}
	})

	t.Run("delete refuses foreign URIs", func(t *testing.T) {
		p := newPlace(t)
		u := p.uploader(t)
		src, _ := source(name, 10)
		if _, err := u.Upload(ctx, src); err != nil {
			t.Fatal(err)
		}
		before := p.list(t)
		for _, uri := range p.foreign(t) {
			if err := u.Delete(ctx, uri); !errors.Is(err, ErrForeign) {
				t.Errorf("%q: got %v, want ErrForeign", uri, err)
			}
		}
		if after := p.list(t); !slices.Equal(before, after) {
			t.Errorf("there was %q, now %q", before, after)
		}
	})

	t.Run("names that lead elsewhere", func(t *testing.T) {
		p := newPlace(t)
		for _, bad := range []string{"", ".", "..", "/etc/x", "../x", "a/../../x", "a//b", "a/", "./a", "a\nb", "a\x00b", "a?b", "a#b", "a%41", "a${b}", "a\xff"} {
			src, _ := source(name, 1)
			src.Name = bad
			var input *ConfigError
			if _, err := p.uploader(t).Upload(ctx, src); !errors.As(err, &input) || input.ExitCode() != 2 {
				t.Errorf("%q: got %v, want a *ConfigError", bad, err)
			}
		}
		if left := p.list(t); len(left) > 0 {
			t.Errorf("it left %q", left)
		}
	})

	t.Run("a place that takes nothing", func(t *testing.T) {
		u := newPlace(t).readOnly(t)
		src, _ := source(name, 1)
		if err := u.Check(ctx); !errors.Is(err, ErrTarget) {
			t.Errorf("check: got %v, want ErrTarget", err)
		}
		if _, err := u.Upload(ctx, src); !errors.Is(err, ErrTarget) {
			t.Errorf("upload: got %v, want ErrTarget", err)
		}
	})

	t.Run("a place that gets full", func(t *testing.T) {
		u := newPlace(t).full(t)
		src, _ := source(name, bigSize)
		if _, err := u.Upload(ctx, src); !errors.Is(err, ErrTarget) {
			t.Fatalf("got %v, want ErrTarget", err)
		}
		small, _ := source(name, 10)
		if _, err := u.Upload(ctx, small); err != nil {
			t.Errorf("there is no room for a small one afterwards, so something was left: %v", err)
		}
	})
}

var errBroken = errors.New("broken source")

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// memory is a content in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// breaking gives n bytes of the content and then fails.
func breaking(open func() (Content, error), n int64) func() (Content, error) {
	return func() (Content, error) {
		c, err := open()
		if err != nil {
			return nil, err
		}
		return &broken{Content: c, whole: n}, nil
	}
}

// broken gives the first whole bytes.
type broken struct {
	Content
	whole, at int64
}

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.ReadAt(p, b.at)
	b.at += int64(n)
	return n, err
}

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.whole {
		return 0, errBroken
	}
	if int64(len(p)) > b.whole-off {
		n, _ := b.Content.ReadAt(p[:b.whole-off], off)
		return n, errBroken
	}
	return b.Content.ReadAt(p, off)
}

// tripwire calls trip when so many bytes have been read.
type tripwire struct {
	Content
	left atomic.Int64
	trip func()
}

func (w *tripwire) Read(p []byte) (int, error) {
	n, err := w.Content.Read(p)
	return w.count(n), err
}

func (w *tripwire) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.Content.ReadAt(p, off)
	return w.count(n), err
}

func (w *tripwire) count(n int) int {
	if w.left.Add(int64(-n)) <= 0 {
		w.trip()
	}
	return n
}
