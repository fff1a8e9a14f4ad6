package packing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// Resource is an amount of CPU in cores, and of RAM and disk in bytes.
type Resource struct {
	CPU  float64
	RAM  int64
	Disk int64
}

// Instance is one instance of a component with its place in the topology.
type Instance struct {
	Component string
	// TaskID is unique in the plan and starts at 1.
	TaskID int32
	// Index is unique in the component and starts at 0.
	Index    int32
	Resource Resource
}

// Container is what runs together: one stream manager and some instances.
type Container struct {
	// ID starts at 1; container 0 is the TManager's and in no plan.
	ID        int32
	Instances []Instance
	// Required is what instances and Heron's own processes need.
	Required Resource
	// Scheduled is what the scheduler gives, nil until one has decided.
	Scheduled *Resource
	// Listing is how a store lists Instances.
	Listing Listing `json:"-"`
}

// Plan says which instance runs in which container. Containers are sorted by
// ID and the instances of each by task id.
type Plan struct {
	// ID is the topology's id.
	ID         string
	Containers []Container
	// Listing is how a store lists Containers.
	Listing Listing `json:"-"`
}

// sorted puts containers and instances into their order.
func (p *Plan) sorted() *Plan {
	slices.SortFunc(p.Containers, func(a, b Container) int { return int(a.ID - b.ID) })
	for _, c := range p.Containers {
		slices.SortFunc(c.Instances, func(a, b Instance) int { return int(a.TaskID - b.TaskID) })
	}
	return p
}

// Max is the largest amount of each resource that any container has, of what
// is scheduled where that is known.
func (p *Plan) Max() Resource {
	var m Resource
	for _, c := range p.Containers {
		r := c.Required
		if c.Scheduled != nil {
			r = *c.Scheduled
		}
		m = Resource{CPU: max(m.CPU, r.CPU), RAM: max(m.RAM, r.RAM), Disk: max(m.Disk, r.Disk)}
	}
	return m
}

// Homogeneous is the plan with every container given what the largest needs:
// all containers of a Nomad job are alike.
func (p *Plan) Homogeneous() *Plan {
	h, m := p.clone(), p.Max()
	for i := range h.Containers {
		r := m
		h.Containers[i].Scheduled = &r
	}
	return h
}

func (p *Plan) clone() *Plan {
	c := &Plan{ID: p.ID, Containers: slices.Clone(p.Containers), Listing: p.Listing}
	for i := range c.Containers {
		c.Containers[i].Instances = slices.Clone(c.Containers[i].Instances)
		if s := c.Containers[i].Scheduled; s != nil {
			r := *s
			c.Containers[i].Scheduled = &r
		}
	}
	return c
}

// ComponentRAM is the map that executors take as --component-ram-map:
// "component:bytes" joined by commas, each component with the least that any
// of its instances has. Executors take any order; ours is that of the names.
func (p *Plan) ComponentRAM() string {
	least := map[string]int64{}
	for _, c := range p.Containers {
		for _, in := range c.Instances {
			if v, ok := least[in.Component]; !ok || in.Resource.RAM < v {
				least[in.Component] = in.Resource.RAM
			}
		}
	}
	parts := make([]string, 0, len(least))
	for name, ram := range least {
		parts = append(parts, name+":"+strconv.FormatInt(ram, 10))
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// Proto is the plan as the state store keeps it, listed as the original does.
func (p *Plan) Proto() *heronpb.PackingPlan {
	pb := &heronpb.PackingPlan{Id: proto.String(p.ID)}
	for _, c := range p.listed() {
		cp := &heronpb.ContainerPlan{Id: proto.Int32(c.ID), RequiredResource: c.Required.proto()}
		if c.Scheduled != nil {
			cp.ScheduledResource = c.Scheduled.proto()
		}
		for _, in := range c.Instances {
			cp.InstancePlans = append(cp.InstancePlans, &heronpb.InstancePlan{
				ComponentName:  proto.String(in.Component),
				TaskId:         proto.Int32(in.TaskID),
				ComponentIndex: proto.Int32(in.Index),
				Resource:       in.Resource.proto(),
			})
		}
		pb.ContainerPlans = append(pb.ContainerPlans, cp)
	}
	return pb
}

// FromProto reads a stored plan. A scheduled resource that is absent or
// lacks a part reads as none.
func FromProto(pb *heronpb.PackingPlan) *Plan {
	p := &Plan{ID: pb.GetId()}
	for _, cp := range pb.GetContainerPlans() {
		c := Container{ID: cp.GetId(), Required: resourceOf(cp.GetRequiredResource())}
		if s := cp.GetScheduledResource(); s != nil && s.Cpu != nil && s.Ram != nil && s.Disk != nil {
			r := resourceOf(s)
			c.Scheduled = &r
		}
		for _, ip := range cp.GetInstancePlans() {
			c.Instances = append(c.Instances, Instance{
				Component: ip.GetComponentName(),
				TaskID:    ip.GetTaskId(),
				Index:     ip.GetComponentIndex(),
				Resource:  resourceOf(ip.GetResource()),
			})
		}
		p.Containers = append(p.Containers, c)
	}
	return p.keepListing().sorted()
}

// Decode reads a serialized heron.proto.system.PackingPlan.
func Decode(data []byte) (*Plan, error) {
	var pb heronpb.PackingPlan
	opts := proto.UnmarshalOptions{AllowPartial: true}
	if err := opts.Unmarshal(data, &pb); err != nil {
		return nil, fmt.Errorf("not a packing plan: %w", err)
	}
	return FromProto(&pb), nil
}

func (r Resource) proto() *heronpb.Resource {
	return &heronpb.Resource{Cpu: proto.Float64(r.CPU), Ram: proto.Int64(r.RAM), Disk: proto.Int64(r.Disk)}
}

func resourceOf(pb *heronpb.Resource) Resource {
	return Resource{CPU: pb.GetCpu(), RAM: pb.GetRam(), Disk: pb.GetDisk()}
}
