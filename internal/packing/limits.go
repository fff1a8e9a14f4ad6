package packing

import (
	"fmt"
	"math"
	"strconv"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// Keys of a definition that only these algorithms read.
const (
	keyPerContainer   = "topology.container.max.instances"
	keyPaddingPercent = "topology.container.padding.percentage"
	keyPaddingCPU     = "topology.container.cpu.padding"
)

// What a definition may leave out, and the least that an instance must have.
const (
	defaultPerContainer         = 10
	defaultPaddingPercent       = 10
	defaultPaddingCPU           = 1.0
	defaultPaddingRAM     bytes = 1 << 30
	limitPaddingDisk      bytes = 1 << 30
	limitMinimumRAM       bytes = 192 << 20
	limitMinimumCPU             = 0.1
)

// limits are what the algorithms that fill containers keep to. A container
// may hold what capacity is, padding for Heron's own processes included.
type limits struct {
	capacity, padding Resource
	// perContainer is how many instances a container may have.
	perContainer int
	// components are what an instance of each gets, others what one of a
	// component gets that the definition does not have.
	components map[string]Resource
	others     Resource
	// minimumCPU is the least an instance must have, 0 for none.
	minimumCPU float64
}

// limitsOf reads a definition's limits. Its errors come in the original's
// order.
func limitsOf(def *topology.Definition, s Settings) (*limits, error) {
	l := &limits{others: Resource{CPU: s.InstanceCPU, RAM: s.InstanceRAM, Disk: s.InstanceDisk}}
	percent, err := wholeOf(def, keyPaddingPercent, defaultPaddingPercent)
	if err != nil {
		return nil, err
	}
	padRAM, err := bytesOf(def, topology.KeyContainerRAMPad, defaultPaddingRAM)
	if err != nil {
		return nil, err
	}
	padCPU, err := coresOf(def, keyPaddingCPU, defaultPaddingCPU)
	if err != nil {
		return nil, err
	}
	if l.perContainer, err = wholeOf(def, keyPerContainer, defaultPerContainer); err != nil {
		return nil, err
	}
	if err := l.setCapacity(def); err != nil {
		return nil, err
	}
	l.padding = Resource{
		CPU:  max(padCPU, l.capacity.CPU*float64(percent)/100),
		RAM:  max(int64(padRAM), percentOf(l.capacity.RAM, percent)),
		Disk: max(int64(limitPaddingDisk), percentOf(l.capacity.Disk, percent)),
	}
	return l, l.setComponents(def)
}

// percentOf wraps around where the product does not fit, as the original's
// does; the padding then is the fixed one.
func percentOf(n int64, percent int) int64 { return n * int64(percent) / 100 }

// setCapacity sets what a container may hold: what the definition says, or
// enough for the most instances that the settings make.
func (l *limits) setCapacity(def *topology.Definition) error {
	if l.perContainer == 0 {
		return fmt.Errorf("%s is 0: a container needs an instance", keyPerContainer)
	}
	ram, err := bytes(l.others.RAM).times(l.perContainer)
	if err != nil {
		return err
	}
	disk, err := bytes(l.others.Disk).times(l.perContainer)
	if err != nil {
		return err
	}
	cpu, err := coresOf(def, topology.KeyContainerCPU, l.others.CPU*float64(l.perContainer))
	if err != nil {
		return err
	}
	if ram, err = bytesOf(def, topology.KeyContainerRAM, ram); err != nil {
		return err
	}
	if disk, err = bytesOf(def, topology.KeyContainerDisk, disk); err != nil {
		return err
	}
	l.capacity = Resource{CPU: cpu, RAM: int64(ram), Disk: int64(disk)}
	return nil
}

// setComponents sets what the instances of each component get.
func (l *limits) setComponents(def *topology.Definition) error {
	components, err := def.Components()
	if err != nil {
		return err
	}
	ram, err := explicitRAM(def)
	if err != nil {
		return err
	}
	cpu, err := explicitCPU(def)
	if err != nil {
		return err
	}
	disk, err := explicitDisk(def)
	if err != nil {
		return err
	}
	l.components = make(map[string]Resource, len(components))
	for _, c := range components {
		r := l.others
		if n, ok := ram[c.Name]; ok {
			r.RAM = int64(n)
		}
		if n, ok := cpu[c.Name]; ok {
			r.CPU = float64(n)
		}
		if n, ok := disk[c.Name]; ok {
			r.Disk = int64(n)
		}
		l.components[c.Name] = r
	}
	return nil
}

// instance is what an instance of a component gets.
func (l *limits) instance(component string) Resource {
	if r, ok := l.components[component]; ok {
		return r
	}
	return l.others
}

// checkMinimum refuses an instance that would have too little.
func (l *limits) checkMinimum(component string) error {
	r := l.instance(component)
	if ram := bytes(r.RAM); ram < limitMinimumRAM {
		return refuse(ErrMinimum, "raise its share in "+topology.KeyComponentRAMMap,
			"Instance %s is configured %s RAM that is less than the minimum RAM per instance %s",
			component, ram, limitMinimumRAM)
	}
	if r.CPU < l.minimumCPU {
		return refuse(ErrMinimum, "raise its share in "+topology.KeyComponentCPUMap,
			"Instance %s is configured %s CPU that is less than the minimum CPU per instance %s",
			component, java.Fixed(r.CPU, 3), java.Fixed(l.minimumCPU, 3))
	}
	return nil
}

// explicitDisk is what the definition gives instances of single components.
func explicitDisk(def *topology.Definition) (map[string]int64, error) {
	given, err := def.ResourceMap(topology.KeyComponentDiskMap)
	if err != nil {
		return nil, err
	}
	for name, n := range given {
		if n < 0 {
			return nil, fmt.Errorf("%s: component %q has %d: it must not be below 0", topology.KeyComponentDiskMap, name, n)
		}
	}
	return given, nil
}

// wholeOf reads a whole number of 32 bits of the definition.
func wholeOf(def *topology.Definition, key string, missing int) (int, error) {
	text, ok := def.Config(key)
	if !ok {
		return missing, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not a whole number", key, text)
	}
	return int(n), nil
}

// coresOf reads a number of cores of the definition.
func coresOf(def *topology.Definition, key string, missing float64) (float64, error) {
	text, ok := def.Config(key)
	if !ok {
		return missing, nil
	}
	v, err := java.ParseDouble(text)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s is %q, not a number of cores", key, text)
	}
	return v, nil
}
