package submit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
)

const mebibyte = 1 << 20

// leastJVM is the least memory of an instance in which a Java machine starts: the
// executor takes 192 MiB of it for code and classes, and a heap has 2 MiB at
// least.
const leastJVM = 194 * mebibyte

// warnOfHeap says which components of a Java topology will never run, because the
// executor would start their instances without a heap. It does so again and
// again, and Nomad sees nothing of it.
func (s *submission) warnOfHeap() {
	if s.m.in.PackageType != "jar" && s.m.in.PackageType != "tar" {
		return
	}
	for _, i := range smallInstances(s.m.Stored, leastJVM) {
		s.cl.Progress.Warn("submit", outcome.Resource{Kind: outcome.Topology, ID: s.name}, fmt.Sprintf(
			"the instances of %s get %d MiB each, of which the engine takes 192 MiB before the heap, so Java cannot start; give them more than %d MiB in topology.component.rammap or heron.resources.instance.ram",
			i.Component, i.Resource.RAM/mebibyte, leastJVM/mebibyte-1), nil)
	}
}

// smallInstances are one instance of each component of which one has less memory,
// by name.
func smallInstances(plan *packing.Plan, least int64) []packing.Instance {
	var small []packing.Instance
	for _, c := range plan.Containers {
		for _, i := range c.Instances {
			if i.Resource.RAM < least && !slices.ContainsFunc(small, func(o packing.Instance) bool { return o.Component == i.Component }) {
				small = append(small, i)
			}
		}
	}
	slices.SortFunc(small, func(a, b packing.Instance) int { return cmp.Compare(a.Component, b.Component) })
	return small
}
