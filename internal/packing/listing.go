package packing

import "slices"

// Listing is the order in which a stored plan lists its containers, by id, or
// a container its instances, by task id. It is no part of what a plan says, so
// that any two are equal; but the original decides ties by it when it changes
// the plan, and a plan is stored in it.
type Listing struct{ ids []int32 }

// Equal is true.
func (Listing) Equal(Listing) bool { return true }

// keepListing notes the order that the plan's lists have now.
func (p *Plan) keepListing() *Plan {
	p.Listing = listingOf(p.Containers, containerID)
	for i := range p.Containers {
		c := &p.Containers[i]
		c.Listing = listingOf(c.Instances, taskID)
	}
	return p
}

// listed is the plan's containers and their instances in the order that was
// noted, or in the one that they have where that is another plan's.
func (p *Plan) listed() []Container {
	list := restore(p.Listing, p.Containers, containerID)
	for i, c := range list {
		list[i].Instances = restore(c.Listing, c.Instances, taskID)
	}
	return list
}

func containerID(c Container) int32 { return c.ID }

func taskID(in Instance) int32 { return in.TaskID }

func listingOf[T any](items []T, id func(T) int32) Listing {
	l := Listing{ids: make([]int32, len(items))}
	for i, item := range items {
		l.ids[i] = id(item)
	}
	return l
}

func restore[T any](l Listing, items []T, id func(T) int32) []T {
	if len(l.ids) != len(items) {
		return slices.Clone(items)
	}
	at := make(map[int32]int, len(items))
	for i, item := range items {
		at[id(item)] = i
	}
	out := make([]T, len(items))
	for i, want := range l.ids {
		from, ok := at[want]
		if !ok {
			return slices.Clone(items)
		}
		delete(at, want)
		out[i] = items[from]
	}
	return out
}
