package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad"
)

// watchPause is the time before Nomad is asked again that gave no answer.
const watchPause = time.Second

// jobWatch follows the containers of one job for all that wait for them.
type jobWatch struct {
	jobs cluster.Jobs
	job  restartJob

	mu sync.Mutex
	// seen is what was seen last, nil before the first answer; err is why there is
	// no more. next is closed when either changes.
	seen *sighting
	err  error
	next chan struct{}
}

// sighting is the containers of a job at some time.
type sighting struct {
	// live are the ids of allocations that have not ended; wanted are the
	// containers that Nomad wants, by index, the youngest of each.
	live   map[string]bool
	wanted map[int]nomad.Container
}

func newSighting(list []nomad.Container) *sighting {
	s := &sighting{live: map[string]bool{}, wanted: map[int]nomad.Container{}}
	for _, c := range list { // by age
		if c.Live() {
			s.live[c.ID] = true
		}
		if c.Desired == api.AllocDesiredStatusRun {
			s.wanted[c.Index] = c
		}
	}
	return s
}

func newJobWatch(jobs cluster.Jobs, job restartJob) *jobWatch {
	return &jobWatch{jobs: jobs, job: job, next: make(chan struct{})}
}

// follow reads until the context ends, by blocking queries. A Nomad that does
// not answer is asked again.
func (w *jobWatch) follow(ctx context.Context) {
	var index uint64
	for ctx.Err() == nil {
		list, seen, err := w.jobs.ContainersSince(ctx, w.job.id, index)
		switch {
		case err == nil && seen == 0:
			err = fmt.Errorf("job %q: %w", w.job.id, nomad.ErrNotFound)
		case err == nil:
			w.publish(list, nil)
			index = seen
			continue
		case ctx.Err() != nil:
			return
		}
		if !errors.Is(err, nomad.ErrUnreachable) {
			w.publish(nil, err)
			return
		}
		index = 0
		timer := time.NewTimer(watchPause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (w *jobWatch) publish(list []nomad.Container, err error) {
	if w.job.index >= 0 {
		for i := range list {
			list[i].Index = w.job.index
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.err = newSighting(list), err
	close(w.next)
	w.next = make(chan struct{})
}

// until returns when is says so of the job's containers, or with its error, or
// when the context ends.
func (w *jobWatch) until(ctx context.Context, is func(*sighting) (bool, error)) error {
	for {
		w.mu.Lock()
		seen, err, next := w.seen, w.err, w.next
		w.mu.Unlock()
		if err != nil {
			return err
		}
		if seen != nil {
			if end, err := is(seen); end || err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-next:
		}
	}
}
