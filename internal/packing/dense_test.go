package packing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

// numbered makes a plan of containers with these ids. The one instance of
// each has the id as task id, so that it can be told where it went.
func numbered(ids ...int32) *Plan {
	p := &Plan{ID: "t-id"}
	for _, id := range ids {
		p.Containers = append(p.Containers, Container{
			ID: id, Instances: []Instance{{Component: "a", TaskID: id}}, Scheduled: &Resource{CPU: float64(id)},
		})
	}
	return p
}

func TestDense(t *testing.T) {
	for _, c := range []struct {
		rule string
		ids  []int32
		// want is which container is 1, 2, ... now.
		want []int32
	}{
		{"nothing to do", []int32{1, 2, 3}, []int32{1, 2, 3}},
		{"no container", nil, nil},
		{"a hole is filled by the highest", []int32{1, 3, 4, 5}, []int32{1, 5, 3, 4}},
		{"holes are filled in order", []int32{2, 5, 6, 9}, []int32{5, 2, 6, 9}},
		{"all are too high", []int32{7, 8}, []int32{7, 8}},
		{"the order of the plan does not matter", []int32{4, 1}, []int32{1, 4}},
		{"an id that comes again counts as too high", []int32{1, 1, 2}, []int32{1, 2, 1}},
		{"the TManager's id is none for a plan", []int32{0, 1, 4}, []int32{1, 0, 4}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := numbered(c.ids...)
			got := Dense(p)
			var was []int32
			for i, container := range got.Containers {
				if int(container.ID) != i+1 {
					t.Errorf("container %d of the plan has id %d", i+1, container.ID)
				}
				was = append(was, container.Instances[0].TaskID)
			}
			if !slices.Equal(was, c.want) {
				t.Errorf("containers 1 to %d were %v, want %v", len(was), was, c.want)
			}
			if diff := cmp.Diff(numbered(c.ids...), p); diff != "" {
				t.Errorf("the plan handed in has changed:\n%s", diff)
			}
		})
	}
}

func TestDenseMovesTheFewest(t *testing.T) {
	for seed := range uint64(testenv.Times(200, 100_000)) {
		random := rand.New(rand.NewPCG(seed, 4))
		n := 1 + random.IntN(20)
		var ids []int32
		tooHigh := 0
		for _, id := range random.Perm(3 * n)[:n] {
			ids = append(ids, int32(id+1))
			if id+1 > n {
				tooHigh++
			}
		}
		p := numbered(ids...)
		got := Dense(p)
		moved, seen := 0, map[int32]bool{}
		for i, c := range got.Containers {
			was := c.Instances[0].TaskID
			if int(c.ID) != i+1 || seen[was] || !cmp.Equal(c.Scheduled, &Resource{CPU: float64(was)}) {
				t.Errorf("seed %d: container %d of %v is %v", seed, i+1, ids, c)
			}
			seen[was] = true
			if was != c.ID {
				moved++
			}
		}
		if moved != tooHigh || len(seen) != n {
			t.Errorf("seed %d: %v: %d of %d containers moved, want %d of %d", seed, ids, moved, len(seen), tooHigh, n)
		}
		if again := Dense(got); !cmp.Equal(again, got) {
			t.Errorf("seed %d: what is dense changed again: %s", seed, fmt.Sprint(again))
		}
	}
}
