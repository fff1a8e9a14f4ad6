package packing

import (
	"fmt"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// allot gives every instance and container of a dealt plan its resources.
func (r *roundRobin) allot(def *topology.Definition, p *Plan, padding bytes, asked request, ram map[string]bytes) error {
	// Containers differ by one instance at most and the first is a fullest.
	largest := len(p.Containers[0].Instances)
	rule := division[bytes]{
		resource: "RAM", key: topology.KeyContainerRAM,
		explicit: ram, limit: asked.ram, padding: padding,
	}
	if !r.divide {
		rule.each = (*bytes)(&r.InstanceRAM)
	} else {
		full, err := bytes(r.InstanceRAM).times(largest)
		if err != nil {
			return err
		}
		if rule.full, err = full.plus(padding); err != nil {
			return err
		}
	}
	err := rule.apply(p, func(in *Instance, b bytes) { in.Resource.RAM = int64(b) })
	if err != nil {
		return err
	}

	cpu, err := explicitCPU(def)
	if err != nil {
		return unreadable(StagePack, err)
	}
	// The original rounds to a whole number and keeps it as a float.
	whole := float32(java.Round(r.InstanceCPU*float64(largest) + float64(paddingCPU)))
	cpuRule := division[cores]{
		resource: "CPU", key: topology.KeyContainerCPU,
		explicit: cpu, limit: asked.cpu, full: cores(whole), padding: paddingCPU,
	}
	if !r.divide {
		cpuRule.each = (*cores)(&r.InstanceCPU)
	}
	err = cpuRule.apply(p, func(in *Instance, c cores) { in.Resource.CPU = float64(c) })
	if err != nil {
		return err
	}

	disk, err := r.containerDisk(largest, asked.disk)
	if err != nil {
		return err
	}
	for i := range p.Containers {
		if err := r.total(&p.Containers[i], padding, asked, disk); err != nil {
			return err
		}
	}
	return checkMinimum(p, r.minimum)
}

func (r *roundRobin) containerDisk(largest int, asked *bytes) (bytes, error) {
	if asked != nil {
		return *asked, nil
	}
	disk, err := bytes(r.InstanceDisk).times(largest)
	if err != nil {
		return 0, err
	}
	return disk.plus(paddingDisk)
}

// total adds a container up. Instances always get the default disk, whatever
// the definition says.
func (r *roundRobin) total(c *Container, padding bytes, asked request, disk bytes) error {
	var (
		ram bytes
		cpu cores
		err error
	)
	for i := range c.Instances {
		res := &c.Instances[i].Resource
		res.Disk = r.InstanceDisk
		cpu += cores(res.CPU)
		if ram, err = ram.plus(bytes(res.RAM)); err != nil {
			return err
		}
	}
	cpu += paddingCPU
	if asked.cpu != nil {
		cpu = *asked.cpu
	}
	if ram, err = ram.plus(padding); err != nil {
		return err
	}
	if asked.ram != nil {
		ram = min(ram, *asked.ram)
	}
	c.Required = Resource{CPU: float64(cpu), RAM: int64(ram), Disk: int64(disk)}
	return nil
}

// division says how one resource of a container is divided.
type division[T amount[T]] struct {
	resource string
	// key is where the definition sets limit.
	key string
	// explicit is what instances of single components get; each is what the
	// others get, nil if they divide what is left.
	explicit map[string]T
	each     *T
	// limit is what the definition asks for each container, nil if nothing;
	// full is what a full container gets then.
	limit *T
	full  T
	// padding is for Heron's own processes. With a limit it gives way where
	// explicit amounts leave too little.
	padding T
}

// apply calls give with the share of every instance.
func (d division[T]) apply(p *Plan, give func(*Instance, T)) error {
	for i := range p.Containers {
		if err := d.applyTo(&p.Containers[i], give); err != nil {
			return err
		}
	}
	return nil
}

func (d division[T]) applyTo(c *Container, give func(*Instance, T)) error {
	var (
		used   T
		others int
		err    error
	)
	for i := range c.Instances {
		share, ok := d.explicit[c.Instances[i].Component]
		if !ok && d.each != nil {
			share, ok = *d.each, true
		}
		if !ok {
			others++
			continue
		}
		give(&c.Instances[i], share)
		if used, err = used.plus(share); err != nil {
			return err
		}
	}
	share, err := d.share(c.ID, used, others)
	if err != nil || others == 0 {
		return err
	}
	for i := range c.Instances {
		if _, ok := d.explicit[c.Instances[i].Component]; !ok {
			give(&c.Instances[i], share)
		}
	}
	return nil
}

// share is what each of the other instances of a container gets where used is
// taken already. It checks the container also when there are no others.
func (d division[T]) share(container int32, used T, others int) (T, error) {
	var (
		none T
		err  error
	)
	rest, padded := d.full, true
	if d.limit != nil {
		rest = *d.limit
		unpadded, err := rest.minus(d.padding)
		if err != nil {
			return none, err
		}
		if used.compare(unpadded) > 0 {
			if used.compare(rest) > 0 {
				return none, refuse(ErrExceeded, "raise "+d.key+" or use more containers",
					"Invalid packing plan generated. Total instance %s (%s) in container#%d have exceeded "+
						"the container-level constraint of %s.", d.resource, used, container, rest)
			}
			padded = false
		}
	}
	if others == 0 {
		return none, nil
	}
	if padded {
		if rest, err = rest.minus(d.padding); err != nil {
			return none, err
		}
	}
	if rest, err = rest.minus(used); err != nil {
		return none, err
	}
	if rest.compare(none) <= 0 {
		return none, refuse(ErrExceeded, fmt.Sprintf("container %d has none left for %d instances; raise %s or use more containers",
			container, others, d.key),
			"Invalid packing plan generated. No enough %s to allocate for unspecified instances", d.resource)
	}
	return rest.divide(others), nil
}
