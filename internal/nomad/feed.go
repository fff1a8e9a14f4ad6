package nomad

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
)

// feed keeps what is known of one job's allocations, evaluations and deployment
// up to date, by one stream of events. Where there is no stream, because Nomad
// or something before it refuses, it watches the lists.
//
// Events are taken in as fast as they come: each replaces what was known of its
// object, so that the feed is never bigger than the job. Who reads it gets the
// newest state.
type feed struct {
	client *Client
	jobID  string
	// version is that of the job's allocations that are made after an index: an
	// event does not tell.
	version, since uint64
	// woken has an element when there is something new.
	woken chan struct{}
	// unsure has one when an allocation's version has to be read.
	unsure chan struct{}

	mu  sync.Mutex
	now jobView
	// allocs, evals are by id.
	allocs map[string]*api.AllocationListStub
	evals  map[string]*api.Evaluation
	// last is the index of the last event; allocsAt, evalsAt are those of the lists
	// that were taken in.
	last, allocsAt, evalsAt uint64
}

// jobView is what a feed knows of its job.
type jobView struct {
	// Listed says that the allocations and evaluations are all.
	allocsListed, evalsListed bool
	allocs                    []*api.AllocationListStub
	evals                     []*api.Evaluation
	// deployment is the youngest, nil for none.
	deployment *api.Deployment
	// jobIndex is the highest JobModifyIndex that was seen of the job.
	jobIndex uint64
}

// newFeed makes a feed of a job as it is at present; run fills it.
func (c *Client) newFeed(jobID string, version, since uint64) *feed {
	return &feed{
		client: c, jobID: jobID, version: version, since: since, last: since,
		woken: make(chan struct{}, 1), unsure: make(chan struct{}, 1),
		allocs: map[string]*api.AllocationListStub{}, evals: map[string]*api.Evaluation{},
	}
}

// view is what is known now.
func (f *feed) view() jobView {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.now
	v.allocs, v.evals = slices.Collect(maps.Values(f.allocs)), slices.Collect(maps.Values(f.evals))
	sortAllocations(v.allocs)
	return v
}

// signal puts an element in, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// streamGrace is how long the stream may take to begin before lists are watched
// meanwhile.
const streamGrace = 500 * time.Millisecond

// start fills the feed in the background. failed gets the end of it, if that
// comes before stop, which waits for it.
func (f *feed) start(ctx context.Context) (failed <-chan error, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	end := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { end <- f.run(ctx) })
	return end, func() {
		cancel()
		running.Wait()
	}
}

// run keeps the feed up to date until ctx ends, which is nil, or the job cannot
// be read.
func (f *feed) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.makeSure(ctx) })
	group.Go(func() error {
		for pause := firstPause; ; pause = min(2*pause, longestPause) {
			began := time.Now()
			if err := f.round(ctx); err != nil || ctx.Err() != nil {
				return err
			}
			if time.Since(began) > silence {
				pause = firstPause
			}
			wait(ctx, pause)
		}
	})
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// round is one life of the stream, with the time until it begins.
func (f *feed) round(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	begun, trouble, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		f.stream(ctx, begun, trouble)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	grace := time.NewTimer(streamGrace)
	defer grace.Stop()
	select {
	case <-begun:
	case <-trouble:
	case <-grace.C:
	case <-ctx.Done():
		return nil
	}
	if err := f.watchUntil(ctx, begun); err != nil || ctx.Err() != nil {
		return err
	}
	// What happened before the stream began is in a list that is read afterwards.
	if err := f.list(ctx); err != nil {
		return err
	}
	<-ended
	return nil
}

// stream reads events until they break off; begun is closed at the first sign
// of life, trouble at the first attempt that fails before that. Where the stream
// is refused it waits for ctx.
func (f *feed) stream(ctx context.Context, begun, trouble chan<- struct{}) {
	first := sync.OnceFunc(func() { close(trouble) })
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		alive := false
		f.mu.Lock()
		from := f.last
		f.mu.Unlock()
		err := f.client.streamEvents(ctx, f.jobID, from, func(b eventBatch) {
			if !alive {
				alive = true
				close(begun)
			}
			f.take(b)
		})
		if alive || ctx.Err() != nil {
			return
		}
		first()
		if judge(err) != passing {
			<-ctx.Done()
			return
		}
		wait(ctx, pause)
	}
}

// watchUntil watches the lists until the stream has begun or ctx ends.
func (f *feed) watchUntil(ctx context.Context, begun <-chan struct{}) error {
	select {
	case <-begun:
		return nil
	default:
	}
	group, watching := errgroup.WithContext(ctx)
	watching, enough := context.WithCancel(watching)
	defer enough()
	group.Go(func() error {
		select {
		case <-begun:
			enough()
		case <-watching.Done():
		}
		return nil
	})
	group.Go(func() error { return follow(watching, f.client.watchAllocations(f.jobID, false), f.putAllocs) })
	group.Go(func() error { return follow(watching, f.client.watchEvaluations(f.jobID), f.putEvals) })
	group.Go(func() error { return follow(watching, f.client.watchDeployments(f.jobID), f.putDeployments) })
	return group.Wait()
}

// list reads the lists once.
func (f *feed) list(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return once(ctx, f.client.watchAllocations(f.jobID, false), f.putAllocs) })
	group.Go(func() error { return once(ctx, f.client.watchEvaluations(f.jobID), f.putEvals) })
	group.Go(func() error { return once(ctx, f.client.watchDeployments(f.jobID), f.putDeployments) })
	return group.Wait()
}

// makeSure reads the allocations when an event was not enough.
func (f *feed) makeSure(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.unsure:
			if err := once(ctx, f.client.watchAllocations(f.jobID, false), f.putAllocs); err != nil {
				return err
			}
		}
	}
}

// follow hands every state of a list to put until ctx ends or reading fails.
func follow[T any](ctx context.Context, list *watcher[T], put func([]T, uint64)) error {
	for {
		items, changed, err := list.next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case changed:
			put(items, list.index)
		}
	}
}

// once hands the present state of a list to put.
func once[T any](ctx context.Context, list *watcher[T], put func([]T, uint64)) error {
	items, _, err := list.next(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		put(items, list.index)
	}
	return err
}

// wait returns after a time, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
