package nomad

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// failedStarts is how often a task may be restarted before its failure counts
// as lasting.
const failedStarts = 3

// taskReasons reads what the tasks of containers say. Without waiting only
// failures that last count; with it also what the others wait for, and failures
// of those that run again. Containers that say the same are named together.
func taskReasons(allocs []*api.AllocationListStub, before replaced, waiting bool) (out []reason) {
	type group struct {
		names  []string
		failed *api.AllocationListStub
		starts starts
	}
	said := map[string]*group{}
	var order []string
	for _, a := range allocs {
		text, failed := taskReason(a, before[a.Name], waiting)
		if text == "" {
			continue
		}
		now := startsOf(a, before[a.Name])
		if said[text] == nil {
			said[text] = &group{failed: failed, starts: now}
			order = append(order, text)
		}
		g := said[text]
		g.starts = g.starts.most(now)
		index, _ := ContainerIndex(a.Name)
		if name := strconv.Itoa(index); !slices.Contains(g.names, name) {
			g.names = append(g.names, name)
		}
	}
	for _, text := range order {
		g, noun := said[text], "container"
		if len(g.names) > 1 {
			noun = "containers"
		}
		r := reason{text: fmt.Sprintf("%s %s %s", noun, some(g.names, ", "), text), failed: g.failed}
		if again := g.starts.words(len(g.names) > 1); again != "" {
			r.text += ", " + again
		}
		out = append(out, r)
	}
	return out
}

// taskReason is what keeps one container from running, "" for nothing, and the
// allocation whose program ended for it; nil where none was started. before are
// the allocations that it had, the oldest first.
func taskReason(a *api.AllocationListStub, before []*api.AllocationListStub, waiting bool) (string, *api.AllocationListStub) {
	var ran *api.AllocationListStub
	if ranOnce(a) {
		ran = a
	}
	for _, name := range slices.Sorted(maps.Keys(a.TaskStates)) {
		state := a.TaskStates[name]
		lasting := a.ClientStatus == api.AllocClientStatusFailed || failsAgain(state)
		var end *api.TaskEvent
		if waiting {
			end = ownEnd(state)
		}
		switch {
		case lasting && a.ClientStatus != api.AllocClientStatusRunning:
			return failureText(state), ran
		case waiting && a.ClientStatus == api.AllocClientStatusPending && end != nil:
			return "failed: " + endText(end) + "; " + lastEvent(state), ran
		case waiting && a.ClientStatus == api.AllocClientStatusPending:
			text := "is being started: " + lastEvent(state)
			if failed, end := endBefore(before); failed != nil {
				return text + "; before that it failed: " + endText(end), failed
			}
			return text, ran
		case waiting && a.ClientStatus == api.AllocClientStatusRunning && end != nil:
			return "runs again after it failed: " + endText(end), ran
		}
	}
	if a.ClientStatus == api.AllocClientStatusFailed {
		return "failed: " + cmp.Or(a.ClientDescription, "Nomad does not say why"), ran
	}
	if failed, end := endBefore(before); waiting && failed != nil {
		return "was placed anew after it failed: " + endText(end), failed
	}
	return "", nil
}

// failsAgain says that a task was restarted so often that its failure counts as
// lasting. Where somebody has asked for a restart of late, the earlier ones say
// nothing.
func failsAgain(state *api.TaskState) bool {
	return state.Restarts >= failedStarts && !slices.ContainsFunc(state.Events, func(e *api.TaskEvent) bool { return e.Type == api.TaskRestartSignal })
}

// ranOnce says whether a container's program was started, so that it may have
// written something.
func ranOnce(a *api.AllocationListStub) bool {
	for _, state := range a.TaskStates {
		if slices.ContainsFunc(state.Events, func(e *api.TaskEvent) bool { return e.Type == api.TaskTerminated }) {
			return true
		}
	}
	return false
}

// failureText is the last thing that went wrong in a task, not what Nomad did
// about it.
func failureText(state *api.TaskState) string {
	for _, e := range slices.Backward(state.Events) {
		switch e.Type {
		case api.TaskTerminated, api.TaskDriverFailure, api.TaskSetupFailure, api.TaskFailedValidation, api.TaskArtifactDownloadFailed:
			return "failed: " + eventText(e)
		}
	}
	return "failed: " + lastEvent(state)
}

func lastEvent(state *api.TaskState) string {
	if len(state.Events) == 0 {
		return "nothing is known yet"
	}
	return eventText(state.Events[len(state.Events)-1])
}

// eventText is an event of a task in plain words.
func eventText(e *api.TaskEvent) string {
	switch e.Type {
	case api.TaskReceived:
		return "its node has received it"
	case api.TaskBuildingTaskDir, api.TaskSetup:
		return "its node is making its folder"
	case api.TaskDownloadingArtifacts:
		return "its node is downloading its files"
	case api.TaskRestarting:
		return "it ended and is started again" + startsIn(e)
	case api.TaskTerminated:
		return endText(e)
	}
	text := strings.TrimSpace(unsigned(cmp.Or(e.DisplayMessage, e.Message, e.Type)))
	if e.Type == api.TaskArtifactDownloadFailed && strings.Contains(text, "getter subprocess failed") {
		text += " (the node's own log has the cause: the file may have another SHA-256 than the job says, or the node cannot reach it)"
	}
	return text
}

// startsIn says when a task is started again, as Nomad decided at the event.
func startsIn(e *api.TaskEvent) string {
	delay, err := strconv.ParseInt(e.Details["start_delay"], 10, 64)
	if err != nil {
		delay = e.StartDelay
	}
	if delay <= 0 {
		return ""
	}
	return " after " + max(time.Duration(delay).Round(time.Second), time.Second).String()
}

// endText says how a task's program ended.
func endText(e *api.TaskEvent) string {
	var parts []string
	number := func(key string, fallback int) int {
		if n, err := strconv.Atoi(e.Details[key]); err == nil {
			return n
		}
		return fallback
	}
	if e.Details["oom_killed"] == "true" {
		parts = append(parts, "it ran out of memory")
	}
	if signal := number("signal", e.Signal); signal != 0 {
		parts = append(parts, fmt.Sprintf("signal %d ended it", signal))
	} else {
		parts = append(parts, fmt.Sprintf("exit code %d", number("exit_code", e.ExitCode)))
	}
	if message := strings.TrimSpace(unsigned(cmp.Or(e.Details["exit_message"], e.Message))); message != "" {
		parts = append(parts, message)
	}
	return strings.Join(parts, ", ")
}
