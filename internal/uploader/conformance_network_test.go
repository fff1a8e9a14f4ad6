package uploader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

const (
	// testStall is a stall timeout that tests can wait for, testPatience one
	// that a machine under load does not reach by itself.
	testStall    = 400 * time.Millisecond
	testPatience = 15 * time.Second
	// stallSize is more than the buffers of a connection hold, so that an
	// upload stands still with something left to read.
	stallSize = 40 << 20
	// soon is when an upload that met a fault must have ended. It only has to
	// tell from one that hangs.
	soon = 30 * time.Second
)

// networkCases are about faults between an uploader and its server. The
// proxy counts what protocols add, so that places in an upload are rough.
// Most of their time is waiting, so they run side by side.
func networkCases(t *testing.T, newPlace func(*testing.T) place) {
	if u, _ := newPlace(t).faults(t, conf.Upload{}); u == nil {
		return
	}
	for label, at := range map[string]int64{"start": 0, "half": bigSize / 2, "end": bigSize * 9 / 10} {
		t.Run("broken once at the "+label, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			u, proxy := p.faults(t, conf.Upload{StallTimeout: testPatience})
			src, data := source(testName, bigSize)
			proxy.BreakUploadAfter(at)
			// Its protocol library may have sent again what was lost.
			if _, err := uploadSoon(t, u, src); err != nil {
				mustBeUnreachable(t, err)
				mustBeEmpty(t, p, "it")
			}
			proxy.Up()
			mustEndWell(t, p, u, src, data)
		})
		t.Run("cut from the "+label+" on", func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			u, proxy := p.faults(t, conf.Upload{StallTimeout: testStall})
			src, data := source(testName, bigSize)
			proxy.CutUploadAfter(at)
			_, err := uploadSoon(t, u, src)
			mustBeUnreachable(t, err)
			mustBeUnreachable(t, errors.Join(u.Check(context.Background())))
			proxy.Up()
			mustBeInvisible(t, p, u)
			mustEndWell(t, p, u, src, data)
		})
		t.Run("cut from the "+label+" on, tried again", func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			u, proxy := p.faults(t, conf.Upload{StallTimeout: testStall})
			src, data := source(testName, bigSize)
			var tries int
			u = decorate(u, conf.Upload{Retries: 2}, Environment{Report: func(string, ...any) {
				tries++
				proxy.Up()
			}})
			proxy.CutUploadAfter(at)
			where, err := uploadSoon(t, u, src)
			var left *LeftoverError
			if errors.As(err, &left) && !u.Capabilities().FixedNames && at > 0 {
				// For all that is known here the server has all of it, and
				// another try would leave one more.
				mustBeUnreachable(t, err)
				return
			}
			if err != nil || tries != 1 {
				t.Fatalf("%v after %d more tries", err, tries)
			}
			mustFetch(t, p, where, data)
			deleteTwice(t, u, where.URI)
			if u.Capabilities().Delete {
				mustBeEmpty(t, p, "the delete")
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
			base, proxy := p.faults(t, conf.Upload{StallTimeout: testStall})
			u := decorate(base, conf.Upload{StallTimeout: testStall}, Environment{})
			src, data := source(testName, c.size)
			proxy.StallUploadAfter(c.at)
			_, err := uploadSoon(t, u, src)
			mustBeUnreachable(t, err)
			proxy.Up()
			mustBeInvisible(t, p, u)
			mustEndWell(t, p, u, src, data)
		})
	}

	t.Run("down", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		u, proxy := p.faults(t, conf.Upload{StallTimeout: testStall})
		src, data := source(testName, 10)
		where := mustUpload(t, p, u, src, data)
		proxy.Down()
		ctx := context.Background()
		mustBeUnreachable(t, u.Check(ctx))
		other, _ := source(testName, 11)
		_, err := uploadSoon(t, u, other)
		mustBeUnreachable(t, err)
		if u.Capabilities().Delete {
			mustBeUnreachable(t, u.Delete(ctx, where.URI))
		}
		for _, err := range u.List(ctx, testName) {
			if u.Capabilities().List {
				mustBeUnreachable(t, err)
			}
		}
		proxy.Up()
		mustFetch(t, p, where, data)
		mustEndWell(t, p, u, src, data)
	})

	t.Run("cancelled while it stalls", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		u, proxy := p.faults(t, conf.Upload{StallTimeout: testStall})
		src, data := source(testName, bigSize)
		proxy.StallUploadAfter(bigSize / 2)
		ctx, cancel := context.WithTimeout(context.Background(), testStall)
		defer cancel()
		start := time.Now()
		_, err := u.Upload(ctx, src)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > soon {
			t.Errorf("got %v after %s, want the context's error", err, time.Since(start))
		}
		proxy.Up()
		mustBeInvisible(t, p, u)
		mustEndWell(t, p, u, src, data)
	})

	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		u, proxy := p.faults(t, conf.Upload{StallTimeout: testStall})
		// Connections buffer megabytes, which nothing here can see.
		const size, rate = 6 << 20, 4 << 20
		src, data := source(testName, size)
		progress := new(progressLog)
		u = decorate(u, conf.Upload{StallTimeout: testPatience}, Environment{Progress: progress.add})
		proxy.SlowUpload(rate)
		where, err := uploadSoon(t, u, src)
		if err != nil {
			t.Fatal(err)
		}
		progress.check(t, size)
		proxy.Up()
		mustFetch(t, p, where, data)
	})
}

// uploadSoon fails when an upload hangs.
func uploadSoon(t *testing.T, u Uploader, src Source) (Location, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*soon)
	defer cancel()
	start := time.Now()
	where, err := u.Upload(ctx, src)
	if took := time.Since(start); took > soon {
		t.Errorf("the upload took %s", took)
	}
	return where, err
}

// mustBeUnreachable demands an error that says that trying again may help.
func mustBeUnreachable(t *testing.T, err error) {
	t.Helper()
	for _, other := range []error{ErrTarget, ErrDenied, ErrContent, ErrForeign, context.Canceled} {
		if errors.Is(err, other) {
			t.Errorf("it is %v as well", other)
		}
	}
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

// mustBeInvisible demands that there is nothing but parts.
func mustBeInvisible(t *testing.T, p place, u Uploader) {
	t.Helper()
	if !u.Capabilities().List {
		// The server must have thrown it away.
		mustBeEmpty(t, p, "it")
		return
	}
	for s, err := range u.List(context.Background(), testName) {
		if err != nil || !s.Partial {
			t.Errorf("there is %+v, %v", s, err)
		}
	}
}

// mustEndWell demands that once a fault is over, a delete removes what was
// left, and an upload works.
func mustEndWell(t *testing.T, p place, u Uploader, src Source, data []byte) {
	t.Helper()
	if u.Capabilities().Delete && u.Capabilities().FixedNames {
		deleteTwice(t, u, u.Locate(src.Name).URI)
		mustBeEmpty(t, p, "the delete")
	}
	where := mustUpload(t, p, u, src, data)
	if u.Capabilities().Delete {
		deleteTwice(t, u, where.URI)
		if u.Capabilities().FixedNames {
			mustBeEmpty(t, p, "the delete")
		}
	}
}

// progressLog is what an upload said of how far it is.
type progressLog struct {
	mu  sync.Mutex
	all []Progress
}

func (l *progressLog) add(p Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, p)
}

// check demands that an upload in one go counted every byte once.
func (l *progressLog) check(t *testing.T, size int64) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) < 4 {
		t.Fatalf("progress is %+v", l.all)
	}
	problem := ""
	for i, p := range l.all {
		switch last := i == len(l.all)-1; {
		case p.Size != size || p.Done > size || p.Ended != last || last && p.Done != size:
			problem = fmt.Sprintf("number %d of %d is %+v", i, len(l.all), p)
		case i > 0 && p.Done < l.all[i-1].Done:
			problem = fmt.Sprintf("it goes from %+v back to %+v", l.all[i-1], p)
		}
	}
	if problem != "" {
		t.Error(problem)
	}
}
