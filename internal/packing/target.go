package packing

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// Target is what a plan is to become. What it leaves out stays as it is.
type Target struct {
	// Parallelism is how many instances components are to have. Of a
	// component that is in it twice the last counts.
	Parallelism []Parallelism
	// Containers is how many containers there are to be, nil to leave that to
	// the algorithm. Each algorithm says itself which numbers it refuses.
	Containers *int

	// text is the parallelism as it was written, "" if it was not.
	text string
}

// Parallelism is how many instances a component is to have.
type Parallelism struct {
	Component string
	Instances int
}

// ParseTarget reads a target as users write it: parallelism is
// "component:number,component:number", containers a number, and what is empty
// is left out.
func ParseTarget(parallelism, containers string) (Target, error) {
	t := Target{text: parallelism}
	for item := range strings.SplitSeq(parallelism, ",") {
		if item == "" {
			continue
		}
		component, number, _ := strings.Cut(item, ":")
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			return Target{}, &Error{
				Stage: StageRequest, Class: ErrParallelism,
				Statement: "Invalid parallelism parameter found. Expected: " +
					"<component>:<parallelism>[,<component>:<parallelism>], Found: " + parallelism,
			}
		}
		t.Parallelism = append(t.Parallelism, Parallelism{component, int(n)})
	}
	if containers != "" {
		n, err := strconv.ParseInt(containers, 10, 32)
		if err != nil {
			return Target{}, &Error{
				Stage: StageRequest, Class: ErrContainers,
				Statement: fmt.Sprintf("%q is not a number of containers", containers),
				Hint:      fmt.Sprintf("use a whole number up to %d", math.MaxInt32),
			}
		}
		t.Containers = new(int(n))
	}
	return t, nil
}

// Changes is what a plan lacks to have the target's parallelism, nothing for
// components that have it. A target that leaves the plan as it is is an
// ErrUnchanged, one with a component that is not in the plan an ErrComponent,
// one with a component of less than one instance an ErrParallelism.
func (t Target) Changes(current *Plan) ([]Change, error) {
	counts := current.counts()
	instances := make(map[string]int, len(counts))
	for _, c := range counts {
		instances[c.component] = c.instances
	}
	wanted := make(map[string]int, len(t.Parallelism))
	names := make([]string, len(t.Parallelism))
	for i, p := range t.Parallelism {
		names[i], wanted[p.Component] = p.Component, p.Instances
	}
	var changes []Change
	// The original keeps the request in a hash map.
	for _, name := range java.StringOrder(names) {
		have, ok := instances[name]
		if !ok {
			return nil, unknownComponent(StageRequest, name, counts)
		}
		want := wanted[name]
		if want < 1 || want > math.MaxInt32 {
			return nil, &Error{
				Stage: StageRequest, Class: ErrParallelism,
				Statement: fmt.Sprintf("component %q cannot have %d instances", name, want),
				Hint:      fmt.Sprintf("use 1 or more; it has %d", have),
			}
		}
		if want != have {
			changes = append(changes, Change{Component: name, Delta: want - have})
		}
	}
	if len(changes) == 0 && (t.Containers == nil || *t.Containers == len(current.Containers)) {
		return nil, t.unchanged()
	}
	return changes, nil
}

func (t Target) unchanged() error {
	e := &Error{Stage: StageRequest, Class: ErrUnchanged}
	switch {
	case t.Containers != nil:
		e.Statement = "Both component parallelism request and container number are the same as in the running topology."
	case len(t.Parallelism) == 0 && t.text == "":
		e.Statement, e.Hint = "Missing arguments. Not taking action.",
			"say how many instances of a component or how many containers there are to be"
	default:
		e.Statement = fmt.Sprintf("The component parallelism request (%s) is the same as the "+
			"current topology parallelism. Not taking action.", t.request())
	}
	return e
}

// request is the parallelism as users write it.
func (t Target) request() string {
	if t.text != "" {
		return t.text
	}
	parts := make([]string, len(t.Parallelism))
	for i, p := range t.Parallelism {
		parts[i] = p.Component + ":" + strconv.Itoa(p.Instances)
	}
	return strings.Join(parts, ",")
}

// Repack makes the plan that is current become the target. Its errors are
// those of Changes and of the algorithm.
func (t Target) Repack(by Repacker, def *topology.Definition, current *Plan) (*Plan, error) {
	changes, err := t.Changes(current)
	if err != nil {
		return nil, err
	}
	var p *Plan
	if t.Containers != nil {
		p, err = by.RepackContainers(def, current, *t.Containers, changes)
	} else {
		p, err = by.Repack(def, current, changes)
	}
	if err != nil {
		return nil, err
	}
	// The original sends the new plan as a message to what stores it.
	return p.reread(), nil
}

// unknownComponent lists what there is in the order of counts.
func unknownComponent(stage Stage, name string, counts []count) error {
	names := make([]string, len(counts))
	for i, c := range counts {
		names[i] = c.component
	}
	return &Error{
		Stage: stage, Class: ErrComponent,
		Statement: fmt.Sprintf("Invalid component name in update request: %s. Valid components include: [%s]",
			name, strings.Join(names, ", ")),
	}
}
