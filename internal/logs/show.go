package logs

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
)

const (
	// readers is how many containers are read at a time.
	readers = 8
	// ahead is how many blocks of lines a container is read ahead of the output.
	ahead = 2
)

// show shows what there is, container by container. Some are read ahead.
func (r *reader) show(ctx context.Context) error {
	all, err := r.containers(ctx)
	if err != nil {
		return err
	}
	list := r.selected(all)
	if r.options.From != nil {
		list = r.resumed(all)
	} else if err := r.begin(list); err != nil {
		return err
	}
	if len(list) == 0 && r.options.From == nil {
		return outcome.Errorf(outcome.NotFound, "%s has no container that Nomad knows of", r.what())
	}
	inner, cancel := context.WithCancel(ctx)
	group := &errgroup.Group{}
	group.SetLimit(readers)
	type result struct {
		blocks  chan block
		matched bool
		err     error
	}
	results := make([]*result, len(list))
	for i := range results {
		results[i] = &result{blocks: make(chan block, ahead)}
	}
	started := make(chan struct{})
	go func() {
		defer close(started)
		for i, c := range list {
			group.Go(func() error {
				defer close(results[i].blocks)
				one := r.container(c, true, func(b block) error {
					select {
					case results[i].blocks <- b:
						return nil
					case <-inner.Done():
						return context.Cause(inner)
					}
				})
				results[i].err = one.read(inner, true)
				results[i].matched = one.matched
				return nil
			})
		}
	}()
	defer func() {
		cancel()
		<-started
		_ = group.Wait()
	}()
	matched := r.matched()
	var failed []error
	for i, c := range list {
		for b := range results[i].blocks {
			if err := r.deliver(b); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		matched = matched || results[i].matched
		if errors.Is(results[i].err, nomad.ErrDenied) {
			return unreadable(c, results[i].err) // that of all others, too
		}
		if results[i].err != nil {
			failed = append(failed, unreadable(c, results[i].err))
		} else if err := r.ended(c); err != nil {
			return err
		}
	}
	switch {
	case len(failed) > 0:
		return errors.Join(failed...)
	case !matched && r.options.File != "":
		return outcome.Errorf(outcome.NotFound, "%s has no file %s", r.what(), r.options.File)
	}
	return nil
}

// what is asked for, in messages.
func (r *reader) what() string {
	if r.options.Container != nil {
		return fmt.Sprintf("container %d of topology %s", *r.options.Container, r.name)
	}
	return "topology " + r.name
}

var _ Nomad = (*nomad.Client)(nil)
