package inspect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Health is how a topology is, in one word. Its text is stable: machines read
// it.
type Health string

// The words for health.
const (
	// Healthy: all containers run, and the TManager has a complete physical plan.
	Healthy Health = "healthy"
	// Paused: the same, and the topology is deactivated.
	Paused Health = "paused"
	// Starting: not everything runs yet, and nothing says that it will not.
	Starting Health = "starting"
	// Degraded: a part runs, and something is wrong with the rest.
	Degraded Health = "degraded"
	// Failed: nothing runs, and that will not change by itself.
	Failed Health = "failed"
	// Stopping: it is being killed.
	Stopping Health = "stopping"
	// Unknown: a part cannot be asked from here.
	Unknown Health = "unknown"
)

// Good says that the topology is as it should be.
func (h Health) Good() bool { return h == Healthy || h == Paused }

// startTime is how long a topology whose containers all run may be without a
// complete physical plan before that counts as wrong. A TManager that finds its
// own old location waits for most of a minute.
const startTime = 3 * time.Minute

// judge finds the health of a topology and the reason for it. The first rule
// that applies decides.
func judge(s *Status, now time.Time) (Health, string) {
	running := fmt.Sprintf("%d of %d containers run", s.Running, s.Wanted)
	op := s.Operation
	switch {
	case op != nil && op.Name == statemgr.OperationKill:
		return Stopping, op.String() + "; " + running
	case s.Job == nil && op != nil && op.Name == statemgr.OperationSubmit && op.Alive:
		return Starting, op.String() + "; its job is not there yet"
	case s.Job == nil:
		return Failed, "it has no job in Nomad"
	case s.Job.Foreign != "":
		return Failed, "the job of its name is not its own: " + s.Job.Foreign
	case s.Job.Stopped && s.Live > 0:
		return Stopping, fmt.Sprintf("its job is stopped, and %d containers have not ended yet", s.Live)
	case s.Job.Stopped:
		return Failed, "its job is stopped"
	case s.Wanted == 0:
		return Unknown, "its packing plan cannot be read"
	}
	if h, why := s.judgeContainers(); h != "" {
		return h, running + ": " + why
	}
	return s.judgeTManager(running, now)
}

// judgeContainers is about containers; "" where all of them run.
func (s *Status) judgeContainers() (Health, string) {
	broken := Degraded
	if s.Running == 0 {
		broken = Failed
	}
	var why []string
	if s.Indexes.Wrong() {
		why = append(why, "the indexes are not 0 to "+fmt.Sprint(s.Wanted-1)+": "+s.Indexes.String())
	}
	why = append(why, s.failures()...)
	why = append(why, s.Unplaced...)
	if gone := s.indexes(func(c Container) bool { return c.State == "lost" || c.State == "unknown" }); len(gone) > 0 {
		why = append(why, "the node of "+named(gone)+" is gone")
	}
	if len(why) > 0 {
		return broken, strings.Join(why, "; ")
	}
	if s.Indexes.Exact() && s.Running == s.Wanted {
		return "", ""
	}
	waiting := s.indexes(func(c Container) bool { return c.State != "running" && c.State != stateStopping })
	text := named(waiting) + " not running yet"
	if c := s.first(waiting); c != nil && c.LastEvent != "" {
		text += ": " + c.LastEvent
	}
	return Starting, text
}

// failures are the reasons of containers that fail, equal ones together.
func (s *Status) failures() []string {
	said := map[string][]int{}
	var order []string
	for _, c := range s.Containers {
		if c.Failure == "" {
			continue
		}
		if said[c.Failure] == nil {
			order = append(order, c.Failure)
		}
		said[c.Failure] = append(said[c.Failure], c.Index)
	}
	var texts []string
	for _, text := range order {
		texts = append(texts, named(said[text])+" "+text)
	}
	return texts
}

func (s *Status) indexes(is func(Container) bool) (list []int) {
	for _, c := range s.Containers {
		if is(c) && !slices.Contains(list, c.Index) {
			list = append(list, c.Index)
		}
	}
	return list
}

func (s *Status) first(of []int) *Container {
	for i, c := range s.Containers {
		if len(of) > 0 && c.Index == of[0] && c.State != "running" {
			return &s.Containers[i]
		}
	}
	return nil
}

// judgeTManager is about the TManager of a topology all of whose containers
// run.
func (s *Status) judgeTManager(running string, now time.Time) (Health, string) {
	t := s.TManager
	missing := ""
	if len(s.Plan.Unregistered) > 0 {
		missing = "; no stream manager of " + named(s.Plan.Unregistered)
	}
	late := !s.newest.IsZero() && now.Sub(s.newest) > startTime
	wait := func(why string) (Health, string) {
		if late {
			return Degraded, fmt.Sprintf("%s, but %s, %s after the last change of a container%s", running, why, now.Sub(s.newest).Round(time.Second), missing)
		}
		return Starting, running + ", but " + why + missing
	}
	switch t.Answer {
	case AnswerUnreachable:
		return Unknown, fmt.Sprintf("%s, but its TManager does not answer: %s", running, t.Error)
	case AnswerAbsent:
		return wait("no TManager is registered yet")
	case AnswerIncomplete:
		return wait("its TManager has no complete physical plan")
	}
	switch {
	case !s.Plan.Physical:
		return wait("there is no physical plan yet")
	case missing != "":
		return wait("the physical plan does not fit" + missing)
	case s.State == "PAUSED":
		return Paused, "deactivated; all " + count(s.Wanted, "container") + " run"
	case s.State != "RUNNING":
		return Unknown, "the state in its physical plan is " + s.State
	}
	return Healthy, "all " + count(s.Wanted, "container") + " run, and the physical plan is complete"
}

// named are containers for a person.
func named(indexes []int) string {
	if len(indexes) == 1 {
		return fmt.Sprintf("container %d", indexes[0])
	}
	return "containers " + cluster.Ranges(indexes)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
