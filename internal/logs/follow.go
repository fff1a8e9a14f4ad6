package logs

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

// Pauses between two looks at a container's logs: short while it writes, longer
// while it does not.
const (
	shortestPause = 200 * time.Millisecond
	longestPause  = 2 * time.Second
	// lookAgain is how often what no blocking query tells is read: whether the
	// topology has ended, and the jobs of the original client.
	lookAgain = 2 * time.Second
	// predecessor is how long an allocation waits for the last lines of the
	// ended one that it replaces.
	predecessor = 5 * time.Second
	// tolerated is how long a container may not be readable before that is told:
	// one that is restarted is not, for a while.
	tolerated = 15 * time.Second
)

// follower follows the containers of a topology.
type follower struct {
	*reader
	cancel context.CancelCauseFunc
	// watching and reading are its goroutines.
	watching, reading sync.WaitGroup
	// slots bounds how many containers are read at a time.
	slots *semaphore.Weighted
	// output is held while lines are shown.
	output sync.Mutex

	known map[string]*followed
	// last is the newest allocation of each index.
	last map[int]*followed
}

// followed is one allocation that is followed.
type followed struct {
	nomad.Container
	// ended is closed when it writes no more, done when all was read.
	ended, done chan struct{}
	// reading is of one goroutine until done is closed, like wrote, which says
	// that lines were shown.
	reading *container
	wrote   bool
}

func (f *followed) over() bool {
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}

// follow shows the logs of all containers, those that are placed later too,
// until the topology has ended.
func (r *reader) follow(ctx context.Context) error {
	inner, cancel := context.WithCancelCause(ctx)
	f := &follower{
		reader: r, cancel: cancel, slots: semaphore.NewWeighted(readers),
		known: map[string]*followed{}, last: map[int]*followed{},
	}
	err := f.run(inner)
	if err == nil {
		f.reading.Wait() // everything up to the end
		err = context.Cause(inner)
	}
	cancel(nil)
	f.reading.Wait()
	f.watching.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// run starts and ends the following of allocations until the topology has
// ended.
func (f *follower) run(ctx context.Context) error {
	lists := make(chan []nomad.Container)
	f.watch(ctx, lists)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	live, known := true, false
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case list := <-lists:
			live = f.update(ctx, list, !known)
			known = true
		case <-tick.C:
		}
		if live || !known {
			continue
		}
		over, err := f.over(ctx)
		if over || err != nil {
			return err
		}
	}
}

// watch sends the list of containers at every change.
func (f *follower) watch(ctx context.Context, lists chan<- []nomad.Container) {
	send := func(list []nomad.Container) {
		select {
		case lists <- list:
		case <-ctx.Done():
		}
	}
	if len(f.jobs) == 1 {
		for _, j := range f.jobs {
			f.watching.Go(func() { f.watchJob(ctx, j, send) })
		}
		return
	}
	f.watching.Go(func() {
		for ctx.Err() == nil {
			list, err := f.containers(ctx)
			if err != nil {
				f.cancel(err)
				return
			}
			send(list)
			pause(ctx, lookAgain)
		}
	})
}

// watchJob waits for changes with one blocking query for all containers.
func (f *follower) watchJob(ctx context.Context, j job, send func([]nomad.Container)) {
	for index, first := uint64(0), true; ctx.Err() == nil; first = false {
		list, seen, err := f.Nomad.ContainersSince(ctx, j.id, index)
		switch {
		case err != nil:
			f.cancel(err)
			return
		case seen == index && !first:
			if seen == 0 { // there is no such job any more
				pause(ctx, lookAgain)
			}
			continue
		}
		index = seen
		send(f.indexed(j, list))
	}
}

// pause waits, and says whether all of it passed.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// update begins with new allocations, ends with those that have ended, and
// says whether any lives.
func (f *follower) update(ctx context.Context, list []nomad.Container, first bool) (live bool) {
	began := f.began(list, first)
	if first && f.options.From == nil {
		f.mark(list, began)
	}
	listed := map[string]bool{}
	for _, c := range list {
		listed[c.ID] = true
		live = live || c.Live()
		one := f.known[c.ID]
		if one == nil {
			one = &followed{Container: c, ended: make(chan struct{}), done: make(chan struct{})}
			f.known[c.ID] = one
			f.begin(ctx, one, began[c.ID])
		}
		if !c.Live() && !one.over() {
			close(one.ended)
		}
	}
	for id, one := range f.known {
		if !listed[id] && !one.over() {
			close(one.ended)
		}
	}
	return live
}

// over says whether the topology has ended: no job of it is left that is not
// stopped.
func (f *follower) over(ctx context.Context) (bool, error) {
	for id := range f.jobs {
		job, err := f.Cluster.Jobs.Job(ctx, id)
		switch {
		case errors.Is(err, nomad.ErrNotFound):
		case err != nil:
			return false, err
		case !jobspec.Stopped(job):
			return false, nil
		}
	}
	return true, nil
}

// one follows an allocation to its end. What it replaces is read first, if
// that has ended.
func (f *follower) one(ctx context.Context, c, before *followed) {
	defer close(c.done)
	if before != nil && !c.reading.begun && (before.over() || c.reading.shared()) {
		select {
		case <-before.done:
			c.reading.inherit(before.reading)
			if f.display(block{mark: c.reading.bookmark(c.reading.allLogs()...)}) != nil {
				return
			}
		case <-time.After(predecessor):
		case <-ctx.Done():
			return
		}
	}
	wait := shortestPause
	var failing time.Time // since when
	warned := false
	for {
		last := c.over()
		c.wrote = false
		err := f.read(ctx, c.reading, last)
		if ctx.Err() != nil {
			return
		}
		switch {
		case errors.Is(err, nomad.ErrDenied):
			f.cancel(unreadable(c.Container, err))
			return
		case err == nil:
			failing, warned = time.Time{}, false
		case last && c.reading.shared():
			f.warn(c.Container, "it has ended, and its heron-shell with it; its last lines may be missing", nil)
		case last, !warned && !failing.IsZero() && time.Since(failing) > tolerated:
			f.warn(c.Container, "its logs cannot be read", err)
			warned = true
		case failing.IsZero():
			failing = time.Now()
		}
		if last {
			f.markEnd(c)
			return
		}
		if wait = min(wait*3/2, longestPause); c.wrote {
			wait = shortestPause
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.ended:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// read reads what is new of a container, when it is its turn.
func (f *follower) read(ctx context.Context, c *container, last bool) error {
	if err := f.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	defer f.slots.Release(1)
	return c.read(ctx, last)
}
