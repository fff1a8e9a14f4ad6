package uploader

import (
	"context"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// limited bounds how much is read in a second by all uploads together. What
// an uploader reads twice counts twice.
type limited struct {
	Uploader
	limiter *rate.Limiter
}

// newLimited allows so many bytes in a second, in steps of a tenth of it, so
// that a wait is no stall.
func newLimited(u Uploader, bytesPerSecond int64) *limited {
	burst := min(max(bytesPerSecond/10, 1), math.MaxInt32)
	return &limited{Uploader: u, limiter: rate.NewLimiter(rate.Limit(bytesPerSecond), int(burst))}
}

// Upload implements Uploader.
func (l *limited) Upload(ctx context.Context, src Source) (Location, error) {
	open := src.Open
	src.Open = func() (Content, error) {
		c, err := open()
		if err != nil {
			return nil, err
		}
		return &slowed{Content: c, ctx: ctx, limiter: l.limiter}, nil
	}
	return l.Uploader.Upload(ctx, src)
}

// slowed is a content that is read no faster than a limit.
type slowed struct {
	Content
	ctx     context.Context
	limiter *rate.Limiter
}

func (s *slowed) Read(p []byte) (int, error) {
	n, err := s.Content.Read(p[:min(len(p), s.limiter.Burst())])
	if werr := s.wait(n); werr != nil {
		return n, werr
	}
	return n, err
}

func (s *slowed) ReadAt(p []byte, off int64) (done int, err error) {
	for done < len(p) && err == nil {
		var n int
		n, err = s.Content.ReadAt(p[done:min(len(p), done+s.limiter.Burst())], off+int64(done))
		done += n
		if werr := s.wait(n); werr != nil {
			return done, werr
		}
	}
	return done, err
}

// wait returns when n bytes may have been sent. The limiter's own wait would
// fail at once where a deadline comes first, with an error of its own.
func (s *slowed) wait(n int) error {
	reservation := s.limiter.ReserveN(time.Now(), n)
	delay := reservation.Delay()
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		reservation.Cancel()
		return s.ctx.Err()
	}
}

func (s *slowed) unwatched() Content { return s.Content }

// Skip implements what the function Skip looks for.
func (s *slowed) Skip(off, n int64) { Skip(s.Content, off, n) }
