// Package packing decides which instance of a topology runs in which
// container, and how much CPU, RAM and disk each gets.
//
// It is pure: a definition and settings in, a plan out, nothing read and
// nothing written. Every algorithm gives the very plan that the original's
// class of the same name gives, down to the order of ties, so that a topology
// submitted by another client can be updated without moving instances.
package packing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/topology"
)

// Algorithm packs a definition. Its errors say what in the definition or the
// settings to change.
type Algorithm interface {
	// Pack makes a plan from nothing.
	Pack(def *topology.Definition) (*Plan, error)
	Repacker
}

// Repacker changes a plan. The definition is the one that was submitted: its
// numbers of instances may be out of date, those of the plan count. The plan
// handed in stays as it is.
//
// Errors are *Error; the kinds of them that callers tell apart are the Err
// variables of this package.
type Repacker interface {
	// Repack makes the plan that follows current. How many containers there
	// are then, and which instances move, is up to the algorithm. Ties depend
	// on current's listings.
	Repack(def *topology.Definition, current *Plan, changes []Change) (*Plan, error)
	// RepackContainers is Repack to this number of containers. Algorithms that
	// decide on the number themselves say ErrUnsupported.
	RepackContainers(def *topology.Definition, current *Plan, containers int, changes []Change) (*Plan, error)
}

// Change is by how many instances a component is to grow, or to shrink if the
// number is below 0. A list of them is in the order of the request, on which
// the order of ties may depend; each component is in it once.
type Change struct {
	Component string
	Delta     int
}

// Settings are the cluster's defaults for an instance whose definition says
// nothing else: cores, and bytes.
type Settings struct {
	InstanceCPU  float64
	InstanceRAM  int64
	InstanceDisk int64
}

// New makes the algorithm with this short name, in any case, or this Java
// class name. Its error names the algorithms there are.
func New(name string, s Settings) (Algorithm, error) {
	for _, a := range algorithms() {
		if strings.EqualFold(name, a.name) || name == a.class {
			return a.make(s), nil
		}
	}
	return nil, &Error{
		Stage:     StageChoose,
		Statement: fmt.Sprintf("packing algorithm %q is not supported", name),
		Hint:      "use one of " + strings.Join(Names(), ", "),
	}
}

// Names lists the short names that New knows, sorted.
func Names() []string {
	var names []string
	for _, a := range algorithms() {
		names = append(names, a.name)
	}
	slices.Sort(names)
	return names
}

type entry struct {
	name, class string
	make        func(Settings) Algorithm
}

func algorithms() []entry {
	return []entry{{
		name:  "roundrobin",
		class: "org.apache.heron.packing.roundrobin.RoundRobinPacking",
		make:  func(s Settings) Algorithm { return &roundRobin{Settings: s, minimum: minimumRAM, divide: true} },
	}, {
		name:  "roundrobinv2",
		class: "org.apache.heron.packing.roundrobin.RoundRobinPackingV2",
		make:  func(s Settings) Algorithm { return &roundRobin{Settings: s, minimum: minimumRAMV2} },
	}, {
		name:  "resourcecompliant",
		class: "org.apache.heron.packing.roundrobin.ResourceCompliantRRPacking",
		make:  func(s Settings) Algorithm { return &compliant{s} },
	}, {
		name:  "firstfit",
		class: "org.apache.heron.packing.binpacking.FirstFitDecreasingPacking",
		make:  func(s Settings) Algorithm { return &firstFit{s} },
	}}
}
