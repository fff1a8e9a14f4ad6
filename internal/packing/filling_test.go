package packing

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

// random is a topology that algorithms which fill containers find hard, with
// how many instances each component has.
type random struct {
	*rand.Rand
	def       *topology.Definition
	settings  Settings
	instances map[string]int
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func newRandom(t *testing.T, seed uint64) *random {
	t.Helper()
	r := &random{Rand: rand.New(rand.NewPCG(seed, 2)), instances: map[string]int{}}
	var components, ram, cpu []string
	for range 1 + r.IntN(6) {
		name := fmt.Sprintf("%s%d", pick(r.Rand, "a", "Aa", "BB"), r.IntN(20))
		if r.instances[name] > 0 {
			continue
		}
		r.instances[name] = 1 + r.IntN(20)
		components = append(components, fmt.Sprintf("%s:%d", name, r.instances[name]))
		ram = append(ram, fmt.Sprintf("%s:%d", name, 201326592+r.Int64N(1<<31)))
		cpu = append(cpu, name+":"+pick(r.Rand, "0.1", "0.3", "0.7", "1.1"))
	}
	config := []string{
		fmt.Sprintf("stmgrs=%d", 1+r.IntN(12)),
		fmt.Sprintf("container.max.instances=%d", 4+r.IntN(9)),
		"component.rammap=" + strings.Join(ram[r.IntN(len(ram)):], ","),
		"component.cpumap=" + strings.Join(cpu[r.IntN(len(cpu)):], ","),
	}
	if r.IntN(2) == 0 {
		config = append(config, "container.cpu="+pick(r.Rand, "2.1", "3.3", "4.2"))
	}
	r.def = define(t, strings.Join(components, " "), config...)
	r.settings = Settings{InstanceCPU: pick(r.Rand, 0.5, 1, 0.1), InstanceRAM: 1 << 30, InstanceDisk: 1 << 30}
	return r
}

// changes are some that can be made, and notes what comes of them.
func (r *random) changes() []Change {
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(r.instances)) {
		if r.IntN(3) == 0 {
			continue
		}
		delta := 1 + r.IntN(8)
		if n := r.instances[name]; n > 0 && r.IntN(2) == 0 {
			delta = -1 - r.IntN(n)
		}
		changes = append(changes, Change{Component: name, Delta: delta})
	}
	return changes
}

func TestFillingKeepsItsPromises(t *testing.T) {
	packed, repacked := 0, 0
	for seed := range uint64(testenv.Times(150, 10_000)) {
		r := newRandom(t, seed)
		for _, name := range []string{"resourcecompliant", "firstfit"} {
			r.instances = counted(t, r.def)
			alg, err := New(name, r.settings)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := alg.Pack(r.def)
			if err != nil {
				continue
			}
			packed++
			where := fmt.Sprintf("seed %d: %s", seed, name)
			checkComplete(t, where, plan, r.instances)
			checkLimits(t, where, r, plan, nil)
			for i, c := range plan.Containers {
				if int(c.ID) != i+1 {
					t.Errorf("%s: container %d has id %d", where, i+1, c.ID)
				}
			}
			for range 3 {
				changes := r.changes()
				next := checkRepack(t, where, r, alg, plan, changes)
				if next == nil {
					continue
				}
				repacked++
				for _, c := range changes {
					r.instances[c.Component] += c.Delta
				}
				checkComplete(t, where, next, r.instances)
				plan = next
			}
		}
	}
	if packed < 100 || repacked < 150 {
		t.Errorf("%d plans and %d changes of them could be made", packed, repacked)
	}
}

func counted(t *testing.T, def *topology.Definition) map[string]int {
	t.Helper()
	counts, err := componentCounts(def)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]int{}
	for _, c := range counts {
		m[c.component] = c.instances
	}
	return m
}

// checkRepack changes a plan in both ways and returns the new plan, nil if
// there is none.
func checkRepack(t *testing.T, where string, r *random, alg Algorithm, plan *Plan, changes []Change) *Plan {
	t.Helper()
	where = fmt.Sprintf("%s %v", where, changes)
	before := plan.clone()
	got, err := alg.Repack(r.def, plan, changes)
	var want *Plan
	switch a := alg.(type) {
	case *compliant:
		want = scanCompliant(t, a, r.def, plan, changes)
	case *firstFit:
		want = scanFirstFit(t, a, r.def, plan, changes)
	}
	if (got == nil) != (err != nil) || (want == nil) != (got == nil) || got != nil && !slices.Equal(encode(t, want), encode(t, got)) {
		t.Fatalf("%s: error %v, plan\n%s\nwhere the original's way gives\n%s", where, err, describe(got), describe(want))
	}
	if !cmp.Equal(before, plan) {
		t.Errorf("%s: the plan handed in has changed", where)
	}
	if got == nil {
		return nil
	}
	checkLimits(t, where, r, got, before)
	again, err := alg.Repack(r.def, plan, changes)
	if err != nil || !cmp.Equal(got, again) {
		t.Errorf("%s: a second time the plan is another, or %v", where, err)
	}
	checkStays(t, where, before, got, changes)
	return got
}

func describe(p *Plan) string {
	if p == nil {
		return "none"
	}
	return short(p)
}

// checkComplete wants every instance once.
func checkComplete(t *testing.T, where string, p *Plan, want map[string]int) {
	t.Helper()
	tasks, total := map[int32]bool{}, map[string]int{}
	indexes := map[string]bool{}
	for _, c := range p.Containers {
		if len(c.Instances) == 0 {
			t.Errorf("%s: container %d is empty", where, c.ID)
		}
		for _, in := range c.Instances {
			index := fmt.Sprint(in.Component, " ", in.Index)
			if tasks[in.TaskID] || indexes[index] || in.TaskID < 1 || in.Index < 0 {
				t.Errorf("%s: task %d, instance %s again, or no number", where, in.TaskID, index)
			}
			tasks[in.TaskID], indexes[index] = true, true
			total[in.Component]++
		}
	}
	for name, n := range want {
		if total[name] != n {
			t.Errorf("%s: %d instances of %s, want %d", where, total[name], name, n)
		}
	}
}

// checkLimits wants no container over its limit, but for those that were.
func checkLimits(t *testing.T, where string, r *random, p, before *Plan) {
	t.Helper()
	l, err := limitsOf(r.def, r.settings)
	if err != nil {
		t.Fatal(err)
	}
	old := map[int32]int{}
	if before != nil {
		for _, c := range before.Containers {
			old[c.ID] = len(c.Instances)
		}
	}
	for _, c := range p.Containers {
		if n, ok := old[c.ID]; ok && len(c.Instances) <= n {
			continue
		}
		sum := l.padding
		for _, in := range c.Instances {
			sum.CPU += in.Resource.CPU
			sum.RAM += in.Resource.RAM
			sum.Disk += in.Resource.Disk
		}
		if sum.CPU > l.capacity.CPU*(1+1e-12) || sum.RAM > l.capacity.RAM || sum.Disk > l.capacity.Disk {
			t.Errorf("%s: container %d needs %v, over its limit %v", where, c.ID, sum, l.capacity)
		}
		if c.Required.RAM != sum.RAM || c.Required.Disk != sum.Disk {
			t.Errorf("%s: container %d asks for %v, needs %v", where, c.ID, c.Required, sum)
		}
	}
}

// checkStays wants what is in both plans to be where it was, and only
// components that shrink to lose instances.
func checkStays(t *testing.T, where string, before, after *Plan, changes []Change) {
	t.Helper()
	type place struct {
		container int32
		Instance
	}
	now := map[place]bool{}
	for _, c := range after.Containers {
		for _, in := range c.Instances {
			now[place{c.ID, in}] = true
		}
	}
	lost := map[string]int{}
	for _, c := range before.Containers {
		for _, in := range c.Instances {
			if !now[place{c.ID, in}] {
				lost[in.Component]++
			}
		}
	}
	for _, c := range changes {
		if n := max(0, -c.Delta); lost[c.Component] != n {
			t.Errorf("%s: %d instances of %s are not where they were, want %d", where, lost[c.Component], c.Component, n)
		}
		delete(lost, c.Component)
	}
	if len(lost) > 0 {
		t.Errorf("%s: %v moved without a change", where, lost)
	}
}
