package nomad

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// reason says why containers do not run.
type reason struct {
	text string
	// passes says that it may pass without a change of the job or the nodes.
	passes bool
	// noNode says that no ready node is where the job wants one.
	noNode bool
	// short are the resources of which nodes have too little left, joined by
	// commas.
	short string
	// failed is a container that the reason is about; nil where it is about none.
	failed *api.AllocationListStub
}

func reasonTexts(reasons []reason) []string {
	var texts []string
	for _, r := range reasons {
		texts = append(texts, r.text)
	}
	return texts
}

// wanted is what a job asks of its nodes.
type wanted struct {
	datacenters  []string
	pool, driver string
	// size is what a container takes of each resource, by Nomad's name for it:
	// shares of "cpu", MiB of "memory" and "disk".
	size map[string]int64
}

func wants(job *api.Job) wanted {
	w := wanted{datacenters: job.Datacenters, pool: value(job.NodePool), size: map[string]int64{}}
	for _, group := range job.TaskGroups {
		if group.EphemeralDisk != nil {
			w.size["disk"] += int64(value(group.EphemeralDisk.SizeMB))
		}
		for _, task := range group.Tasks {
			w.driver = task.Driver
			if task.Resources != nil {
				w.size["cpu"] += int64(value(task.Resources.CPU))
				w.size["memory"] += int64(value(task.Resources.MemoryMB))
			}
		}
	}
	return w
}

// placementReasons reads the evaluations that left containers without a node
// and still do: the first one that failed names the blocked one that waits for
// a place. Nomad keeps the evaluations of what is settled; they mean nothing.
func placementReasons(want wanted, evals []*api.Evaluation) (out []reason) {
	blocked := map[string]*api.Evaluation{}
	for _, e := range evals {
		if e.Status == api.EvalStatusBlocked {
			blocked[e.ID] = e
		}
	}
	add := func(e *api.Evaluation) {
		for _, group := range slices.Sorted(maps.Keys(e.FailedTGAllocs)) {
			if r := want.placeReason(e.FailedTGAllocs[group]); !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	ordered := byAge(evals)
	for i, e := range slices.Backward(ordered) {
		switch {
		case e.Status == api.EvalStatusFailed && i == len(ordered)-1 && e.BlockedEval == "" && e.NextEval == "":
			// Others are tried again, or were.
			out = append(out, reason{text: "Nomad could not evaluate the job: " + cmp.Or(e.StatusDescription, "it does not say why")})
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

// What Nomad calls the constraint of a job's drivers.
const missingDrivers = "missing drivers"

// placeReason says why a group's containers found no place.
func (w wanted) placeReason(m *api.AllocationMetric) reason {
	var why []string
	for _, constraint := range slices.Sorted(maps.Keys(m.ConstraintFiltered)) {
		on := nodes(m.ConstraintFiltered[constraint])
		if constraint == missingDrivers && w.driver != "" {
			why = append(why, fmt.Sprintf("driver %q is missing or not healthy on %s", w.driver, on))
			continue
		}
		why = append(why, fmt.Sprintf("constraint %q rules out %s", constraint, on))
	}
	for _, class := range slices.Sorted(maps.Keys(m.ClassFiltered)) {
		if len(m.ConstraintFiltered) > 0 {
			// The same nodes, counted by class.
			break
		}
		why = append(why, fmt.Sprintf("class %q rules out %s", class, nodes(m.ClassFiltered[class])))
	}
	short := slices.Sorted(maps.Keys(m.DimensionExhausted))
	for _, dimension := range short {
		why = append(why, fmt.Sprintf("not enough %s on %s", dimension, nodes(m.DimensionExhausted[dimension])))
	}
	for _, quota := range m.QuotaExhausted {
		why = append(why, fmt.Sprintf("the quota is used up: %s", quota))
	}
	noNode := m.NodesEvaluated == 0
	if noNode {
		why = append(why, "no node is ready"+w.where())
	}
	if len(why) == 0 {
		why = append(why, fmt.Sprintf("%s looked at, none fits", nodes(m.NodesEvaluated)))
	}
	return reason{
		text:   fmt.Sprintf("no place for %s: %s", containers(m.CoalescedFailures+1), strings.Join(why, ", ")),
		noNode: noNode, short: strings.Join(short, ","),
		passes: len(short) > 0 || len(m.QuotaExhausted) > 0,
	}
}

// where names the datacenters and the node pool of a job, as far as it chose.
func (w wanted) where() string {
	var in []string
	switch {
	case len(w.datacenters) == 0 || slices.Equal(w.datacenters, []string{"*"}):
	case len(w.datacenters) == 1:
		in = append(in, "datacenter "+w.datacenters[0])
	default:
		in = append(in, "datacenters "+strings.Join(w.datacenters, ", "))
	}
	if w.pool != "" && w.pool != api.NodePoolDefault && w.pool != api.NodePoolAll {
		in = append(in, "node pool "+w.pool)
	}
	if len(in) == 0 {
		return ""
	}
	return " in " + strings.Join(in, ", ")
}

func nodes(n int) string { return counted(n, "node") }

func containers(n int) string { return counted(n, "container") }

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
