package packing

import (
	"fmt"
	"math"
	"slices"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// box is a container that is being filled or emptied.
//
// The original keeps the instances of each in a hash set and adds up their
// CPU in its order, which decides the last digit of the sum and which instance
// goes first when one is to go. That order is only worked out where it can
// matter.
type box struct {
	id int32
	// stored are the instances that it had at first, in the order in which they
	// went into the hash set; cuts name the components that lost one since,
	// fresh are those added after that.
	stored []Instance
	cuts   []string
	fresh  []Instance
	// set is the hash set without the last of fresh, or nil.
	set   *java.Set[Instance]
	inSet int

	sum load
	// before is the sum without fresh.
	before load
	// edge says that the box has no room for some instance, but would have if
	// a sum of CPU came out by a last digit less.
	edge bool
}

// load is what the instances of a box use.
type load struct {
	count int
	// cpu is added up in the order in which instances came. Where mixed is set
	// they differ, and the original's sum may be another in the last digits.
	cpu       float64
	mixed     bool
	last      float64
	ram, disk bytes
}

func (l *load) add(r Resource) error {
	var err error
	if l.ram, err = l.ram.plus(bytes(r.RAM)); err != nil {
		return err
	}
	if l.disk, err = l.disk.plus(bytes(r.Disk)); err != nil {
		return err
	}
	l.mixed = l.mixed || l.count > 0 && l.last != r.CPU
	l.last = r.CPU
	l.cpu += r.CPU
	l.count++
	return nil
}

func newSet() *java.Set[Instance] { return java.NewSet(hashInstance, byTask) }

// add puts an instance into the box, whether there is room or not.
func (b *box) add(in Instance) error {
	b.fresh = append(b.fresh, in)
	return b.sum.add(in.Resource)
}

// clear takes everything out again that was added.
func (b *box) clear() {
	b.fresh, b.sum, b.edge = b.fresh[:0], b.before, false
	if b.inSet > 0 {
		b.set, b.inSet = nil, 0
	}
}

// cut takes the first instance of a component out, looking from a bin of the
// hash set on, and returns that bin. None may have been added yet.
func (b *box) cut(component string, from int) (int, bool) {
	_, at, ok := b.all().Cut(from, isOf(component))
	if ok {
		b.cuts = append(b.cuts, component)
		b.sum.count--
	}
	return at, ok
}

func isOf(component string) func(Instance) bool {
	return func(in Instance) bool { return in.Component == component }
}

// settle works out the sum again after cuts.
func (b *box) settle() error {
	var sum load
	for in := range b.all().All() {
		if err := sum.add(in.Resource); err != nil {
			return err
		}
	}
	b.sum, b.before = sum, sum
	return nil
}

// all is the hash set of all instances.
func (b *box) all() *java.Set[Instance] {
	if b.set == nil {
		b.set = newSet()
		b.set.Add(b.stored...)
		for _, component := range b.cuts {
			b.set.Cut(0, isOf(component))
		}
	}
	b.set.Add(b.fresh[b.inSet:]...)
	b.inSet = len(b.fresh)
	return b.set
}

// cpu is the original's sum of CPU.
func (b *box) cpu() float64 {
	if !b.sum.mixed {
		return b.sum.cpu
	}
	sum := 0.0
	for in := range b.all().All() {
		sum += in.Resource.CPU
	}
	return sum
}

// used is what instances and padding need together, but for the CPU.
func (b *box) used(padding Resource) (ram, disk bytes, err error) {
	if ram, err = b.sum.ram.plus(bytes(padding.RAM)); err != nil {
		return 0, 0, err
	}
	disk, err = b.sum.disk.plus(bytes(padding.Disk))
	return ram, disk, err
}

// takes says whether there is room for an instance with r. Its error is a sum
// that cannot be.
func (b *box) takes(l *limits, r Resource) (bool, error) {
	ram, disk, err := b.used(l.padding)
	if err != nil {
		return false, err
	}
	if ram, err = ram.plus(bytes(r.RAM)); err != nil {
		return false, err
	}
	if disk, err = disk.plus(bytes(r.Disk)); err != nil {
		return false, err
	}
	if ram > bytes(l.capacity.RAM) || disk > bytes(l.capacity.Disk) || b.sum.count >= l.perContainer {
		return false, nil
	}
	cpu := b.sum.cpu + l.padding.CPU + r.CPU
	if !near(cpu, l.capacity.CPU, b.sum.count) {
		return !(l.capacity.CPU < cpu), nil
	}
	if l.capacity.CPU < b.cpu()+l.padding.CPU+r.CPU {
		b.edge = true
		return false, nil
	}
	return true, nil
}

// near says whether two sums of about n numbers may be on either side of
// each other, depending on the order in which they were added up.
func near(a, b float64, n int) bool {
	return math.Abs(a-b) <= float64(n+4)*0x1p-52*max(math.Abs(a), math.Abs(b))
}

// explain says why there is no room for an instance of a component.
func (b *box) explain(l *limits, component string) error {
	r := l.instance(component)
	ram, disk, err := b.used(l.padding)
	if err != nil {
		return err
	}
	cpu := b.cpu() + l.padding.CPU
	const statement = "Adding instance %s with %s %s to container %d with existing %s %s would exceed its capacity of %s %s"
	say := func(key, unit string, add, existing, capacity fmt.Stringer) error {
		return refuse(ErrExceeded, "raise "+key, statement, component, add, unit, b.id, existing, unit, capacity, unit)
	}
	switch {
	case l.capacity.CPU < cpu+r.CPU:
		return say(topology.KeyContainerCPU, "cores", threeDigits(r.CPU), threeDigits(cpu), threeDigits(l.capacity.CPU))
	case bytes(l.capacity.RAM) < ram+bytes(r.RAM):
		return say(topology.KeyContainerRAM, "RAM", bytes(r.RAM), ram, bytes(l.capacity.RAM))
	case bytes(l.capacity.Disk) < disk+bytes(r.Disk):
		return say(topology.KeyContainerDisk, "disk", bytes(r.Disk), disk, bytes(l.capacity.Disk))
	}
	return refuse(ErrExceeded, "raise "+keyPerContainer,
		"Adding instance %s to container %d will cause the container to have more instances "+
			"than the configured maxNumInstancesPerContainer %d", component, b.id, l.perContainer)
}

// threeDigits prints a number of cores.
type threeDigits float64

func (d threeDigits) String() string { return java.Fixed(float64(d), 3) }

// container is the finished box.
func (b *box) container(padding Resource) (Container, error) {
	ram, disk, err := b.used(padding)
	if err != nil {
		return Container{}, err
	}
	c := Container{ID: b.id, Instances: slices.AppendSeq(make([]Instance, 0, b.sum.count), b.all().All())}
	c.Required = Resource{
		CPU: float64(java.Round(b.cpu() + padding.CPU)), RAM: int64(ram), Disk: int64(disk),
	}
	return c, nil
}
