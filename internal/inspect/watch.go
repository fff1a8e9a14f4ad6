package inspect

import (
	"context"
	"reflect"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/outcome"
)

// lookAgain is how often what no blocking query tells is read: the state, the
// TManager, the jobs of the original client.
const lookAgain = 2 * time.Second

// Watch calls show with how a topology is, at first and at every change, until
// the topology is gone, which is no error, or the context or show ends it. A
// topology that is not there at first is an error of kind outcome.NotFound.
func Watch(ctx context.Context, cl cluster.Cluster, n Nomad, name string, now func() time.Time, show func(*Status) error) error {
	l := &looker{cl: cl, nomad: n, name: name, now: now}
	shown, list, err := l.look(ctx, nil)
	if err != nil {
		return err
	}
	if err := show(shown); err != nil {
		return err
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	lists, failed := l.follow(inner, list.index)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-failed:
			return err
		case list = <-lists:
		case <-tick.C:
		}
		next, _, err := l.look(ctx, list)
		switch {
		case outcome.KindOf(err) == outcome.NotFound:
			return nil
		case err != nil:
			return err
		case next.same(shown):
			continue
		}
		shown = next
		if err := show(shown); err != nil {
			return err
		}
	}
}

// follow reads the containers of the job at every change.
func (l *looker) follow(ctx context.Context, index uint64) (<-chan *listing, <-chan error) {
	lists, failed := make(chan *listing), make(chan error, 1)
	go func() {
		for {
			containers, seen, err := l.nomad.ContainersSince(ctx, l.jobID(), index)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				failed <- err
				return
			}
			if seen == index {
				continue
			}
			if seen == 0 { // there is no job of ours; the ticks show what else is there
				return
			}
			index = seen
			select {
			case lists <- &listing{containers: containers, index: seen}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lists, failed
}

// same says that a person would see no difference. The time since the last
// change, which a reason may name, is none.
func (s *Status) same(as *Status) bool {
	a, b := *s, *as
	if a.Health == b.Health {
		a.Reason, b.Reason = "", ""
	}
	return reflect.DeepEqual(a, b)
}
