package packing

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
)

// grow makes changes of "component:delta component:delta".
func grow(t testing.TB, changes string) []Change {
	t.Helper()
	var list []Change
	for _, item := range strings.Fields(changes) {
		name, delta, ok := strings.Cut(item, ":")
		c := Change{Component: name}
		if _, err := fmt.Sscanf(delta, "%d", &c.Delta); err != nil || !ok {
			t.Fatalf("change %q: %v", item, err)
		}
		list = append(list, c)
	}
	return list
}

// names lists of each container its instances.
func names(p *Plan) string {
	var parts []string
	for _, c := range p.Containers {
		var in []string
		for _, i := range c.Instances {
			in = append(in, fmt.Sprintf("%d=%s%d", i.TaskID, i.Component, i.Index))
		}
		parts = append(parts, fmt.Sprintf("%d[%s]", c.ID, strings.Join(in, " ")))
	}
	return strings.Join(parts, " ")
}

func TestRedealRules(t *testing.T) {
	for _, c := range []struct {
		rule, components string
		stmgrs           int
		changes          string
		// containers is the number to repack to, 0 if none is given.
		containers int
		want       string
	}{
		{"containers grow with the instances", "a:4", 2, "a:2", 0,
			"1[1=a0 4=a3] 2[2=a1 5=a4] 3[3=a2 6=a5]"},
		{"and shrink", "a:4", 2, "a:-2", 0,
			"1[1=a0 2=a1]"},
		{"a part of a container is one", "a:5", 2, "a:1", 0,
			"1[1=a0 4=a3] 2[2=a1 5=a4] 3[3=a2 6=a5]"},
		{"everything is dealt anew, with other task ids", "a:1 b:2", 1, "a:1 b:-1", 0,
			"1[1=a0 2=a1 3=b0]"},
		{"without a change it is dealt anew too", "a:2 b:2", 2, "", 0,
			"1[1=a0 3=b0] 2[2=a1 4=b1]"},
		{"a component that loses all is gone", "a:2 b:2", 2, "b:-2", 0,
			"1[1=a0 2=a1]"},
		{"the number of containers may be given", "a:4", 2, "a:1", 4,
			"1[1=a0 5=a4] 2[2=a1] 3[3=a2] 4[4=a3]"},
		{"but the number that there are leaves it to the rule", "a:4", 2, "a:2", 2,
			"1[1=a0 4=a3] 2[2=a1 5=a4] 3[3=a2 6=a5]"},
	} {
		for _, alg := range []string{"roundrobin", "roundrobinv2"} {
			t.Run(alg+" "+c.rule, func(t *testing.T) {
				by, err := New(alg, plain)
				if err != nil {
					t.Fatal(err)
				}
				def := define(t, c.components, fmt.Sprintf("stmgrs=%d", c.stmgrs))
				current, err := by.Pack(def)
				if err != nil {
					t.Fatal(err)
				}
				var p *Plan
				if c.containers == 0 {
					p, err = by.Repack(def, current, grow(t, c.changes))
				} else {
					p, err = by.RepackContainers(def, current, c.containers, grow(t, c.changes))
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := names(p); got != c.want || p.ID != "t-id" {
					t.Errorf("plan %s\n %s, want\n %s", p.ID, got, c.want)
				}
			})
		}
	}
}

// What the plan became meanwhile does not count for the instances of a
// container, what the definition said does.
func TestRedealGoesByTheDefinition(t *testing.T) {
	by := &roundRobin{Settings: plain, divide: true}
	def := define(t, "a:4", "stmgrs=2")
	current, err := by.Pack(def)
	if err != nil {
		t.Fatal(err)
	}
	spread, err := by.RepackContainers(def, current, 4, nil)
	if err != nil || len(spread.Containers) != 4 {
		t.Fatalf("plan %v, error %v, want 4 containers", spread, err)
	}
	back, err := by.Repack(def, spread, nil)
	if diff := cmp.Diff(current, back); err != nil || diff != "" {
		t.Errorf("error %v, plan differs from the first:\n%s", err, diff)
	}
}

func TestRedealRefuses(t *testing.T) {
	for _, c := range []struct {
		why, changes string
		containers   int
		kind         error
		want         string
	}{
		{"no such component", "c:1", 0, ErrComponent,
			"Invalid component name in update request: c. Valid components include: [a, b]"},
		{"less than none", "a:-4", 0, ErrParallelism, `component "a" has 3 instances and cannot have -4`},
		{"more than can be counted", fmt.Sprintf("a:%d", math.MaxInt32), 0, ErrParallelism, `component "a" has 3 instances`},
		{"more of all than can be counted", fmt.Sprintf("a:%d", math.MaxInt32-3), 0, ErrParallelism,
			"2147483648 instances are more than task ids can number"},
		{"nothing left", "a:-3 b:-1", 0, ErrContainers, "Invlaid number of container: 0"},
		{"no container", "", 0 - 1, ErrContainers, "Invlaid number of container: -1"},
		{"more containers than instances", "", 5, ErrContainers, "More containers (5) allocated than instances (4)."},
		{"a container that is too full", "", 1, ErrExceeded, "Total instance RAM"},
	} {
		t.Run(c.why, func(t *testing.T) {
			by := &roundRobin{Settings: plain}
			def := define(t, "a:3 b:1", "stmgrs=2", "container.ram=3221225472")
			current, err := by.Pack(def)
			if err != nil {
				t.Fatal(err)
			}
			var p *Plan
			if c.containers == 0 {
				p, err = by.Repack(def, current, grow(t, c.changes))
			} else {
				p, err = by.RepackContainers(def, current, c.containers, grow(t, c.changes))
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || !errors.Is(err, c.kind) || e.Stage != StageRepack || e.Kind() != outcome.Usage ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("plan %v, error %v (%T), want a *Error of the repack stage: %v: %s", p, err, err, c.kind, c.want)
			}
		})
	}
}

func TestRedealKeepsItsPromises(t *testing.T) {
	for seed := range uint64(testenv.Times(100, 20_000)) {
		random := rand.New(rand.NewPCG(seed, 2))
		components, instances, total := randomComponents(random)
		n := 1 + random.IntN(total)
		def := define(t, components, fmt.Sprintf("stmgrs=%d", n))
		by := &roundRobin{Settings: plain, divide: seed%2 == 0}
		current, err := by.Pack(def)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		before := current.clone()

		most := (total + n - 1) / n
		average := float64(total) / float64(n)
		var changes []Change
		for name, had := range instances {
			if random.IntN(2) == 0 {
				continue
			}
			delta := random.IntN(20) - min(had-1, 10)
			changes = append(changes, Change{name, delta})
			instances[name] += delta
			total += delta
		}
		p, err := by.Repack(def, current, changes)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkPlan(t, seed, p, int(math.Ceil(float64(total)/average)), total, instances)
		for _, c := range p.Containers {
			if len(c.Instances) > most {
				t.Errorf("seed %d: container %d has %d instances, more than any of the definition's (%d)",
					seed, c.ID, len(c.Instances), most)
			}
		}
		if !cmp.Equal(before, current) {
			t.Errorf("seed %d: the plan handed in has changed", seed)
		}
		random.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
		if again, err := by.Repack(def, current, changes); err != nil || !cmp.Equal(p, again) {
			t.Errorf("seed %d: the same request gave another plan, or %v", seed, err)
		}
		if !cmp.Equal(p, Dense(p)) {
			t.Errorf("seed %d: ids have holes", seed)
		}
	}
}
