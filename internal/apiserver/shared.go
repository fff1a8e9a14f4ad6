package apiserver

import (
	"context"
	"sync"
	"time"
)

// fresh is how old an answer may be that a request gets which changes nothing.
const fresh = 2 * time.Second

// longestAsk bounds a question that nobody waits for.
const longestAsk = time.Minute

// maxShared bounds how many answers are kept.
const maxShared = 1000

// shared is answers that several requests get: all those that ask for the same
// at the same time, or shortly afterwards.
//
// An answer is as old as the question to which it is the answer, and is not
// given out when it is older than fresh. From half of that on the first request
// starts the next question without waiting for it, so that under steady load no
// request waits. Errors go to those who wait for them and are not kept.
type shared[K comparable, V any] struct {
	now func() time.Time
	// run calls a function, which is part of ctx, and turns a panic in it into an
	// error.
	run func(ctx context.Context, do func() error) error

	mu    sync.Mutex
	kept  map[K]*kept[V]
	asked map[K]*question[V]
}

// kept is an answer, and when it was asked for.
type kept[V any] struct {
	value V
	at    time.Time
}

// question is one that has no answer yet.
type question[V any] struct {
	at     time.Time
	cancel context.CancelFunc
	// done is closed when value and err are there.
	done  chan struct{}
	value V
	err   error
	// waiting counts requests; when the last one goes, the question is dropped.
	// ahead: it is for requests to come.
	waiting int
	ahead   bool
}

func newShared[K comparable, V any](now func() time.Time, run func(context.Context, func() error) error) *shared[K, V] {
	return &shared[K, V]{now: now, run: run, kept: map[K]*kept[V]{}, asked: map[K]*question[V]{}}
}

// get returns what ask answers about a key, and how old that is. With anew it
// asks in any case, and not before this call. The context that ask gets has the
// values of ctx, and ends when nobody waits any more.
func (s *shared[K, V]) get(ctx context.Context, key K, anew bool, ask func(context.Context) (V, error)) (v V, age time.Duration, err error) {
	s.mu.Lock()
	now := s.now()
	if k := s.kept[key]; k != nil && !anew {
		age := now.Sub(k.at)
		if age > fresh/2 && age <= fresh && s.asked[key] == nil {
			s.begin(ctx, key, now, ask).ahead = true
		}
		if age <= fresh {
			s.mu.Unlock()
			return k.value, max(age, 0), nil
		}
	}
	q := s.asked[key]
	if q == nil || anew {
		q = s.begin(ctx, key, now, ask)
	}
	q.waiting++
	s.mu.Unlock()
	select {
	case <-q.done:
		s.leave(key, q)
		return q.value, max(s.now().Sub(q.at), 0), q.err
	case <-ctx.Done():
		s.leave(key, q)
		return v, 0, context.Cause(ctx)
	}
}

// begin asks; mu is held. A question under way about the same key goes on for
// those who wait for it, and its answer is not kept.
func (s *shared[K, V]) begin(ctx context.Context, key K, now time.Time, ask func(context.Context) (V, error)) *question[V] {
	inner, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestAsk)
	q := &question[V]{at: now, cancel: cancel, done: make(chan struct{})}
	s.asked[key] = q
	go func() {
		defer cancel()
		q.err = s.run(inner, func() (err error) {
			q.value, err = ask(inner)
			return err
		})
		s.end(key, q)
		close(q.done)
	}()
	return q
}

// end keeps an answer, unless something changed since it was asked for.
func (s *shared[K, V]) end(key K, q *question[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked[key] != q {
		return
	}
	delete(s.asked, key)
	if q.err != nil {
		return
	}
	if len(s.kept) >= maxShared {
		clear(s.kept)
	}
	k := &kept[V]{q.value, q.at}
	s.kept[key] = k
	s.dropLater(key, k)
}

// dropLater drops an answer, which may be large, once it is too old for everybody.
func (s *shared[K, V]) dropLater(key K, k *kept[V]) {
	time.AfterFunc(fresh+time.Millisecond, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case s.kept[key] != k:
		case s.now().Sub(k.at) > fresh:
			delete(s.kept, key)
		default:
			s.dropLater(key, k)
		}
	})
}

// leave drops a question when the last one who waited for it goes.
func (s *shared[K, V]) leave(key K, q *question[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.waiting--
	if q.waiting > 0 || q.ahead {
		return
	}
	q.cancel()
	if s.asked[key] == q {
		delete(s.asked, key)
	}
}

// forget drops the answers about keys, and lets nobody wait for one that was
// asked for before.
func (s *shared[K, V]) forget(about func(K) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.kept {
		if about(key) {
			delete(s.kept, key)
		}
	}
	for key := range s.asked {
		if about(key) {
			delete(s.asked, key)
		}
	}
}
