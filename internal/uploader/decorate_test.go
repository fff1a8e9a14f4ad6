package uploader_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// scripted is an uploader of which each call does what the test says.
type scripted struct {
	uploader.Uploader
	upload func(ctx context.Context, src uploader.Source) (uploader.Location, error)
	call   func(ctx context.Context) error
	list   func() ([]uploader.Stored, error)
	can    uploader.Capabilities
}

func (s *scripted) Capabilities() uploader.Capabilities { return s.can }

func (s *scripted) Upload(ctx context.Context, src uploader.Source) (uploader.Location, error) {
	return s.upload(ctx, src)
}
func (s *scripted) Check(ctx context.Context) error            { return s.call(ctx) }
func (s *scripted) Delete(ctx context.Context, _ string) error { return s.call(ctx) }

func (s *scripted) List(context.Context, string) iter.Seq2[uploader.Stored, error] {
	return func(yield func(uploader.Stored, error) bool) {
		all, err := s.list()
		for _, one := range all {
			if !yield(one, nil) {
				return
			}
		}
		if err != nil {
			yield(uploader.Stored{}, err)
		}
	}
}

// reads is an upload that reads the whole source, and nothing else.
func reads(_ context.Context, src uploader.Source) (uploader.Location, error) {
	c, err := src.Open()
	if err != nil {
		return uploader.Location{}, err
	}
	defer c.Close()
	_, err = io.Copy(io.Discard, c)
	return uploader.Location{URI: src.Name}, err
}

// busy is an error with a Retry-After.
type busy struct{ after time.Duration }

func (b busy) Error() string             { return "come back later" }
func (b busy) RetryAfter() time.Duration { return b.after }

func TestRetriesWhatMayPassAndNothingElse(t *testing.T) {
	unreachable := fmt.Errorf("it is %w", uploader.ErrUnreachable)
	for _, c := range []struct {
		name  string
		err   error
		calls int
	}{
		{"nothing", nil, 1},
		{"unreachable", unreachable, 4},
		{"its own time limit", errors.Join(unreachable, context.DeadlineExceeded), 4},
		{"target", uploader.ErrTarget, 1},
		{"denied", uploader.ErrDenied, 1},
		{"content", uploader.ErrContent, 1},
		{"foreign", uploader.ErrForeign, 1},
		{"unsupported", errors.ErrUnsupported, 1},
		{"setting", &uploader.ConfigError{}, 1},
		{"unknown", io.ErrUnexpectedEOF, 1},
		{"permanent, and the clean-up unreachable", errors.Join(uploader.ErrTarget, unreachable), 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			calls, reports := 0, 0
			base := &scripted{call: func(context.Context) error {
				calls++
				return c.err
			}}
			base.upload = func(ctx context.Context, _ uploader.Source) (uploader.Location, error) {
				return uploader.Location{}, base.call(ctx)
			}
			base.list = func() ([]uploader.Stored, error) { return nil, base.call(t.Context()) }
			u := uploader.Decorate(base, conf.Upload{Retries: 3}, uploader.Options{Progress: uploadertest.OnRetry(func() { reports++ })})
			for what, call := range map[string]func() error{
				"check":  func() error { return u.Check(t.Context()) },
				"delete": func() error { return u.Delete(t.Context(), "") },
				"upload": func() error { return uploadertest.Second(u.Upload(t.Context(), uploader.Source{})) },
				"list": func() (last error) {
					for _, err := range u.List(t.Context(), "x") {
						last = err
					}
					return last
				},
			} {
				calls, reports = 0, 0
				if err := call(); !errors.Is(err, c.err) || calls != c.calls || reports != c.calls-1 {
					t.Errorf("%s, %s: got %v after %d calls and %d reports, want %d calls", c.name, what, err, calls, reports, c.calls)
				}
			}
		})
	}
}

func TestRetryWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const asked = 90 * time.Second
		var longest [9]time.Duration
		for range 200 {
			n, last := -1, time.Now()
			u := uploader.Decorate(&scripted{call: func(context.Context) error {
				if n >= 0 {
					waited := time.Since(last)
					if n == 3 {
						if waited < asked || waited > asked+backoffBound(n) {
							t.Fatalf("asked for %s it waits %s", asked, waited)
						}
						waited -= asked
					}
					longest[n] = max(longest[n], waited)
				}
				n, last = n+1, time.Now()
				if n == 3 {
					return fmt.Errorf("%w: %w", uploader.ErrUnreachable, busy{asked})
				}
				return uploader.ErrUnreachable
			}}, conf.Upload{Retries: len(longest)}, uploader.Options{})
			if err := u.Check(t.Context()); !errors.Is(err, uploader.ErrUnreachable) {
				t.Fatal(err)
			}
		}
		for n, wait := range longest {
			// Of 200 random numbers below a bound one is above half of it.
			if bound := backoffBound(n); wait >= bound || wait < bound/2 {
				t.Errorf("the longest wait after failure %d is %s, want up to %s", n+1, wait, bound)
			}
		}
	})
}

func backoffBound(n int) time.Duration { return min(time.Second<<n, 30*time.Second) }

func TestRetryRefusesToWaitTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		u := uploader.Decorate(&scripted{call: func(context.Context) error {
			return fmt.Errorf("%w: %w", uploader.ErrUnreachable, busy{time.Hour})
		}}, conf.Upload{Retries: 3}, uploader.Options{})
		if err := u.Check(t.Context()); !errors.Is(err, uploader.ErrUnreachable) || time.Since(start) > 0 {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		u := uploader.Decorate(&scripted{call: func(context.Context) error {
			calls++
			return fmt.Errorf("%w: %w", uploader.ErrUnreachable, busy{time.Minute})
		}}, conf.Upload{Retries: 3}, uploader.Options{Progress: uploadertest.OnRetry(cancel)})
		if err := u.Check(ctx); !errors.Is(err, context.Canceled) || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

func TestRetryLeavesABrokenSourceAlone(t *testing.T) {
	src, _ := uploadertest.Source("a", 100)
	for name, open := range map[string]func() (uploader.Content, error){
		"not opened": func() (uploader.Content, error) { return nil, uploadertest.ErrBroken }, "not read": uploadertest.Breaking(src.Open, 50),
	} {
		calls := 0
		u := uploader.Decorate(&scripted{upload: func(ctx context.Context, src uploader.Source) (uploader.Location, error) {
			calls++
			where, err := reads(ctx, src)
			return where, errors.Join(err, uploader.ErrUnreachable) // its clean-up failed
		}}, conf.Upload{Retries: 3}, uploader.Options{})
		src := src
		src.Open = open
		if _, err := u.Upload(t.Context(), src); !errors.Is(err, uploadertest.ErrBroken) || calls != 1 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
}

func TestRetryLeavesNothingTwice(t *testing.T) {
	for fixed, want := range map[bool]int{true: 3, false: 1} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			base := &scripted{can: uploader.Capabilities{FixedNames: fixed}, upload: func(context.Context, uploader.Source) (uploader.Location, error) {
				calls++
				return uploader.Location{}, &uploader.LeftoverError{What: outcome.Resource{Kind: outcome.Package, ID: "a"}, Why: "no answer", Err: uploader.ErrUnreachable}
			}}
			src, _ := uploadertest.Source("a", 1)
			_, err := uploader.Decorate(base, conf.Upload{Retries: 2}, uploader.Options{}).Upload(t.Context(), src)
			var left *uploader.LeftoverError
			if !errors.As(err, &left) || !errors.Is(err, uploader.ErrUnreachable) || calls != want {
				t.Errorf("fixed names %v: %v after %d calls, want %d", fixed, err, calls, want)
			}
		})
	}
}

func TestRetryListsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		base := &scripted{list: func() ([]uploader.Stored, error) {
			calls++
			if calls == 1 {
				return nil, uploader.ErrUnreachable
			}
			return []uploader.Stored{{Name: "a"}, {Name: "b"}}, uploader.ErrUnreachable
		}}
		u := uploader.Decorate(base, conf.Upload{Retries: 3}, uploader.Options{})
		var names string
		var last error
		for s, err := range u.List(t.Context(), "x") {
			names, last = names+s.Name, err
		}
		if names != "ab" || !errors.Is(last, uploader.ErrUnreachable) || calls != 2 {
			t.Errorf("listed %q, then %v, in %d calls", names, last, calls)
		}
		for range u.List(t.Context(), "x") {
			break
		}
	})
}
