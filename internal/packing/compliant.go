package packing

import (
	"errors"
	"fmt"
	"math"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// compliant is org.apache.heron.packing.roundrobin.ResourceCompliantRRPacking:
// it deals instances to containers in turn and takes a container more and
// begins again when one overflows.
type compliant struct{ Settings }

// Pack deals the definition's instances to the fewest containers that hold
// them in turn, from the number on that the definition asks for.
func (c *compliant) Pack(def *topology.Definition) (*Plan, error) {
	l, n, err := c.limits(def)
	if err != nil {
		return nil, unreadable(StageInitialize, err)
	}
	counts, err := componentCounts(def)
	if err != nil {
		return nil, unreadable(StagePack, err)
	}
	return newDeal(def, l, counts).pack(n)
}

// limits reads what containers may hold and how many are asked for.
func (c *compliant) limits(def *topology.Definition) (*limits, int, error) {
	l, err := limitsOf(def, c.Settings)
	if err != nil {
		return nil, 0, err
	}
	l.perContainer = unlimited
	n, err := def.Stmgrs()
	return l, n, err
}

// cannotAdd says that more containers would not help.
func cannotAdd(cause error, instances int) error {
	return &Error{
		Stage: StagePack, Class: kindOf(cause), Statement: "Cannot add to that container",
		Hint: fmt.Sprintf("there are no more containers than the definition's %d instances", instances),
		Err:  cause,
	}
}

// Repack adds instances where there is room, in turn, and takes containers
// more where there is none.
func (c *compliant) Repack(def *topology.Definition, current *Plan, changes []Change) (*Plan, error) {
	p, err := c.repack(def, current, changes)
	return p, whileRepacking(err)
}

// RepackContainers is not supported by the original.
func (c *compliant) RepackContainers(*topology.Definition, *Plan, int, []Change) (*Plan, error) {
	return nil, unsupported("ResourceCompliantRRPacking does not currently support " +
		"creating a new packing plan with a new number of containers.")
}

// kindOf is the kind of an error of this package.
func kindOf(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return nil
}

func unsupported(statement string) error {
	return &Error{
		Stage: StageRepack, Class: ErrUnsupported, Statement: statement,
		Hint: "change the parallelism alone, or set heron.class.repacking.algorithm to roundrobin or roundrobinv2",
	}
}

func (c *compliant) repack(def *topology.Definition, current *Plan, changes []Change) (*Plan, error) {
	l, _, err := c.limits(def)
	if err != nil {
		return nil, unreadable(StageInitialize, err)
	}
	counts, err := componentCounts(def)
	if err != nil {
		return nil, unreadable(StageRepack, err)
	}
	total := 0
	for _, count := range counts {
		total += count.instances
	}
	down, up := split(changes)
	more, err := c.additional(def, current, down, up)
	if err != nil {
		return nil, err
	}
	if len(down)+len(up) == 0 {
		return nil, unchanged()
	}
	b, err := reopen(def, l, current)
	if err != nil {
		return nil, err
	}
	r := newRemover(b)
	if err := r.removeAll(down); err != nil {
		return nil, err
	}
	return (&growth{builder: b, remover: r, up: up}).pack(len(b.boxes)+more, total)
}

// additional is how many containers of the size of the largest the change
// needs, as far as components differ in RAM.
func (c *compliant) additional(def *topology.Definition, current *Plan, down, up []Change) (int, error) {
	ram, err := explicitRAM(def)
	if err != nil {
		return 0, unreadable(StageRepack, err)
	}
	removed, err := c.resources(down, ram)
	if err != nil {
		return 0, err
	}
	added, err := c.resources(up, ram)
	if err != nil {
		return 0, err
	}
	size := current.Max()
	if size.CPU == 0 || size.RAM == 0 || size.Disk == 0 {
		return 0, refuse(nil, fmt.Sprintf("the largest container of the current plan has %s", size), "Division by 0.")
	}
	need := max(
		math.Ceil(max(0, added.CPU-removed.CPU)/size.CPU),
		math.Ceil(float64(max(0, added.RAM-removed.RAM))/float64(size.RAM)),
		math.Ceil(float64(max(0, added.Disk-removed.Disk))/float64(size.Disk)),
	)
	return max(0, java.Int(need)), nil
}

// resources are what the instances of changes need in all. The original asks
// for the RAM of single components only.
func (c *compliant) resources(changes []Change, ram map[string]bytes) (Resource, error) {
	var sum struct {
		cpu       float64
		ram, disk bytes
	}
	for _, change := range changes {
		n := max(change.Delta, -change.Delta)
		sum.cpu += float64(n) * c.InstanceCPU
		disk, err := bytes(c.InstanceDisk).times(n)
		if err == nil {
			sum.disk, err = sum.disk.plus(disk)
		}
		if err != nil {
			return Resource{}, err
		}
		each, ok := ram[change.Component]
		if !ok {
			each = bytes(c.InstanceRAM)
		}
		all, err := each.times(n)
		if err == nil {
			sum.ram, err = sum.ram.plus(all)
		}
		if err != nil {
			return Resource{}, err
		}
	}
	return Resource{CPU: sum.cpu, RAM: int64(sum.ram), Disk: int64(sum.disk)}, nil
}
