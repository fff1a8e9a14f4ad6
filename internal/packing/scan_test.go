package packing

import (
	"cmp"
	"slices"
	"testing"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// scanner repacks as the original does: for each instance it sorts all
// containers and tries them one by one, and it begins again with each
// container more. The algorithms must come to the same without all that.
type scanner struct {
	*builder
	total int
}

func (s *scanner) sorted(score ...func(x *box) int) []*box {
	var list []*box
	for _, id := range s.hashOrder() {
		list = append(list, s.boxes[s.from(id)])
	}
	slices.SortStableFunc(list, func(x, y *box) int {
		for _, f := range score {
			if c := cmp.Compare(f(x), f(y)); c != 0 {
				return c
			}
		}
		return 0
	})
	return list
}

func has(x *box, component string) int {
	n := 0
	for in := range x.all().All() {
		if in.Component == component {
			n++
		}
	}
	return n
}

func (s *scanner) remove(t *testing.T, component string) bool {
	t.Helper()
	s.grow()
	for _, x := range s.sorted(
		func(x *box) int {
			if n := has(x, component); n > 0 && n == x.sum.count {
				return 0
			}
			return 1
		},
		func(x *box) int { return x.sum.count },
		func(x *box) int {
			if x.sum.count == 0 {
				return 0
			}
			return -int(1000 * (float64(has(x, component)) / float64(x.sum.count)))
		},
		func(x *box) int { return -int(x.id) },
	) {
		s.grow()
		if _, ok := x.cut(component, 0); ok {
			return true
		}
	}
	return false
}

// add is the box that an instance was put into, nil if there is no room.
func (s *scanner) add(t *testing.T, component string, score func(x *box) int) *box {
	t.Helper()
	s.grow()
	for _, x := range s.sorted(score) {
		s.grow()
		if s.tryPut(t, x, component) {
			return x
		}
	}
	return nil
}

func (s *scanner) tryPut(t *testing.T, x *box, component string) bool {
	t.Helper()
	if s.checkMinimum(component) != nil {
		return false
	}
	ok, err := x.takes(s.limits, s.instance(component))
	if err != nil || ok && s.put(x, component) != nil {
		t.Fatal(err)
	}
	return ok
}

// shrink takes the instances out; false if there are not enough.
func (s *scanner) shrink(t *testing.T, down []Change) bool {
	t.Helper()
	for _, c := range down {
		for range -c.Delta {
			if !s.remove(t, c.Component) {
				return false
			}
		}
	}
	for _, x := range s.boxes {
		if err := x.settle(); err != nil {
			t.Fatal(err)
		}
	}
	return s.number(nil) == nil
}

func reopened(t *testing.T, def *topology.Definition, l *limits, current *Plan) *scanner {
	t.Helper()
	b, err := reopen(def, l, current)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := componentCounts(def)
	if err != nil {
		t.Fatal(err)
	}
	s := &scanner{builder: b}
	for _, c := range counts {
		s.total += c.instances
	}
	return s
}

// scanCompliant is what compliant.Repack comes to, nil if it fails.
func scanCompliant(t *testing.T, c *compliant, def *topology.Definition, current *Plan, changes []Change) *Plan {
	t.Helper()
	l, _, err := c.limits(def)
	if err != nil {
		t.Fatal(err)
	}
	down, up := split(changes)
	more, err := c.additional(def, current, down, up)
	if err != nil || len(down)+len(up) == 0 {
		return nil
	}
	for n := len(current.Containers) + more; ; {
		s := reopened(t, def, l, current)
		s.wanted = n
		if !s.shrink(t, down) {
			return nil
		}
		if s.growInTurn(t, up, n) {
			return s.finished(t)
		}
		if n++; n > s.total {
			return nil
		}
	}
}

func (s *scanner) growInTurn(t *testing.T, up []Change, n int) bool {
	t.Helper()
	o := order{first: 1, last: int32(n)}
	for _, c := range up {
		for range c.Delta {
			x := s.add(t, c.Component, func(x *box) int { return o.score(x.id) })
			if x == nil {
				return false
			}
			if o.first = x.id + 1; x.id == int32(n) {
				o.first = 1
			}
		}
	}
	return true
}

// scanFirstFit is what firstFit.Repack comes to, nil if it fails.
func scanFirstFit(t *testing.T, f *firstFit, def *topology.Definition, current *Plan, changes []Change) *Plan {
	t.Helper()
	l, cpuFirst, err := f.limits(def)
	if err != nil {
		t.Fatal(err)
	}
	down, up := split(changes)
	s := reopened(t, def, l, current)
	fill := &filling{builder: s.builder, containers: len(s.boxes), cpuFirst: cpuFirst}
	if len(down)+len(up) == 0 || !s.shrink(t, fill.sort(down)) || len(s.boxes) == 0 {
		return nil
	}
	for _, c := range fill.sort(up) {
		for range c.Delta {
			if s.add(t, c.Component, func(x *box) int { return java.Int(1000 * float64(x.id)) }) != nil {
				continue
			}
			if !s.tryPut(t, fill.open(), c.Component) {
				return nil
			}
		}
	}
	return s.finished(t)
}

func (s *scanner) finished(t *testing.T) *Plan {
	t.Helper()
	p, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
