package packing

import (
	"cmp"

	"github.com/heron-nomad/heron/internal/packing/java"
)

// hashOrder lists the plan's containers, and the instances of each, in the
// order in which the original goes through a plan it has just packed: it
// keeps both in hash sets, instances in two one after the other.
func (p *Plan) hashOrder() []Container {
	list := make([]Container, len(p.Containers))
	for i, c := range p.Containers {
		ids := java.Order(c.Instances, java.DefaultCapacity, hashID, byTask)
		c.Instances = java.Order(ids, java.CopyCapacity(len(ids)), hashInstance, byTask)
		list[i] = c
	}
	list = java.Order(list, java.DefaultCapacity, func(c Container) int32 { return c.ID }, byID)
	return java.Order(list, java.DefaultCapacity, hashContainer, byID)
}

// readOrder lists the plan's containers, and the instances of each, in the
// order in which the original goes through them when it has read the plan as
// it is listed: it puts them into hash sets again.
func (p *Plan) readOrder() []Container {
	list := p.listed()
	for i, c := range list {
		list[i].Instances = java.Order(c.Instances, java.DefaultCapacity, hashInstance, byTask)
	}
	return java.Order(list, java.DefaultCapacity, hashContainer, byID)
}

// reread is the plan listed as the original lists it when it stores what it
// has read.
func (p *Plan) reread() *Plan {
	r := p.clone()
	r.Containers = p.readOrder()
	return r.keepListing().sorted()
}

func byID(a, b Container) int { return cmp.Compare(a.ID, b.ID) }

func byTask(a, b Instance) int { return cmp.Compare(a.TaskID, b.TaskID) }

func hashID(in Instance) int32 {
	return 31*(31*java.StringHash(in.Component)+in.TaskID) + in.Index
}

func hashInstance(in Instance) int32 { return 31*hashID(in) + hashResource(in.Resource) }

func hashContainer(c Container) int32 {
	var instances int32
	for _, in := range c.Instances {
		instances += hashInstance(in)
	}
	h := 31*(31*c.ID+instances) + hashResource(c.Required)
	if c.Scheduled != nil {
		h = 31*h + hashResource(*c.Scheduled)
	}
	return h
}

func hashResource(r Resource) int32 {
	return 31*(31*java.DoubleHash(r.CPU)+java.LongHash(r.RAM)) + java.LongHash(r.Disk)
}
