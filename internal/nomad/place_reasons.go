package nomad

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// reason says why containers do not run.
type reason struct {
	text string
	// noNode says that no ready node is where the job wants one.
	noNode bool
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
}

func wants(job *api.Job) wanted {
	w := wanted{datacenters: job.Datacenters, pool: value(job.NodePool)}
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			w.driver = task.Driver
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
	for _, dimension := range slices.Sorted(maps.Keys(m.DimensionExhausted)) {
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
	return reason{text: fmt.Sprintf("no place for %s: %s", containers(m.CoalescedFailures+1), strings.Join(why, ", ")), noNode: noNode}
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

// addReadyNodes says in reasons about a place without nodes where nodes are.
// Where the token may not read nodes, or Nomad does not answer, they stay as
// they are.
func (c *Client) addReadyNodes(ctx context.Context, reasons []reason) {
	if !slices.ContainsFunc(reasons, func(r reason) bool { return r.noNode }) {
		return
	}
	var list []*api.NodeListStub
	err := c.glance(ctx, func(q *api.QueryOptions) (err error) {
		list, _, err = c.api.Nodes().List(q)
		return err
	})
	if err != nil {
		return
	}
	ready := map[string]int{}
	for _, n := range list {
		if n.Status != api.NodeStatusReady || n.SchedulingEligibility != api.NodeSchedulingEligible {
			continue
		}
		place := "datacenter " + n.Datacenter
		if n.NodePool != "" && n.NodePool != api.NodePoolDefault {
			place += ", node pool " + n.NodePool
		}
		ready[place]++
	}
	var texts []string
	for _, place := range slices.Sorted(maps.Keys(ready)) {
		texts = append(texts, nodes(ready[place])+" in "+place)
	}
	text := "no node takes work anywhere"
	if len(texts) > 0 {
		text = "elsewhere: " + some(texts, "; ")
	}
	for i, r := range reasons {
		if r.noNode {
			reasons[i].text += " (" + text + ")"
		}
	}
}

func nodes(n int) string { return counted(n, "node") }

func containers(n int) string { return counted(n, "container") }

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
