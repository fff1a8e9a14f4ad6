package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// requestsAtOnce bounds how many containers are being restarted at a time. Each
// request takes as long as its container needs to end.
const requestsAtOnce = 32

// lostAnswer is how long a request whose answer was lost may take until it
// shows in what Nomad says of the container. Nomad's nodes tell of an event
// within a fraction of a second.
const lostAnswer = 5 * time.Second

// batchError is the end of a batch, with what of it was restarted, or may have
// been.
type batchError struct {
	error
	done []outcome.Resource
}

// Unwrap is the reason.
func (e *batchError) Unwrap() error { return e.error }

// Done implements the contract of outcome.DoneOf.
func (e *batchError) Done() []outcome.Resource { return e.done }

// batch restarts containers at the same time and waits until they run again.
// After the last batch of all the wait for the topology comes later.
func (r *restarting) batch(ctx context.Context, indexes []int, last bool) error {
	mark, err := r.Cluster.Mark(ctx, r.Name, r.ID())
	if err != nil {
		return err
	}
	b := &batch{restarting: r, touched: map[int]bool{}}
	err = b.run(ctx, indexes)
	r.last = nil
	if b.asked {
		r.last, r.manager = &mark, indexes[0] == 0
	}
	if err == nil && !last && r.opts.Wait > 0 {
		err = r.await(ctx, 0)
	}
	if err == nil {
		return nil
	}
	if len(b.touched) == 0 {
		return err
	}
	return &batchError{err, []outcome.Resource{r.container(slices.Sorted(maps.Keys(b.touched)))}}
}

// batch is one batch of a restart.
type batch struct {
	*restarting
	// touched are the containers that were asked to restart, or were seen to have
	// been; asked says that this run asked one. Both are guarded by mu.
	touched map[int]bool
	asked   bool
}

func (b *batch) run(ctx context.Context, indexes []int) error {
	bounded, cancel := context.WithTimeout(ctx, b.opts.BatchTimeout)
	defer cancel()
	watches, stop := b.watch(bounded, indexes)
	defer stop()
	before, err := b.before(bounded, indexes, watches)
	if err != nil {
		return err
	}
	if err := b.noteBefore(ctx, indexes, before); err != nil {
		return err
	}
	group, inner := errgroup.WithContext(bounded)
	group.SetLimit(requestsAtOnce)
	for _, index := range indexes {
		was, there := before[index]
		if !there {
			b.Cluster.Progress.Warn(operation.Restart, b.container([]int{index}), "Nomad has no allocation of it, so there is nothing to restart", nil)
			continue
		}
		group.Go(func() error {
			one := &restart{batch: b, watch: watches[index], index: index, was: was}
			if err := one.run(inner); err != nil {
				return fmt.Errorf("container %d: %w", index, err)
			}
			b.ended(one)
			return nil
		})
	}
	err = group.Wait()
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return outcome.Errorf(outcome.WaitExpired, "not back within %s: %w", b.opts.BatchTimeout, err)
	}
	return err
}

// watch follows the jobs that hold the containers until stop is called.
func (b *batch) watch(ctx context.Context, indexes []int) (watches map[int]*jobWatch, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group errgroup.Group
	watches = map[int]*jobWatch{}
	for _, job := range b.jobs {
		held := indexes
		if job.index >= 0 {
			held = slices.DeleteFunc(slices.Clone(indexes), func(index int) bool { return index != job.index })
		}
		if len(held) == 0 {
			continue
		}
		w := newJobWatch(b.Cluster.Jobs, job)
		group.Go(func() error { w.follow(ctx); return nil })
		for _, index := range held {
			watches[index] = w
		}
	}
	return watches, func() {
		cancel()
		_ = group.Wait()
	}
}

// before is what the containers are before they are restarted. What a dead
// restart had noted counts: it may have restarted them since.
func (b *batch) before(ctx context.Context, indexes []int, watches map[int]*jobWatch) (map[int]statemgr.IntentContainer, error) {
	before := map[int]statemgr.IntentContainer{}
	for _, index := range indexes {
		if was, noted := b.noted.Before[index]; noted {
			before[index] = was
			continue
		}
		w := watches[index]
		if w == nil {
			continue
		}
		err := w.until(ctx, func(s *sighting) (bool, error) {
			if c, there := s.wanted[index]; there {
				before[index] = statemgr.IntentContainer{Allocation: c.ID, Started: c.Started, Signaled: c.Signaled}
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return before, nil
}

// noteBefore stores what the containers are, and what the dead restart noted of
// those that this batch does not reach.
func (b *batch) noteBefore(ctx context.Context, indexes []int, before map[int]statemgr.IntentContainer) error {
	n := statemgr.IntentRestart{Next: indexes[0], Before: maps.Clone(before)}
	for index, was := range b.noted.Before {
		if index > indexes[len(indexes)-1] {
			n.Before[index] = was
		}
	}
	return b.note(ctx, n)
}

// touch notes a container that is, or may be, restarted; asked is false where
// the restart that died did it.
func (b *batch) touch(index int, asked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.touched[index], b.asked = true, b.asked || asked
}

// ended notes a container that runs again.
func (b *batch) ended(one *restart) {
	b.mu.Lock()
	b.done[one.index] = RestartedContainer{Index: one.index, Allocation: one.now.ID, Node: one.now.Node, How: one.how}
	done := len(b.done)
	b.mu.Unlock()
	b.Cluster.Progress.Send(progress.Event{
		State: progress.Advanced, Step: operation.Restart, What: b.Resource(),
		Done: int64(done), Total: int64(len(b.list)), Unit: "containers",
	})
}
