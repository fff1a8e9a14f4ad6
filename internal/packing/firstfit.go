package packing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/topology"
)

const keySorting = "topology.packing.ffd.sorting.strategy"

// firstFit is org.apache.heron.packing.binpacking.FirstFitDecreasingPacking:
// the instances that need most come first, and each goes into the first
// container with room for it, or a new one.
type firstFit struct{ Settings }

// Pack takes as many containers as it needs, whatever number the definition
// asks for.
func (f *firstFit) Pack(def *topology.Definition) (*Plan, error) {
	l, cpuFirst, err := f.limits(def)
	if err != nil {
		return nil, unreadable(StageInitialize, err)
	}
	counts, err := componentCounts(def)
	if err != nil {
		return nil, unreadable(StagePack, err)
	}
	fill := &filling{builder: newBuilder(def, l, 0), cpuFirst: cpuFirst, failed: "Could not allocate all instances to packing plan"}
	var up []Change
	total := 0
	for _, c := range counts {
		up = append(up, Change{c.component, c.instances})
		total += c.instances
	}
	if err := checkTotal(total); err != nil {
		return nil, err
	}
	if err := fill.add(up); err != nil {
		return nil, err
	}
	return fill.plan()
}

// limits reads what containers may hold and what instances are sorted by.
func (f *firstFit) limits(def *topology.Definition) (l *limits, cpuFirst bool, err error) {
	if l, err = limitsOf(def, f.Settings); err != nil {
		return nil, false, err
	}
	l.minimumCPU = limitMinimumCPU
	strategy, ok := def.Config(keySorting)
	switch strings.ToUpper(strategy) {
	case "CPU_FIRST":
		return l, true, nil
	case "RAM_FIRST":
		return l, false, nil
	}
	if !ok {
		return l, false, nil
	}
	return nil, false, &Error{
		Stage:     StageInitialize,
		Statement: "No enum constant org.apache.heron.packing.builder.SortingStrategy." + strings.ToUpper(strategy),
		Hint:      fmt.Sprintf("%s is %q, neither RAM_FIRST nor CPU_FIRST", keySorting, strategy),
	}
}

// Repack takes instances out, and adds others as Pack does.
func (f *firstFit) Repack(def *topology.Definition, current *Plan, changes []Change) (*Plan, error) {
	p, err := f.repack(def, current, changes)
	return p, whileRepacking(err)
}

// RepackContainers is not supported by the original.
func (f *firstFit) RepackContainers(*topology.Definition, *Plan, int, []Change) (*Plan, error) {
	return nil, unsupported("FirstFitDecreasingPacking does not currently support " +
		"creating a new packing plan with a new number of containers.")
}

func (f *firstFit) repack(def *topology.Definition, current *Plan, changes []Change) (*Plan, error) {
	l, cpuFirst, err := f.limits(def)
	if err != nil {
		return nil, unreadable(StageInitialize, err)
	}
	down, up := split(changes)
	if len(down)+len(up) == 0 {
		return nil, unchanged()
	}
	b, err := reopen(def, l, current)
	if err != nil {
		return nil, err
	}
	fill := &filling{builder: b, containers: len(b.boxes), cpuFirst: cpuFirst, failed: "Could not repack instances into existing packing plan"}
	if err := newRemover(b).removeAll(fill.sort(down)); err != nil {
		return nil, err
	}
	if len(b.boxes) == 0 {
		return nil, refuse(ErrContainers, "kill the topology and submit it again", "the current plan has no container")
	}
	if err := b.number(up); err != nil {
		return nil, err
	}
	if err := fill.add(up); err != nil {
		return nil, err
	}
	return b.plan()
}

// filling fills containers one after the other.
type filling struct {
	*builder
	// containers is the number of containers that there are, and so the id of
	// the last one as far as the original knows.
	containers int
	cpuFirst   bool
	// failed is what the original says where it gives up.
	failed string
}

// sort puts the components that need most to the front.
func (f *filling) sort(changes []Change) []Change {
	slices.SortStableFunc(changes, func(x, y Change) int {
		a, b := f.instance(y.Component), f.instance(x.Component)
		ram, cpu := cmp.Compare(a.RAM, b.RAM), cmp.Compare(a.CPU, b.CPU)
		if f.cpuFirst {
			return cmp.Or(cpu, ram)
		}
		return cmp.Or(ram, cpu)
	})
	return changes
}

// add adds the instances of up.
func (f *filling) add(up []Change) error {
	for _, c := range f.sort(up) {
		for range c.Delta {
			if err := f.addOne(c.Component); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *filling) addOne(component string) error {
	if err := f.checkMinimum(component); err != nil {
		return f.giveUp(err)
	}
	if len(f.boxes) == 0 {
		f.open()
	}
	if x, err := f.place(component, order{}); x != nil || err != nil {
		return err
	}
	x := f.open()
	ok, err := x.takes(f.limits, f.instance(component))
	if err != nil {
		return err
	}
	if !ok {
		return f.giveUp(x.explain(f.limits, component))
	}
	return f.put(x, component)
}

// open is the container that the original takes as a new one: that whose id is
// the number of containers. Where ids are not dense this may be an old one,
// and one more is made than is used.
func (f *filling) open() *box {
	f.containers++
	f.wanted = f.containers
	f.grow()
	return f.box(int32(f.containers))
}

func (f *filling) giveUp(cause error) error {
	return &Error{Stage: StagePack, Class: kindOf(cause), Statement: f.failed, Err: cause}
}
