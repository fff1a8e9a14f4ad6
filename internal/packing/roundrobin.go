package packing

import (
	"fmt"
	"math"
	"slices"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// What RoundRobinPacking keeps for Heron's own processes in a container, and
// the least it lets an instance have.
const (
	daemonRAM   bytes = 1 << 30
	paddingCPU  cores = 1
	paddingDisk bytes = 12 << 30
	// minimumRAMV2 is that of RoundRobinPackingV2.
	minimumRAM   bytes = 16 << 20
	minimumRAMV2 bytes = 192 << 20
)

// roundRobin is org.apache.heron.packing.roundrobin.RoundRobinPacking: it
// deals instances to containers in turn. In each container, what the
// container gets less Heron's own share is split evenly among the instances
// of components that the definition gives nothing of their own.
//
// Without divide it is RoundRobinPackingV2 of the same package: those get the
// cluster's default, however much the container has.
type roundRobin struct {
	Settings
	minimum bytes
	divide  bool
}

// Pack deals the definition's instances to as many containers as it asks for.
func (r *roundRobin) Pack(def *topology.Definition) (*Plan, error) {
	padding, err := paddingRAM(def)
	if err != nil {
		return nil, unreadable(StageInitialize, err)
	}
	containers, err := def.Stmgrs()
	if err != nil {
		return nil, unreadable(StagePack, err)
	}
	counts, err := componentCounts(def)
	if err != nil {
		return nil, unreadable(StagePack, err)
	}
	return r.pack(def, padding, containers, counts)
}

// paddingRAM is what Heron's own processes need in a container.
func paddingRAM(def *topology.Definition) (bytes, error) {
	stateful, err := def.Stateful()
	if err != nil {
		return 0, err
	}
	checkpoint := bytes(0)
	if stateful {
		checkpoint = daemonRAM
	}
	sum := bytes(0)
	for _, daemon := range []struct {
		key     string
		missing bytes
	}{
		{topology.KeyStmgrRAM, daemonRAM},
		{topology.KeyMetricsmgrRAM, daemonRAM},
		{topology.KeyCkptmgrRAM, checkpoint},
	} {
		n, err := bytesOf(def, daemon.key, daemon.missing)
		if err != nil {
			return 0, err
		}
		if sum, err = sum.plus(n); err != nil {
			return 0, err
		}
	}
	return bytesOf(def, topology.KeyContainerRAMPad, sum)
}

// count is how many instances of a component there are to be.
type count struct {
	component string
	instances int
}

// componentCounts lists components in the order of the original's hash map.
func componentCounts(def *topology.Definition) ([]count, error) {
	components, err := def.Components()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(components))
	instances := make(map[string]int, len(components))
	for i, c := range components {
		if c.Parallelism < 0 {
			return nil, fmt.Errorf("component %q: %s is %d: it must not be below 0",
				c.Name, topology.KeyParallelism, c.Parallelism)
		}
		names[i], instances[c.Name] = c.Name, c.Parallelism
	}
	counts := make([]count, 0, len(instances))
	for _, name := range java.StringOrder(names) {
		counts = append(counts, count{name, instances[name]})
	}
	return counts, nil
}

// pack deals the instances of counts to n containers. The definition gives
// resources only.
func (r *roundRobin) pack(def *topology.Definition, padding bytes, n int, counts []count) (*Plan, error) {
	total := 0
	for _, c := range counts {
		total += c.instances
	}
	if n < 1 {
		return nil, refuse(ErrContainers, "set "+topology.KeyStmgrs+" to 1 or more", "Invlaid number of container: %d", n)
	}
	if total > math.MaxInt32 {
		return nil, refuse(ErrParallelism, "lower the parallelism of a component",
			"%d instances are more than task ids can number", total)
	}
	if n > total {
		return nil, refuse(ErrContainers, "lower "+topology.KeyStmgrs+" or raise the parallelism of a component",
			"More containers (%d) allocated than instances (%d).", n, total)
	}
	ram, err := explicitRAM(def)
	if err != nil {
		return nil, unreadable(StagePack, err)
	}
	// The bigger go first, so that they end up in different containers.
	slices.SortStableFunc(counts, func(a, b count) int { return ram[b.component].compare(ram[a.component]) })
	plan := deal(def.ID(), n, total, counts)

	asked, err := requestOf(def)
	if err != nil {
		return nil, unreadable(StagePack, err)
	}
	if err := r.allot(def, plan, padding, asked, ram); err != nil {
		return nil, err
	}
	plan.Containers = plan.hashOrder()
	return plan.keepListing().sorted(), nil
}

// deal gives containers 1 to n one instance after the other, in turn.
func deal(id string, n, total int, counts []count) *Plan {
	p := &Plan{ID: id, Containers: make([]Container, n)}
	for i := range p.Containers {
		p.Containers[i] = Container{ID: int32(i + 1), Instances: make([]Instance, 0, (total-i+n-1)/n)}
	}
	task := 0
	for _, c := range counts {
		for index := range c.instances {
			to := &p.Containers[task%n]
			task++
			to.Instances = append(to.Instances,
				Instance{Component: c.component, TaskID: int32(task), Index: int32(index)})
		}
	}
	return p
}
