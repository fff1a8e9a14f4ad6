package nomad

import (
	"fmt"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// replaced are the allocations that containers had before their present ones,
// by the allocations' common name, the oldest first.
type replaced map[string][]*api.AllocationListStub

// replacedIn finds them in a list that is sorted by container and age.
func replacedIn(allocs []*api.AllocationListStub) replaced {
	before := replaced{}
	for i, a := range allocs {
		if i+1 < len(allocs) && allocs[i+1].Name == a.Name {
			before[a.Name] = append(before[a.Name], a)
		}
	}
	return before
}

// ownEnd is the last end of a task that nobody had asked for, nil for none, or
// where Nomad does not know it any more: it keeps the last ten events.
func ownEnd(state *api.TaskState) (end *api.TaskEvent) {
	asked := false
	for _, e := range state.Events {
		switch e.Type {
		case api.TaskRestartSignal, api.TaskSignaling, api.TaskKilling:
			asked = true
		case api.TaskTerminated:
			if !asked {
				end = e
			}
		case api.TaskStarted:
			asked = false
		}
	}
	return end
}

// endBefore is the youngest allocation that has failed after its program had
// run, and how that ended.
func endBefore(before []*api.AllocationListStub) (*api.AllocationListStub, *api.TaskEvent) {
	for _, a := range slices.Backward(before) {
		if a.ClientStatus != api.AllocClientStatusFailed {
			continue
		}
		for _, state := range a.TaskStates {
			if end := ownEnd(state); end != nil {
				return a, end
			}
		}
	}
	return nil, nil
}

// starts counts how often a container was started again: in place, and by
// another allocation after it had failed.
type starts struct{ restarts, placements int }

func startsOf(a *api.AllocationListStub, before []*api.AllocationListStub) starts {
	s := starts{restarts: int(restartsOf(a))} //nolint:gosec // a count of restarts
	for _, old := range before {
		s.restarts += int(restartsOf(old)) //nolint:gosec // a count of restarts
		if old.ClientStatus == api.AllocClientStatusFailed {
			s.placements++
		}
	}
	return s
}

// most is the higher of both counts.
func (s starts) most(t starts) starts {
	return starts{max(s.restarts, t.restarts), max(s.placements, t.placements)}
}

// words says how often, "" for never; several says that it is the most of
// several containers.
func (s starts) words(several bool) string {
	text := ""
	switch {
	case s.restarts > 0 && s.placements > 0:
		text = fmt.Sprintf("restarted %s and placed anew %s", Times(s.restarts), Times(s.placements))
	case s.restarts > 0:
		text = "restarted " + Times(s.restarts)
	case s.placements > 0:
		text = "placed anew " + Times(s.placements)
	}
	if text != "" && several {
		text += " at most"
	}
	return text
}

// Times is a number of times in words.
func Times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
