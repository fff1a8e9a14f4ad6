package nomad

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// failedStarts is how often a task may be restarted before its failure counts
// as lasting.
const failedStarts = 3

// reasons says why containers do not run: no place for them, and tasks that
// fail. Without waiting only what will not mend by itself counts; with it,
// also what the others wait for.
func (w *startWait) reasons(waiting bool) []string {
	return append(placementReasons(w.evals), taskReasons(w.allocs, waiting)...)
}

// placementReasons reads the evaluations that left containers without a node
// and still do: the first one that failed names the blocked one that waits for
// a place. Evaluations of a finished matter are kept by Nomad and mean
// nothing.
func placementReasons(evals []*api.Evaluation) (out []string) {
	blocked := map[string]*api.Evaluation{}
	for _, e := range evals {
		if e.Status == api.EvalStatusBlocked {
			blocked[e.ID] = e
		}
	}
	add := func(e *api.Evaluation) {
		for _, group := range slices.Sorted(maps.Keys(e.FailedTGAllocs)) {
			if text := metricText(e.FailedTGAllocs[group]); !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	ordered := byAge(evals)
	for i, e := range slices.Backward(ordered) {
		switch {
		case e.Status == api.EvalStatusFailed && i == len(ordered)-1 && e.BlockedEval == "" && e.NextEval == "":
			// Others are tried again, or were.
			out = append(out, "Nomad could not evaluate the job: "+cmp.Or(e.StatusDescription, "it does not say why"))
		case blocked[e.BlockedEval] != nil:
			add(e)
			delete(blocked, e.BlockedEval)
		}
	}
	for _, e := range byAge(slices.Collect(maps.Values(blocked))) {
		add(e)
	}
	return out
}

func byAge(evals []*api.Evaluation) []*api.Evaluation {
	return slices.SortedFunc(slices.Values(evals), func(a, b *api.Evaluation) int {
		return cmp.Or(cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(a.ID, b.ID))
	})
}

// metricText says in words why a group's containers found no place.
func metricText(m *api.AllocationMetric) string {
	var why []string
	for _, constraint := range slices.Sorted(maps.Keys(m.ConstraintFiltered)) {
		why = append(why, fmt.Sprintf("constraint %q rules out %s", constraint, nodes(m.ConstraintFiltered[constraint])))
	}
	for _, class := range slices.Sorted(maps.Keys(m.ClassFiltered)) {
		if len(m.ConstraintFiltered) > 0 {
			// The same nodes, counted by class.
			break
		}
		why = append(why, fmt.Sprintf("class %q rules out %s", class, nodes(m.ClassFiltered[class])))
	}
	for _, dimension := range slices.Sorted(maps.Keys(m.DimensionExhausted)) {
		why = append(why, fmt.Sprintf("not enough %s on %s", dimension, nodes(m.DimensionExhausted[dimension])))
	}
	for _, quota := range m.QuotaExhausted {
		why = append(why, fmt.Sprintf("the quota is used up: %s", quota))
	}
	if m.NodesEvaluated == 0 {
		dcs := slices.Sorted(maps.Keys(m.NodesAvailable))
		text := "no node is ready"
		if len(dcs) > 0 {
			text += " in " + strings.Join(dcs, ", ")
		}
		if m.NodePool != "" {
			text += fmt.Sprintf(" (node pool %s)", m.NodePool)
		}
		why = append(why, text)
	}
	if len(why) == 0 {
		why = append(why, fmt.Sprintf("%s looked at, none fits", nodes(m.NodesEvaluated)))
	}
	return fmt.Sprintf("no place for %s: %s", containers(m.CoalescedFailures+1), strings.Join(why, ", "))
}

func nodes(n int) string { return counted(n, "node") }

func containers(n int) string { return counted(n, "container") }

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// taskReasons reads what the tasks of containers say. Containers that say the
// same are named together.
func taskReasons(allocs []*api.AllocationListStub, waiting bool) (out []string) {
	said := map[string][]string{}
	var order []string
	for _, a := range allocs {
		text := ""
		for _, name := range slices.Sorted(maps.Keys(a.TaskStates)) {
			state := a.TaskStates[name]
			switch lasting := a.ClientStatus == api.AllocClientStatusFailed || state.Restarts >= failedStarts; {
			case lasting && a.ClientStatus != api.AllocClientStatusRunning:
				text = failureText(state)
			case waiting && a.ClientStatus == api.AllocClientStatusPending:
				text = "is being started: " + lastEvent(state)
			}
			if text != "" {
				break
			}
		}
		if text == "" && a.ClientStatus == api.AllocClientStatusFailed {
			text = "failed: " + cmp.Or(a.ClientDescription, "Nomad does not say why")
		}
		if text == "" {
			continue
		}
		if said[text] == nil {
			order = append(order, text)
		}
		index, _ := ContainerIndex(a.Name)
		if name := fmt.Sprint(index); !slices.Contains(said[text], name) {
			said[text] = append(said[text], name)
		}
	}
	for _, text := range order {
		noun := "container"
		if len(said[text]) > 1 {
			noun = "containers"
		}
		out = append(out, fmt.Sprintf("%s %s %s", noun, some(said[text], ", "), text))
	}
	return out
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

func eventText(e *api.TaskEvent) string {
	return strings.TrimSpace(unsigned(cmp.Or(e.DisplayMessage, e.Message, e.Type)))
}
