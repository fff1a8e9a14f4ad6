package packing

import (
	"math"
	"slices"

	"github.com/heron-nomad/heron/internal/topology"
)

// dealing is one packing in turn.
type dealing struct {
	*builder
	def   *topology.Definition
	runs  []run
	total int
	// suspects are numbers of instances, counted from 0 as they are dealt.
	suspects []int
}

// run is the instances of a component, which come one after the other.
type run struct {
	count
	// first is the number of instances before it.
	first int
	needs Resource
}

func newDeal(def *topology.Definition, l *limits, counts []count) *dealing {
	d := &dealing{builder: newBuilder(def, l, 0), def: def}
	for _, c := range counts {
		d.runs = append(d.runs, run{count: c, first: d.total, needs: l.instance(c.component)})
		d.total += c.instances
	}
	return d
}

// pack deals to n containers or, if some overflow, to more.
func (d *dealing) pack(n int) (*Plan, error) {
	if err := checkTotal(d.total); err != nil {
		return nil, err
	}
	if err := d.checkAlone(); err != nil {
		return nil, cannotAdd(err, d.total)
	}
	if n < 1 || n > d.total {
		// Below 1 the original never comes back to its first container.
		n = d.total
	}
	for {
		over, err := d.deal(n)
		if err != nil {
			return nil, err
		}
		if over < 0 {
			return d.plan()
		}
		d.suspect(over, n)
		for n++; n < d.total && d.overflows(n); n++ {
		}
	}
}

// checkTotal refuses numbers of instances of which there is no plan.
func checkTotal(instances int) error {
	switch {
	case instances == 0:
		return refuse(ErrParallelism, "raise the parallelism of a component", "the topology has no instances")
	case instances > math.MaxInt32:
		return refuse(ErrParallelism, "lower the parallelism of a component",
			"%d instances are more than task ids can number", instances)
	}
	return nil
}

// checkAlone refuses instances for which even a container of their own is too
// small, or which have too little.
func (d *dealing) checkAlone() error {
	empty := &box{id: 1}
	for _, r := range d.runs {
		if r.instances == 0 {
			continue
		}
		if err := d.checkMinimum(r.component); err != nil {
			return err
		}
		ok, err := empty.takes(d.limits, r.needs)
		if err != nil {
			return err
		}
		if !ok {
			return empty.explain(d.limits, r.component)
		}
	}
	return nil
}

// deal deals to n containers. It returns the index of the first that
// overflows, or -1.
func (d *dealing) deal(n int) (int, error) {
	d.restart(len(d.boxes))
	d.extend(n - len(d.boxes))
	at := 0
	for _, r := range d.runs {
		for range r.instances {
			x := d.boxes[at]
			ok, err := x.takes(d.limits, r.needs)
			if err != nil {
				return 0, err
			}
			if !ok {
				return at, nil
			}
			if err := d.put(x, r.component); err != nil {
				return 0, err
			}
			if at++; at == n {
				at = 0
			}
		}
	}
	return -1, nil
}

// suspect notes instances whose container is likely to overflow again: one of
// the container that did, and those of the component of which an instance
// fills most of it.
func (d *dealing) suspect(index, n int) {
	heaviest, most := d.runs[0], -1.0
	for _, r := range d.runs {
		part := max(r.needs.CPU/d.capacity.CPU, float64(r.needs.RAM)/float64(d.capacity.RAM),
			float64(r.needs.Disk)/float64(d.capacity.Disk))
		if part > most && r.in(index, n) > 0 {
			heaviest, most = r, part
		}
	}
	for _, at := range []int{index, heaviest.first, heaviest.first + heaviest.instances - 1} {
		if !slices.Contains(d.suspects, at) {
			d.suspects = append(d.suspects, at)
		}
	}
	d.suspects = d.suspects[max(0, len(d.suspects)-mostSuspects):]
}

const mostSuspects = 12

// overflows says that some container surely overflows when there are n, so
// that the original would deal to them in vain.
func (d *dealing) overflows(n int) bool {
	return slices.ContainsFunc(d.suspects, func(at int) bool {
		cpu, ram, disk := d.padding.CPU, float64(d.padding.RAM), float64(d.padding.Disk)
		for _, r := range d.runs {
			instances := float64(r.in(at%n, n))
			cpu += instances * r.needs.CPU
			ram += instances * float64(r.needs.RAM)
			disk += instances * float64(r.needs.Disk)
		}
		return surely(cpu, d.capacity.CPU) || surely(ram, float64(d.capacity.RAM)) ||
			surely(disk, float64(d.capacity.Disk))
	})
}

// in is how many instances of the run come to a container when there are n.
func (r run) in(index, n int) int {
	below := func(end int) int { return (end + n - 1 - index) / n }
	return below(r.first+r.instances) - below(r.first)
}

// surely says that a sum is above a limit, however it was rounded.
func surely(sum, limit float64) bool { return sum > limit && sum-limit > 1e-9*sum }
