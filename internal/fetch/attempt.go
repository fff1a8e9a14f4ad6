package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// source is where a file comes from.
type source interface {
	// open asks for the file from the byte from on. That is more than 0 only
	// with the tag of an earlier answer, and then what is answered is that very
	// version, or another one from its beginning.
	open(ctx context.Context, from int64, tag string) (*answer, *failure)
	// broken says what an error in the middle of an answer means.
	broken(err error) *failure
	// close frees connections.
	close()
}

// answer is a file or the rest of it.
type answer struct {
	body io.ReadCloser
	// from is the byte that the body begins with, size that of the whole file,
	// -1 where it is not known.
	from, size int64
	tag        string
}

var errStalled = errors.New("nothing has come")

// attempt gets what is missing, or a part of it.
func (t *transfer) attempt(ctx context.Context) *failure {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(t.opts.Stall, func() {
		cancel(fmt.Errorf("%w for %s", errStalled, t.opts.Stall))
	})
	defer watch.Stop()

	from := t.have
	if t.tag == "" {
		from = 0
	}
	part, failed := t.source.open(ctx, from, t.tag)
	if failed != nil {
		return stalled(ctx, failed)
	}
	defer part.body.Close()
	if failed := t.begin(part); failed != nil {
		return failed
	}
	if _, err := io.Copy(t, watchedReader{ctx, part.body, watch, t.opts.Stall}); err != nil {
		var written *failedWrite
		switch {
		case errors.As(err, &written) && written.local:
			return &failure{err: written.err, local: true}
		case errors.As(err, &written):
			return &written.failure
		case t.size >= 0 && t.have == t.size:
			return nil
		}
		return stalled(ctx, t.source.broken(err))
	}
	if t.size >= 0 && t.have != t.size {
		return passing(fmt.Errorf("%d of %d bytes have come", t.have, t.size))
	}
	return nil
}

// stalled replaces an error that is only the consequence of a timer.
func stalled(ctx context.Context, f *failure) *failure {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		return passing(cause)
	}
	return f
}

// begin makes room for an answer: behind what there is, or in its place.
func (t *transfer) begin(part *answer) *failure {
	if part.size > t.opts.MaxSize {
		return t.tooLarge()
	}
	switch {
	case part.from == t.have && part.from > 0 && (t.size < 0 || t.size == part.size):
		t.resumed = true
	case part.from == 0:
		t.have = 0
		t.sum.Reset()
		if _, err := t.into.Seek(0, io.SeekStart); err != nil {
			return &failure{err: err, local: true}
		}
		if err := t.into.Truncate(0); err != nil {
			return &failure{err: err, local: true}
		}
	default:
		t.tag = ""
		return passing(errors.New("the answer is not the rest of what has come before"))
	}
	t.size, t.tag = part.size, part.tag
	return nil
}

func (t *transfer) tooLarge() *failure {
	return lasting(ErrContent, "it has more than %d bytes, which is the limit", t.opts.MaxSize)
}

// failedWrite carries a failure through io.Copy.
type failedWrite struct{ failure }

func (w *failedWrite) Error() string { return w.err.Error() }

// Write takes what comes. Its errors are *failedWrite.
func (t *transfer) Write(p []byte) (int, error) {
	if int64(len(p)) > t.opts.MaxSize-t.have {
		return 0, &failedWrite{*t.tooLarge()}
	}
	n, err := t.into.Write(p)
	t.have += int64(n)
	t.sum.Write(p[:n])
	if err != nil {
		return n, &failedWrite{failure{err: err, local: true}}
	}
	return n, nil
}

// watchedReader puts a timer off with everything that comes, and ends with
// its context.
type watchedReader struct {
	ctx context.Context
	io.Reader
	watch *time.Timer
	stall time.Duration
}

func (r watchedReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.watch.Reset(r.stall)
	}
	return n, err
}

// wait is the time before a retry.
func (t *transfer) wait(tries int, atLeast time.Duration) time.Duration {
	wait := min(t.opts.Backoff<<min(tries, 16), maxBackoff)
	wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // not a secret
	return max(wait, atLeast)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
