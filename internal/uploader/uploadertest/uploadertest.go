// Package uploadertest is the conformance suite that every uploader must pass,
// and what tests of uploaders share: packages of generated content, sources
// that fail, and file systems that are small. It is for tests alone.
package uploadertest

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
	"github.com/heron-nomad/heron/internal/uploader"
)

// Place is where an uploader under test stores packages, seen from behind. A
// method that has no answer for a place returns nil, and its cases are left
// out.
type Place interface {
	// Uploader is a new one on this place.
	Uploader(t *testing.T) uploader.Uploader
	// PartSize is the size above which an upload is cut into parts, in bytes;
	// 0 where it never is.
	PartSize() int
	// Fetch reads a package as a node would, by its Fetch.
	Fetch(t *testing.T, fetch string) []byte
	// List names all that is there: packages, parts of them, folders. It waits
	// for what the server clears up by itself.
	List(t *testing.T) []string
	// LeavePart stores a part of this package, as an upload does whose process
	// is killed in the middle, and says whether there is such a thing.
	LeavePart(t *testing.T, src uploader.Source) bool
	// ReadOnly is an uploader on a place that takes nothing, Full one on a
	// place that has room for less than 1 MiB.
	ReadOnly(t *testing.T) uploader.Uploader
	Full(t *testing.T) uploader.Uploader
	// Faults is a proxy before this place, and what makes undecorated uploaders
	// that go through it, with these settings for what all uploaders share; nil
	// where no network is in between.
	Faults(t *testing.T) (through func(common conf.Upload) uploader.Uploader, proxy *testenv.FaultProxy)
	// Foreign are URIs that an uploader of this place never returned.
	Foreign(t *testing.T) []string
	// Secrets must occur in nothing that is shown.
	Secrets() []string
}

const (
	// BigSize is the size of packages that are large for a test, in bytes.
	BigSize = 5<<20 + 1
	// Folder is the folder of most packages.
	Folder = "local/role/test/wc/wc1"
)

// Run is what every uploader must pass; what its capabilities rule out is left
// out. newPlace makes an empty place, for tests that run side by side. only
// names the groups to run, all of them where it is empty: large, sizes,
// failures, repetition, delete, list, place, network.
func Run(t *testing.T, newPlace func(t *testing.T) Place, only ...string) {
	watched := func(t *testing.T) Place { return watch(t, newPlace(t)) }
	wanted := func(name string) bool { return len(only) == 0 || slices.Contains(only, name) }
	// This one measures memory, so it is alone.
	if wanted("large") {
		t.Run("large", func(t *testing.T) { largeCases(t, watched) })
	}
	for name, group := range map[string]func(*testing.T, func(*testing.T) Place){
		"sizes": sizeCases, "failures": failureCases, "repetition": repetitionCases,
		"delete": deleteCases, "list": listCases, "place": placeCases, "network": networkCases,
	} {
		if !wanted(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			group(t, watched)
		})
	}
}

// watchedPlace notes whatever its uploaders say that a person could see.
type watchedPlace struct {
	Place
	mu   sync.Mutex
	said []string
}

// watch looks for secrets when the test ends.
func watch(t *testing.T, p Place) Place {
	w := &watchedPlace{Place: p}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, secret := range p.Secrets() {
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

func (w *watchedPlace) over(u uploader.Uploader) uploader.Uploader {
	if u == nil {
		return nil
	}
	return &watchedUploader{u, w}
}

func (w *watchedPlace) Uploader(t *testing.T) uploader.Uploader { return w.over(w.Place.Uploader(t)) }
func (w *watchedPlace) ReadOnly(t *testing.T) uploader.Uploader { return w.over(w.Place.ReadOnly(t)) }
func (w *watchedPlace) Full(t *testing.T) uploader.Uploader     { return w.over(w.Place.Full(t)) }

func (w *watchedPlace) Faults(t *testing.T) (func(conf.Upload) uploader.Uploader, *testenv.FaultProxy) {
	through, proxy := w.Place.Faults(t)
	if through == nil {
		return nil, nil
	}
	return func(common conf.Upload) uploader.Uploader { return w.over(through(common)) }, proxy
}

type watchedUploader struct {
	uploader.Uploader
	to *watchedPlace
}

func (u *watchedUploader) Check(ctx context.Context) error {
	err := u.Uploader.Check(ctx)
	u.to.note("", err)
	return err
}

func (u *watchedUploader) Upload(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	where, err := u.Uploader.Upload(ctx, src)
	u.to.note(where.URI, err)
	return where, err
}

func (u *watchedUploader) Delete(ctx context.Context, uri string) error {
	err := u.Uploader.Delete(ctx, uri)
	u.to.note("", err)
	return err
}

func (u *watchedUploader) Locate(name string) uploader.Location {
	where := u.Uploader.Locate(name)
	u.to.note(where.URI, nil)
	return where
}

func (u *watchedUploader) List(ctx context.Context, folder string) iter.Seq2[uploader.Stored, error] {
	return func(yield func(uploader.Stored, error) bool) {
		for s, err := range u.Uploader.List(ctx, folder) {
			u.to.note(s.URI, err)
			if !yield(s, err) {
				return
			}
		}
	}
}

// MustUpload uploads and compares what a node gets.
func MustUpload(t *testing.T, p Place, u uploader.Uploader, src uploader.Source, data []byte) uploader.Location {
	t.Helper()
	where, err := u.Upload(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	MustFetch(t, p, where, data)
	return where
}

// MustFetch compares what a node gets.
func MustFetch(t *testing.T, p Place, where uploader.Location, data []byte) {
	t.Helper()
	if !bytes.Equal(p.Fetch(t, where.Fetch), data) {
		t.Error("what a node fetches is something else")
	}
}

// MustBeEmpty fails when anything is left.
func MustBeEmpty(t *testing.T, p Place, who string) {
	t.Helper()
	if left := p.List(t); len(left) > 0 {
		t.Errorf("%s left %q", who, left)
	}
}

// mustBeSame fails when something else is there than before.
func mustBeSame(t *testing.T, p Place, before []string) {
	t.Helper()
	if after := p.List(t); !slices.Equal(before, after) {
		t.Errorf("there was %q, now %q", before, after)
	}
}

// DeleteTwice removes a package that an uploader put there, where it can.
func DeleteTwice(t *testing.T, u uploader.Uploader, uri string) {
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
