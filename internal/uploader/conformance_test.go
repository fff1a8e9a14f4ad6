package uploader

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
)

// place is where an uploader under test stores packages, seen from behind. A
// method that has no answer for a place returns nil, and its cases are left
// out.
type place interface {
	// uploader is a new one on this place.
	uploader(t *testing.T) Uploader
	// partSize is the size above which an upload is cut into parts, in bytes;
	// 0 where it never is.
	partSize() int
	// fetch reads a package as a node would, by its Fetch.
	fetch(t *testing.T, fetch string) []byte
	// list names all that is there: packages, parts of them, folders. It waits
	// for what the server clears up by itself.
	list(t *testing.T) []string
	// leavePart has an upload of this package be there as it is when its
	// process was killed in the middle, and says whether there is such a
	// thing.
	leavePart(t *testing.T, src Source) bool
	// readOnly is an uploader on a place that takes nothing, full one on a
	// place that has room for less than 1 MiB.
	readOnly(t *testing.T) Uploader
	full(t *testing.T) Uploader
	// faults is an uploader of this place that goes through a proxy, with the
	// proxy; nil where no network is in between. It comes from base, without
	// what New adds, and with these settings for what all uploaders share.
	faults(t *testing.T, common conf.Upload) (Uploader, *testenv.FaultProxy)
	// foreign are URIs that an uploader of this place never returned.
	foreign(t *testing.T) []string
	// secrets must occur in nothing that is shown.
	secrets() []string
}

const (
	bigSize = 5<<20 + 1
	// testName is the folder of most packages.
	testName = "local/role/test/wc/wc1"
)

// conformance is what every uploader must pass; what it declares not to be
// capable of is left out. newPlace makes an empty place, for tests that run
// side by side.
func conformance(t *testing.T, newPlace func(t *testing.T) place) {
	watched := func(t *testing.T) place { return watch(t, newPlace(t)) }
	// This one measures memory, so it is alone.
	t.Run("large", func(t *testing.T) { largeCases(t, watched) })
	for name, group := range map[string]func(*testing.T, func(*testing.T) place){
		"sizes": sizeCases, "failures": failureCases, "repetition": repetitionCases,
		"delete": deleteCases, "list": listCases, "place": placeCases, "network": networkCases,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			group(t, watched)
		})
	}
}

// watchedPlace notes whatever its uploaders say that a person could see.
type watchedPlace struct {
	place
	mu   sync.Mutex
	said []string
}

// watch looks for secrets when the test ends.
func watch(t *testing.T, p place) place {
	w := &watchedPlace{place: p}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, secret := range p.secrets() {
			for _, text := range w.said {
				if secret != "" && strings.Contains(text, secret) {
					t.Errorf("a secret is in: %s", text)
				}
			}
		}
	})
	return w
}

func (w *watchedPlace) note(text string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
	if err != nil {
		w.said = append(w.said, err.Error())
	}
}

func (w *watchedPlace) over(u Uploader) Uploader {
	if u == nil {
		return nil
	}
	return &watchedUploader{u, w}
}

func (w *watchedPlace) uploader(t *testing.T) Uploader { return w.over(w.place.uploader(t)) }
func (w *watchedPlace) readOnly(t *testing.T) Uploader { return w.over(w.place.readOnly(t)) }
func (w *watchedPlace) full(t *testing.T) Uploader     { return w.over(w.place.full(t)) }

func (w *watchedPlace) faults(t *testing.T, common conf.Upload) (Uploader, *testenv.FaultProxy) {
	u, proxy := w.place.faults(t, common)
	return w.over(u), proxy
}

type watchedUploader struct {
	Uploader
	to *watchedPlace
}

func (u *watchedUploader) Check(ctx context.Context) error {
	err := u.Uploader.Check(ctx)
	u.to.note("", err)
	return err
}

func (u *watchedUploader) Upload(ctx context.Context, src Source) (Location, error) {
	where, err := u.Uploader.Upload(ctx, src)
	u.to.note(where.URI, err)
	return where, err
}

func (u *watchedUploader) Delete(ctx context.Context, uri string) error {
	err := u.Uploader.Delete(ctx, uri)
	u.to.note("", err)
	return err
}

func (u *watchedUploader) Locate(name string) Location {
	where := u.Uploader.Locate(name)
	u.to.note(where.URI, nil)
	return where
}

func (u *watchedUploader) List(ctx context.Context, folder string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for s, err := range u.Uploader.List(ctx, folder) {
			u.to.note(s.URI, err)
			if !yield(s, err) {
				return
			}
		}
	}
}

// mustUpload uploads and compares what a node gets.
func mustUpload(t *testing.T, p place, u Uploader, src Source, data []byte) Location {
	t.Helper()
	where, err := u.Upload(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	mustFetch(t, p, where, data)
	return where
}

func mustFetch(t *testing.T, p place, where Location, data []byte) {
	t.Helper()
	if !bytes.Equal(p.fetch(t, where.Fetch), data) {
		t.Error("what a node fetches is something else")
	}
}

// mustBeEmpty fails when anything is left.
func mustBeEmpty(t *testing.T, p place, who string) {
	t.Helper()
	if left := p.list(t); len(left) > 0 {
		t.Errorf("%s left %q", who, left)
	}
}

// mustBeSame fails when something else is there than before.
func mustBeSame(t *testing.T, p place, before []string) {
	t.Helper()
	if after := p.list(t); !slices.Equal(before, after) {
		t.Errorf("there was %q, now %q", before, after)
	}
}

// deleteTwice removes a package that an uploader put there, where it can.
func deleteTwice(t *testing.T, u Uploader, uri string) {
	t.Helper()
	if !u.Capabilities().Delete {
		if err := u.Delete(context.Background(), uri); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("delete: got %v, want ErrUnsupported", err)
		}
		return
	}
	for _, which := range []string{"first", "second"} {
		if err := u.Delete(context.Background(), uri); err != nil {
			t.Errorf("%s delete: %v", which, err)
		}
	}
}
