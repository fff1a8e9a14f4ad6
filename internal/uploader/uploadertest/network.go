package uploadertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
)

const (
	// Stall is a stall timeout that tests can wait for, Patience one
	// that a machine under load does not reach by itself.
	Stall    = 400 * time.Millisecond
	Patience = 15 * time.Second
	// stallSize is more than the buffers of a connection hold, so that an
	// upload stands still with something left to read.
	stallSize = 40 << 20
	// Soon is when an upload that met a fault must have ended. It only has to
	// tell from one that hangs.
	Soon = 30 * time.Second
)

// networkCases are about faults between an uploader and its server. The
// proxy counts what protocols add, so that places in an upload are rough.
// Most of their time is waiting, so they run side by side.
//
// What has to notice a standstill is hasty. What has to succeed is patient: on
// a machine under load everything takes its time.
func networkCases(t *testing.T, newPlace func(*testing.T) Place) {
	if through, _ := newPlace(t).Faults(t); through == nil {
		return
	}
	hasty, patience := conf.Upload{StallTimeout: Stall}, conf.Upload{StallTimeout: Patience}
	for label, at := range map[string]int64{"start": 0, "half": BigSize / 2, "end": BigSize * 9 / 10} {
		t.Run("broken once at the "+label, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			through, proxy := p.Faults(t)
			u := through(patience)
			src, data := Source(Folder, BigSize)
			proxy.BreakUploadAfter(at)
			// Its protocol library may have sent again what was lost.
			if _, err := uploadSoon(t, u, src); err != nil {
				MustBeUnreachable(t, err)
				MustBeEmpty(t, p, "it")
			}
			proxy.Up()
			mustEndWell(t, p, u, src, data)
		})
		t.Run("cut from the "+label+" on", func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			through, proxy := p.Faults(t)
			u := through(patience)
			src, data := Source(Folder, BigSize)
			proxy.CutUploadAfter(at)
			_, err := uploadSoon(t, u, src)
			MustBeUnreachable(t, err)
			MustBeUnreachable(t, u.Check(context.Background()))
			proxy.Up()
			mustBeInvisible(t, p, u)
			mustEndWell(t, p, u, src, data)
		})
		t.Run("cut from the "+label+" on, tried again", func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			through, proxy := p.Faults(t)
			src, data := Source(Folder, BigSize)
			var tries int
			u := uploader.Decorate(through(patience), conf.Upload{Retries: 2}, uploader.Options{Progress: OnRetry(func() {
				tries++
				proxy.Up()
			})})
			proxy.CutUploadAfter(at)
			where, err := uploadSoon(t, u, src)
			var left *uploader.LeftoverError
			if errors.As(err, &left) && !u.Capabilities().FixedNames && at > 0 {
				// For all that is known here the server has all of it, and
				// another attempt would leave one more.
				MustBeUnreachable(t, err)
				return
			}
			if err != nil || tries != 1 {
				t.Fatalf("%v after %d more attempts", err, tries)
			}
			MustFetch(t, p, where, data)
			DeleteTwice(t, u, where.URI)
			if u.Capabilities().Delete {
				MustBeEmpty(t, p, "the delete")
			}
		})
	}

	for label, c := range map[string]struct {
		size int
		at   int64
	}{
		"at the start": {stallSize, 0}, "half way": {stallSize, stallSize / 2},
		// All of it fits into the buffers of the connection.
		"with all of it read": {64 << 10, 32 << 10},
	} {
		t.Run("stalled "+label, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			through, proxy := p.Faults(t)
			src, data := Source(Folder, c.size)
			proxy.StallUploadAfter(c.at)
			_, err := uploadSoon(t, uploader.Decorate(through(hasty), hasty, uploader.Options{}), src)
			MustBeUnreachable(t, err)
			proxy.Up()
			patient := through(patience)
			mustBeInvisible(t, p, patient)
			mustEndWell(t, p, patient, src, data)
		})
	}

	t.Run("hanging", func(t *testing.T) { hangingCases(t, newPlace, hasty) })

	t.Run("down", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		through, proxy := p.Faults(t)
		u := through(patience)
		src, data := Source(Folder, 10)
		where := MustUpload(t, p, u, src, data)
		proxy.Down()
		ctx := context.Background()
		MustBeUnreachable(t, u.Check(ctx))
		other, _ := Source(Folder, 11)
		_, err := uploadSoon(t, u, other)
		MustBeUnreachable(t, err)
		if u.Capabilities().Delete {
			MustBeUnreachable(t, u.Delete(ctx, where.URI))
		}
		for _, err := range u.List(ctx, Folder) {
			if u.Capabilities().List {
				MustBeUnreachable(t, err)
			}
		}
		proxy.Up()
		MustFetch(t, p, where, data)
		mustEndWell(t, p, u, src, data)
	})

	t.Run("cancelled while it stalls", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		through, proxy := p.Faults(t)
		src, data := Source(Folder, BigSize)
		proxy.StallUploadAfter(BigSize / 2)
		ctx, cancel := context.WithTimeout(context.Background(), Stall)
		defer cancel()
		start := time.Now()
		// Its own limits are longer than the context.
		_, err := through(conf.Upload{StallTimeout: 5 * Stall}).Upload(ctx, src)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > Soon {
			t.Errorf("got %v after %s, want the context's error", err, time.Since(start))
		}
		proxy.Up()
		patient := through(patience)
		mustBeInvisible(t, p, patient)
		mustEndWell(t, p, patient, src, data)
	})

	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		through, proxy := p.Faults(t)
		// Connections buffer megabytes, which nothing here can see.
		const size, rate = 6 << 20, 4 << 20
		src, data := Source(Folder, size)
		log := new(ProgressLog)
		u := uploader.Decorate(through(patience), patience, uploader.Options{Progress: log.Add})
		proxy.SlowUpload(rate)
		where, err := uploadSoon(t, u, src)
		if err != nil {
			t.Fatal(err)
		}
		log.Check(t, size)
		proxy.Up()
		MustFetch(t, p, where, data)
	})
}

// hangingCases are about servers that say nothing more at all: every call ends
// by the watch for stalls.
func hangingCases(t *testing.T, newPlace func(*testing.T) Place, settings conf.Upload) {
	ctx := context.Background()
	for name, call := range map[string]func(uploader.Uploader, string) error{
		"check":  func(u uploader.Uploader, _ string) error { return u.Check(ctx) },
		"delete": func(u uploader.Uploader, uri string) error { return u.Delete(ctx, uri) },
		"list": func(u uploader.Uploader, _ string) (last error) {
			for _, err := range u.List(ctx, Folder) {
				last = err
			}
			return last
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			through, proxy := p.Faults(t)
			u := uploader.Decorate(through(settings), settings, uploader.Options{})
			can := u.Capabilities()
			if name == "delete" && !can.Delete || name == "list" && !can.List {
				return
			}
			src, data := Source(Folder, 10)
			where := MustUpload(t, p, through(conf.Upload{StallTimeout: Patience}), src, data)
			proxy.Silent()
			start := time.Now()
			MustBeUnreachable(t, call(u, where.URI))
			if took := time.Since(start); took > Soon {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// uploadSoon fails when an upload hangs.
func uploadSoon(t *testing.T, u uploader.Uploader, src uploader.Source) (uploader.Location, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*Soon)
	defer cancel()
	start := time.Now()
	where, err := u.Upload(ctx, src)
	if took := time.Since(start); took > Soon {
		t.Errorf("the upload took %s", took)
	}
	return where, err
}

// MustBeUnreachable demands an error that says that trying again may help.
func MustBeUnreachable(t *testing.T, err error) {
	t.Helper()
	for _, other := range []error{uploader.ErrTarget, uploader.ErrDenied, uploader.ErrContent, uploader.ErrForeign, context.Canceled} {
		if errors.Is(err, other) {
			t.Errorf("it is %v as well", other)
		}
	}
	if !errors.Is(err, uploader.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

// mustBeInvisible demands that there is nothing but parts.
func mustBeInvisible(t *testing.T, p Place, u uploader.Uploader) {
	t.Helper()
	if !u.Capabilities().List {
		// The server must have thrown it away.
		MustBeEmpty(t, p, "it")
		return
	}
	for s, err := range u.List(context.Background(), Folder) {
		if err != nil || !s.Partial {
			t.Errorf("there is %+v, %v", s, err)
		}
	}
}

// mustEndWell demands that once a fault is over, a delete removes what was
// left, and an upload works.
func mustEndWell(t *testing.T, p Place, u uploader.Uploader, src uploader.Source, data []byte) {
	t.Helper()
	if u.Capabilities().Delete && u.Capabilities().FixedNames {
		DeleteTwice(t, u, u.Locate(src.Name).URI)
		MustBeEmpty(t, p, "the delete")
	}
	where := MustUpload(t, p, u, src, data)
	if u.Capabilities().Delete {
		DeleteTwice(t, u, where.URI)
		if u.Capabilities().FixedNames {
			MustBeEmpty(t, p, "the delete")
		}
	}
}
