package uploader

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
)

// scripted is an uploader of which each call does what the test says.
type scripted struct {
	Uploader
	upload func(ctx context.Context, src Source) (Location, error)
	call   func(ctx context.Context) error
	list   func() ([]Stored, error)
	can    Capabilities
}

func (s *scripted) Capabilities() Capabilities { return s.can }

func (s *scripted) Upload(ctx context.Context, src Source) (Location, error) {
	return s.upload(ctx, src)
}
func (s *scripted) Check(ctx context.Context) error            { return s.call(ctx) }
func (s *scripted) Delete(ctx context.Context, _ string) error { return s.call(ctx) }

func (s *scripted) List(context.Context, string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		all, err := s.list()
		for _, one := range all {
			if !yield(one, nil) {
				return
			}
		}
		if err != nil {
			yield(Stored{}, err)
		}
	}
}

// reads is an upload that reads the whole source, and nothing else.
func reads(_ context.Context, src Source) (Location, error) {
	c, err := src.Open()
	if err != nil {
		return Location{}, err
	}
	defer c.Close()
	_, err = io.Copy(io.Discard, c)
	return Location{URI: src.Name}, err
}

// busy is an error with a Retry-After.
type busy struct{ after time.Duration }

func (b busy) Error() string             { return "come back later" }
func (b busy) RetryAfter() time.Duration { return b.after }

func TestRetriesWhatMayPassAndNothingElse(t *testing.T) {
	unreachable := fmt.Errorf("it is %w", ErrUnreachable)
	for _, c := range []struct {
		name  string
		err   error
		calls int
	}{
		{"nothing", nil, 1},
		{"unreachable", unreachable, 4},
		{"its own time limit", errors.Join(unreachable, context.DeadlineExceeded), 4},
		{"target", ErrTarget, 1},
		{"denied", ErrDenied, 1},
		{"content", ErrContent, 1},
		{"foreign", ErrForeign, 1},
		{"unsupported", errors.ErrUnsupported, 1},
		{"setting", &ConfigError{}, 1},
		{"unknown", io.ErrUnexpectedEOF, 1},
		{"permanent, and the clean-up unreachable", errors.Join(ErrTarget, unreachable), 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			calls, reports := 0, 0
			base := &scripted{call: func(context.Context) error {
				calls++
				return c.err
			}}
			base.upload = func(ctx context.Context, _ Source) (Location, error) { return Location{}, base.call(ctx) }
			base.list = func() ([]Stored, error) { return nil, base.call(t.Context()) }
			u := decorate(base, conf.Upload{Retries: 3}, Environment{Report: func(string, ...any) { reports++ }})
			for what, call := range map[string]func() error{
				"check":  func() error { return u.Check(t.Context()) },
				"delete": func() error { return u.Delete(t.Context(), "") },
				"upload": func() error { return second(u.Upload(t.Context(), Source{})) },
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
			u := decorate(&scripted{call: func(context.Context) error {
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
					return fmt.Errorf("%w: %w", ErrUnreachable, busy{asked})
				}
				return ErrUnreachable
			}}, conf.Upload{Retries: len(longest)}, Environment{})
			if err := u.Check(t.Context()); !errors.Is(err, ErrUnreachable) {
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
		u := decorate(&scripted{call: func(context.Context) error {
			return fmt.Errorf("%w: %w", ErrUnreachable, busy{time.Hour})
		}}, conf.Upload{Retries: 3}, Environment{})
		if err := u.Check(t.Context()); !errors.Is(err, ErrUnreachable) || time.Since(start) > 0 {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		u := decorate(&scripted{call: func(context.Context) error {
			calls++
			return fmt.Errorf("%w: %w", ErrUnreachable, busy{time.Minute})
		}}, conf.Upload{Retries: 3}, Environment{Report: func(string, ...any) { cancel() }})
		if err := u.Check(ctx); !errors.Is(err, context.Canceled) || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

func TestRetryLeavesABrokenSourceAlone(t *testing.T) {
	src, _ := source("a", 100)
	for name, open := range map[string]func() (Content, error){
		"not opened": func() (Content, error) { return nil, errBroken }, "not read": breaking(src.Open, 50),
	} {
		calls := 0
		u := decorate(&scripted{upload: func(ctx context.Context, src Source) (Location, error) {
			calls++
			where, err := reads(ctx, src)
			return where, errors.Join(err, ErrUnreachable) // its clean-up failed
		}}, conf.Upload{Retries: 3}, Environment{})
		src := src
		src.Open = open
		if _, err := u.Upload(t.Context(), src); !errors.Is(err, errBroken) || calls != 1 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
}

func TestRetryLeavesNothingTwice(t *testing.T) {
	for fixed, want := range map[bool]int{true: 3, false: 1} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			base := &scripted{can: Capabilities{FixedNames: fixed}, upload: func(context.Context, Source) (Location, error) {
				calls++
				return Location{}, &LeftoverError{What: "a copy", Why: "no answer", Err: ErrUnreachable}
			}}
			src, _ := source("a", 1)
			_, err := decorate(base, conf.Upload{Retries: 2}, Environment{}).Upload(t.Context(), src)
			var left *LeftoverError
			if !errors.As(err, &left) || !errors.Is(err, ErrUnreachable) || calls != want {
				t.Errorf("fixed names %v: %v after %d calls, want %d", fixed, err, calls, want)
			}
		})
	}
}

func TestRetryListsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		base := &scripted{list: func() ([]Stored, error) {
			calls++
			if calls == 1 {
				return nil, ErrUnreachable
			}
			return []Stored{{Name: "a"}, {Name: "b"}}, ErrUnreachable
		}}
		u := decorate(base, conf.Upload{Retries: 3}, Environment{})
		var names string
		var last error
		for s, err := range u.List(t.Context(), "x") {
			names, last = names+s.Name, err
		}
		if names != "ab" || !errors.Is(last, ErrUnreachable) || calls != 2 {
			t.Errorf("listed %q, then %v, in %d calls", names, last, calls)
		}
		for range u.List(t.Context(), "x") {
			break
		}
	})
}
