package packing

import (
	"container/heap"
	"fmt"

	"github.com/heron-nomad/heron/internal/packing/java"
)

// remover takes instances out of containers. For each it prefers a container
// that holds nothing but the component, then the one with the fewest
// instances, then the one of which the component is the biggest part, then the
// highest id.
type remover struct {
	b *builder
	// holders are the boxes of each component.
	holders map[string][]*holder
	// looks says of the first removals how many containers the original looked
	// at, for it grows its list of containers at each look.
	looks []look
}

// look is what the original looks at to remove an instance.
type look struct {
	// ahead are containers before the right one that lack the component.
	ahead int
	// empty says that containers without instances are ahead too.
	empty bool
}

// countedLooks is how many removals have to be known: each is two looks at
// least, and each look halves the number of containers that are missing.
const countedLooks = 16

// holder is a box with some instances of a component.
type holder struct {
	*box
	has int
	// bin is where in the box's hash set to look for the next one.
	bin int
}

func newRemover(b *builder) *remover {
	r := &remover{b: b, holders: map[string][]*holder{}}
	for _, x := range b.boxes {
		for _, in := range x.stored {
			list := r.holders[in.Component]
			if len(list) == 0 || list[len(list)-1].box != x {
				list = append(list, &holder{box: x})
				r.holders[in.Component] = list
			}
			list[len(list)-1].has++
		}
	}
	return r
}

// removeAll takes out what the changes, all below 0, say.
func (r *remover) removeAll(down []Change) error {
	for _, c := range down {
		if err := r.remove(c.Component, -c.Delta); err != nil {
			return err
		}
	}
	return r.done()
}

// remove takes n instances of a component out.
func (r *remover) remove(component string, n int) error {
	queue := holders(r.holders[component])
	heap.Init(&queue)
	for i := range n {
		if len(queue) == 0 {
			return refuse(ErrParallelism, fmt.Sprintf("it has %d less than the %d to remove", n-i, n),
				"Cannot remove instance. No more instances of component %s exist in the containers.", component)
		}
		h := queue[0]
		if len(r.looks) < countedLooks {
			r.looks = append(r.looks, r.lookFor(h, component))
		}
		h.bin, _ = h.cut(component, h.bin)
		h.has--
		if h.has == 0 {
			heap.Pop(&queue)
		} else {
			heap.Fix(&queue, 0)
		}
	}
	r.holders[component] = queue
	return nil
}

// lookFor is what the original looks at before it comes to h.
func (r *remover) lookFor(h *holder, component string) look {
	if h.only() {
		return look{}
	}
	has := map[*box]bool{}
	for _, other := range r.holders[component] {
		has[other.box] = other.has > 0
	}
	l := look{empty: true}
	for _, x := range r.b.boxes {
		same := x.sum.count == h.sum.count && h.part() == 0 && x.id > h.id
		if !has[x] && (x.sum.count < h.sum.count || same) {
			l.ahead++
		}
	}
	return l
}

// done ends the removing and settles what the boxes hold.
func (r *remover) done() error {
	for _, x := range r.b.boxes {
		if len(x.cuts) > 0 {
			if err := x.settle(); err != nil {
				return err
			}
		}
	}
	return nil
}

// grown is how many of the missing boxes the original would have made while
// it removed.
func (r *remover) grown(missing int) int {
	left := missing
	for _, l := range r.looks {
		left /= 2
		looks := 1
		if l.empty {
			looks += l.ahead + missing - left
		}
		for ; looks > 0 && left > 0; looks-- {
			left /= 2
		}
	}
	return missing - left
}

// only says that the box holds nothing but the component.
func (h *holder) only() bool { return h.has == h.sum.count }

// part is how many thousandths of the box's instances are the component's.
func (h *holder) part() int { return java.Int(1000 * (float64(h.has) / float64(h.sum.count))) }

// holders is a heap, the next to lose an instance at its top.
type holders []*holder

func (q holders) Len() int { return len(q) }

func (q holders) Less(i, j int) bool {
	a, b := q[i], q[j]
	if a.only() != b.only() {
		return a.only()
	}
	if a.sum.count != b.sum.count {
		return a.sum.count < b.sum.count
	}
	if a.part() != b.part() {
		return a.part() > b.part()
	}
	return a.id > b.id
}

func (q holders) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is part of heap.Interface; nothing is ever pushed.
func (q *holders) Push(x any) { *q = append(*q, x.(*holder)) }

// Pop takes the last one off.
func (q *holders) Pop() any {
	last := len(*q) - 1
	h := (*q)[last]
	*q = (*q)[:last]
	return h
}
