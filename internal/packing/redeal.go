package packing

import (
	"fmt"
	"math"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// Repack deals all instances anew. Containers get about as many as those of
// the definition, so there are more of them or fewer.
func (r *roundRobin) Repack(def *topology.Definition, current *Plan, changes []Change) (*Plan, error) {
	return r.redeal(def, current, changes, func(instances int) (int, error) {
		return usualContainers(def, instances)
	})
}

// RepackContainers deals all instances anew to this number of containers. For
// the number that there are already it is Repack, which may change it.
func (r *roundRobin) RepackContainers(
	def *topology.Definition, current *Plan, containers int, changes []Change,
) (*Plan, error) {
	if containers == len(current.Containers) {
		return r.Repack(def, current, changes)
	}
	return r.redeal(def, current, changes, func(int) (int, error) { return containers, nil })
}

// redeal deals the changed instances of current to as many containers as
// containers says for their number.
func (r *roundRobin) redeal(
	def *topology.Definition, current *Plan, changes []Change, containers func(instances int) (int, error),
) (*Plan, error) {
	padding, err := paddingRAM(def)
	if err != nil {
		return nil, unreadable(StageInitialize, err)
	}
	counts, err := changed(current.counts(), changes)
	if err != nil {
		return nil, err
	}
	total := 0
	for _, c := range counts {
		total += c.instances
	}
	n, err := containers(total)
	if err != nil {
		return nil, unreadable(StageRepack, err)
	}
	p, err := r.pack(def, padding, n, counts)
	return p, whileRepacking(err)
}

// usualContainers is how many containers hold that many instances if each has
// as many as the definition gives each on average.
func usualContainers(def *topology.Definition, instances int) (int, error) {
	containers, err := def.Stmgrs()
	if err != nil {
		return 0, err
	}
	counts, err := componentCounts(def)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, c := range counts {
		total += c.instances
	}
	average := float64(total) / float64(containers)
	return java.Int(math.Ceil(float64(instances) / average)), nil
}

// changed is counts after changes.
func changed(counts []count, changes []Change) ([]count, error) {
	at := make(map[string]int, len(counts))
	for i, c := range counts {
		at[c.component] = i
	}
	for _, change := range changes {
		i, ok := at[change.Component]
		if !ok {
			return nil, unknownComponent(StageRepack, change.Component, counts)
		}
		n := counts[i].instances + change.Delta
		if n < 0 || n > math.MaxInt32 {
			return nil, &Error{
				Stage: StageRepack, Class: ErrParallelism,
				Statement: fmt.Sprintf("component %q has %d instances and cannot have %+d",
					change.Component, counts[i].instances, change.Delta),
			}
		}
		counts[i].instances = n
	}
	return counts, nil
}

// counts is how many instances of each component the plan has, in the order
// in which the original's hash map has them when it has read the plan: that of
// its first meeting with each.
func (p *Plan) counts() []count {
	instances := map[string]int{}
	for _, c := range p.Containers {
		for _, in := range c.Instances {
			instances[in.Component]++
		}
	}
	var names []string
	met := make(map[string]bool, len(instances))
	for _, c := range p.readOrder() {
		if len(names) == len(instances) {
			break
		}
		for _, in := range c.Instances {
			if !met[in.Component] {
				met[in.Component] = true
				names = append(names, in.Component)
			}
		}
	}
	list := make([]count, len(names))
	for i, name := range java.StringOrder(names) {
		list[i] = count{name, instances[name]}
	}
	return list
}
