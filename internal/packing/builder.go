package packing

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// mostContainers is the number of containers beyond which a change of a plan
// is refused: it is a slip, and the memory would not hold them.
const mostContainers = 1 << 20

// mostFinders bounds the memory that finders take. They can be made again.
const mostFinders = 32

// builder fills and empties containers. It knows what the original's builder
// does and when, but not which container is next: that is the algorithm's.
type builder struct {
	*limits
	planID string
	// boxes are sorted by id. Made are their ids in the order in which they
	// came about, on which ties may depend.
	boxes []*box
	made  []int32
	// wanted is how many boxes there are to be, see grow.
	wanted int

	// task is the last task id, next the next index of each component.
	task int32
	next map[string]int32
	// lastTask and firstNext are those before anything was added.
	lastTask  int32
	firstNext map[string]int32

	// room finds boxes with room for an instance of some resources.
	room map[Resource]*finder
	// places are where hashOrder has each id, nil if not worked out.
	places map[int32]int
}

// newBuilder begins a plan with containers 1 to n.
func newBuilder(def *topology.Definition, l *limits, n int) *builder {
	b := &builder{limits: l, planID: def.ID(), firstNext: map[string]int32{}}
	b.restart(0)
	b.extend(n)
	return b
}

// extend makes n more boxes.
func (b *builder) extend(n int) {
	id := int32(0)
	if len(b.boxes) > 0 {
		id = b.boxes[len(b.boxes)-1].id
	}
	boxes := make([]box, n)
	for i := range boxes {
		boxes[i].id = id + 1 + int32(i)
		b.boxes = append(b.boxes, &boxes[i])
		b.made = append(b.made, boxes[i].id)
	}
}

// reopen makes a builder that continues from a plan.
func reopen(def *topology.Definition, l *limits, current *Plan) (*builder, error) {
	b := newBuilder(def, l, 0)
	for _, c := range java.Order(current.listed(), java.DefaultCapacity, hashContainer, byID) {
		x := &box{id: c.ID, stored: java.Order(c.Instances, java.DefaultCapacity, hashInstance, byTask)}
		for _, in := range x.stored {
			if err := x.sum.add(in.Resource); err != nil {
				return nil, err
			}
		}
		x.before = x.sum
		b.boxes = append(b.boxes, x)
		b.made = append(b.made, x.id)
	}
	slices.SortFunc(b.boxes, func(x, y *box) int { return int(x.id) - int(y.id) })
	for i := 1; i < len(b.boxes); i++ {
		if id := b.boxes[i].id; id == b.boxes[i-1].id {
			return nil, refuse(nil, "", "the current plan has two containers of id %d", id)
		}
	}
	return b, nil
}

// number works out which task ids and indexes come next. It refuses to go on
// when those of the instances that up adds would not fit.
func (b *builder) number(up []Change) error {
	b.lastTask, b.firstNext = 0, map[string]int32{}
	note := func(in Instance) {
		b.lastTask = max(b.lastTask, in.TaskID)
		b.firstNext[in.Component] = max(b.firstNext[in.Component], in.Index+1)
	}
	for _, x := range b.boxes {
		if len(x.cuts) == 0 {
			for _, in := range x.stored {
				note(in)
			}
			continue
		}
		for in := range x.all().All() {
			note(in)
		}
	}
	b.restart(len(b.boxes))
	last := int(b.lastTask)
	for _, c := range up {
		last += c.Delta
	}
	if last > math.MaxInt32 {
		return refuse(ErrParallelism, "", "%d instances are more than task ids can number", last)
	}
	return nil
}

// restart takes everything out that was put in, and all boxes but the first n.
func (b *builder) restart(n int) {
	b.boxes, b.made, b.places, b.room = b.boxes[:n], b.made[:n], nil, nil
	for _, x := range b.boxes {
		x.clear()
	}
	b.task, b.next = b.lastTask, maps.Clone(b.firstNext)
}

// grow makes some of the boxes that are missing to those wanted. The original
// counts up to a number that falls as it goes, and so makes half of them each
// time it looks; a box can only be used if it was there before the look.
func (b *builder) grow() {
	if missing := b.wanted - len(b.boxes); missing > 0 {
		b.extend((missing + 1) / 2)
	}
}

// place puts an instance of a component into the first box with room in the
// order of o, and returns it, or nil if none has room.
func (b *builder) place(component string, o order) (*box, error) {
	b.grow()
	limit := len(b.boxes)
	x, err := b.find(component, o, limit)
	if err != nil {
		return nil, err
	}
	for looks := b.looks(o, x, limit); looks > 0 && len(b.boxes) < b.wanted; looks-- {
		b.grow()
	}
	if x == nil {
		return nil, nil
	}
	return x, b.put(x, component)
}

// looks is at how many of the first limit boxes the original looks until it
// comes to x. It is only known while boxes are missing.
func (b *builder) looks(o order, x *box, limit int) int {
	if x == nil || len(b.boxes) >= b.wanted {
		return limit
	}
	n := 1
	for _, other := range b.boxes[:limit] {
		if other != x && b.before(o, other, x) {
			n++
		}
	}
	return n
}

// put adds an instance of a component to a box.
func (b *builder) put(x *box, component string) error {
	r := b.instance(component)
	if total := x.sum.cpu + b.padding.CPU; x.edge && near(total+r.CPU, total, x.sum.count) {
		// The order of the sum may change and with it the last digit, so that
		// there is room for what there was none.
		b.room, x.edge = nil, false
	}
	b.task++
	index := b.next[component]
	b.next[component] = index + 1
	return x.add(Instance{Component: component, TaskID: b.task, Index: index, Resource: r})
}

// find looks for a box with room for an instance of a component: of the first
// limit boxes the first in the order of o, or nil.
func (b *builder) find(component string, o order, limit int) (*box, error) {
	r := b.instance(component)
	f := b.room[r]
	if f == nil {
		if b.room == nil || len(b.room) == mostFinders {
			b.room = map[Resource]*finder{}
		}
		f = &finder{}
		b.room[r] = f
	}
	takes := func(i int) (bool, error) { return b.boxes[i].takes(b.limits, r) }
	middle := b.from(o.first)
	high, err := f.find(middle, limit, takes)
	if err != nil {
		return nil, err
	}
	low, err := f.find(0, min(middle, limit), takes)
	if err != nil {
		return nil, err
	}
	switch {
	case high < 0 && low < 0:
		return nil, nil
	case low < 0, high >= 0 && b.before(o, b.boxes[high], b.boxes[low]):
		return b.boxes[high], nil
	}
	return b.boxes[low], nil
}

// from is the index of the first box with this id or a higher one.
func (b *builder) from(id int32) int {
	return sort.Search(len(b.boxes), func(i int) bool { return b.boxes[i].id >= id })
}

// box is the one of this id, a new one if there is none.
func (b *builder) box(id int32) *box {
	i := b.from(id)
	if i == len(b.boxes) || b.boxes[i].id != id {
		b.boxes = slices.Insert(b.boxes, i, &box{id: id})
		b.made = append(b.made, id)
		b.room = nil
	}
	return b.boxes[i]
}

// order is the one in which boxes are looked at: by id, from first on, and
// then those before it, as if their ids came after last.
type order struct{ first, last int32 }

// score compares as the original's scores do.
func (o order) score(id int32) int {
	if id >= o.first {
		return java.Int(1000 * float64(id-o.first))
	}
	return java.Int(1000 * float64(id+o.last))
}

// before says whether x comes before y. Where ids are beyond last both may
// have one score; then the order of the original's hash map decides.
func (b *builder) before(o order, x, y *box) bool {
	if i, j := o.score(x.id), o.score(y.id); i != j {
		return i < j
	}
	if len(b.places) != len(b.made) {
		b.places = make(map[int32]int, len(b.made))
		for i, id := range b.hashOrder() {
			b.places[id] = i
		}
	}
	return b.places[x.id] < b.places[y.id]
}

// hashOrder lists the boxes' ids in the order of the original's hash map.
func (b *builder) hashOrder() []int32 {
	return java.Order(b.made, java.DefaultCapacity,
		func(id int32) int32 { return id }, func(x, y int32) int { return int(x) - int(y) })
}

// plan is what was built. Empty boxes are not in it.
func (b *builder) plan() (*Plan, error) {
	p := &Plan{ID: b.planID}
	for _, id := range b.hashOrder() {
		x := b.boxes[b.from(id)]
		if x.sum.count == 0 {
			continue
		}
		c, err := x.container(b.padding)
		if err != nil {
			return nil, err
		}
		p.Containers = append(p.Containers, c)
	}
	return p.keepListing().sorted(), nil
}

// noRoom says that no box has room for an instance of a component.
func (b *builder) noRoom(component string) error {
	return refuse(ErrExceeded, fmt.Sprintf("raise %s, %s or %s",
		topology.KeyContainerCPU, topology.KeyContainerRAM, topology.KeyContainerDisk),
		"Insufficient resources to add '%s' instance to any of the %d containers.", component, len(b.boxes))
}

// unlimited is a number of instances of a container that is never reached.
const unlimited = math.MaxInt
