package inspect

import (
	"context"
	"reflect"
	"time"
)

// lookShare bounds how much of the time WatchList is reading: the pause is at
// least this many times as long as the look before it.
const lookShare = 10

// ListChange is the topologies of a cluster, and what of it is new since the
// last one.
type ListChange struct {
	All []*Summary
	// Changed are those of All that are new or differ; Gone are the names of
	// those that are no more.
	Changed []*Summary
	Gone    []string
}

// WatchList calls show with the topologies that read finds, at first and
// whenever the list is another, until the context or show ends it.
func WatchList(ctx context.Context, read func(context.Context) ([]*Summary, error), show func(ListChange) error) error {
	var last []*Summary
	for first := true; ; first = false {
		begun := time.Now()
		list, err := read(ctx)
		if err != nil {
			return err
		}
		change := compareLists(last, list)
		if first || len(change.Changed) > 0 || len(change.Gone) > 0 {
			if err := show(change); err != nil {
				return err
			}
		}
		last = list
		pause := time.NewTimer(max(lookAgain, lookShare*time.Since(begun)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return context.Cause(ctx)
		case <-pause.C:
		}
	}
}

// compareLists says what is new in a list.
func compareLists(before, now []*Summary) ListChange {
	change := ListChange{All: now}
	old := map[string]*Summary{}
	for _, s := range before {
		old[s.Topology] = s
	}
	for _, s := range now {
		if was := old[s.Topology]; was == nil || !s.same(was) {
			change.Changed = append(change.Changed, s)
		}
		delete(old, s.Topology)
	}
	for _, s := range before {
		if old[s.Topology] != nil {
			change.Gone = append(change.Gone, s.Topology)
		}
	}
	return change
}

// same says that a person would see no difference.
func (s *Summary) same(as *Summary) bool {
	shown := func(s Summary) Summary {
		s.jobs, s.physical, s.broken = jobCounts{}, false, ""
		return s
	}
	return reflect.DeepEqual(shown(*s), shown(*as))
}
