package packing

import (
	"math"

	"github.com/heron-nomad/heron/internal/packing/java"
)

// growth adds instances to what is left of a plan.
type growth struct {
	*builder
	remover *remover
	up      []Change
}

// pack adds to n containers or, where there is no room, to more. It gives up
// beyond the number of instances that the definition has.
func (g *growth) pack(n, instances int) (*Plan, error) {
	if err := g.number(g.up); err != nil {
		return nil, err
	}
	for _, c := range g.up {
		if err := g.checkMinimum(c.Component); err != nil {
			return nil, cannotAdd(err, instances)
		}
	}
	before := len(g.boxes)
	for {
		if n > mostContainers {
			return nil, refuse(ErrContainers, "change less at once", "the change needs %d containers", n)
		}
		g.restart(before)
		g.wanted = n
		g.extend(g.remover.grown(n - before))
		full, err := g.add()
		if err != nil {
			return nil, err
		}
		if full == "" {
			return g.plan()
		}
		err = g.noRoom(full)
		g.restart(before)
		if n = max(n+1, g.least()); n > instances {
			return nil, cannotAdd(err, instances)
		}
	}
}

// add adds the instances in turn: each goes into the first container with room
// after the last one's. It returns the component for which there was none.
func (g *growth) add() (string, error) {
	o := order{first: 1, last: int32(g.wanted)}
	for _, c := range g.up {
		for range c.Delta {
			x, err := g.place(c.Component, o)
			if err != nil {
				return "", err
			}
			if x == nil {
				return c.Component, nil
			}
			if o.first = x.id + 1; x.id == o.last {
				o.first = 1
			}
		}
	}
	return "", nil
}

// least is a number of containers below which there surely is no room, so that
// the original would try them in vain: if all instances needed as little as
// the smallest, or those of one component were alone.
func (g *growth) least() int {
	smallest := g.instance(g.up[0].Component)
	total, most := 0, 0
	for _, c := range g.up {
		r := g.instance(c.Component)
		smallest = Resource{CPU: min(smallest.CPU, r.CPU), RAM: min(smallest.RAM, r.RAM), Disk: min(smallest.Disk, r.Disk)}
		total += c.Delta
		most = max(most, g.leastFor(r, c.Delta))
	}
	return max(most, g.leastFor(smallest, total))
}

// leastFor is least for n instances of needs r.
func (g *growth) leastFor(r Resource, n int) int {
	for _, x := range g.boxes {
		n -= g.holds(x, r)
	}
	if n <= 0 {
		return 0
	}
	each := g.holds(&box{}, r)
	if each == 0 {
		return math.MaxInt
	}
	return len(g.boxes) + (n+each-1)/each
}

// holds is a number of instances of needs r for which a box surely has no more
// room than that.
func (g *growth) holds(x *box, r Resource) int {
	n := float64(g.perContainer)
	for _, d := range [][4]float64{
		{g.capacity.CPU, g.padding.CPU, x.sum.cpu, r.CPU},
		{float64(g.capacity.RAM), float64(g.padding.RAM), float64(x.sum.ram), float64(r.RAM)},
		{float64(g.capacity.Disk), float64(g.padding.Disk), float64(x.sum.disk), float64(r.Disk)},
	} {
		capacity, used, each := d[0], d[1]+d[2], d[3]
		if each > 0 {
			n = min(n, math.Floor((capacity-used)/each+1e-9*(1+math.Abs(capacity)/each)))
		}
	}
	return int(max(0, min(n, math.MaxInt32)))
}

// split parts changes into shrinking and growing components, both in the
// order in which the original goes through them.
func split(changes []Change) (down, up []Change) {
	delta := make(map[string]int, len(changes))
	var names []string
	for _, c := range changes {
		delta[c.Component] = c.Delta
		names = append(names, c.Component)
	}
	var shrink, grow []string
	for _, name := range java.StringOrder(names) {
		switch n := delta[name]; {
		case n < 0:
			shrink = append(shrink, name)
		case n > 0:
			grow = append(grow, name)
		}
	}
	list := func(names []string) []Change {
		var list []Change
		for _, name := range java.StringOrder(names) {
			list = append(list, Change{name, delta[name]})
		}
		return list
	}
	return list(shrink), list(grow)
}

func unchanged() error {
	return &Error{
		Stage: StageRepack, Class: ErrUnchanged,
		Statement: "no component grows or shrinks",
	}
}
