package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Placed is one container that Nomad wants to run, as far as its index counts.
type Placed struct {
	// Index is the container's; Allocation its allocation's id.
	Index      int
	Allocation string
	// TopologyID is the one of the job's version that it runs, "" where Nomad
	// does not keep that version any more.
	TopologyID string
}

// Indexes is how a set of containers differs from the one that a topology
// needs: indexes 0 to Wanted-1, each once, all of the same topology id. Nomad
// promises its indexes only as "best effort".
type Indexes struct {
	Wanted int `json:"wanted"`
	// Missing are indexes that no container has.
	Missing []int `json:"missing"`
	// Doubled are indexes that several containers have.
	Doubled []int `json:"doubled"`
	// Surplus are indexes of Wanted and above, and negative ones.
	Surplus []int `json:"surplus"`
	// Foreign are the allocations of another topology id.
	Foreign []string `json:"foreign"`
}

// CheckIndexes compares containers with the set of a topology of so many
// containers, that of the TManager included. Containers without a topology id
// count as the topology's.
func CheckIndexes(wanted int, topologyID string, placed []Placed) Indexes {
	x := Indexes{Wanted: wanted, Missing: []int{}, Doubled: []int{}, Surplus: []int{}, Foreign: []string{}}
	times := map[int]int{}
	for _, p := range placed {
		times[p.Index]++
		if p.TopologyID != "" && p.TopologyID != topologyID {
			x.Foreign = append(x.Foreign, p.Allocation)
		}
	}
	for index := range wanted {
		if times[index] == 0 {
			x.Missing = append(x.Missing, index)
		}
	}
	for index, n := range times {
		if index < 0 || index >= wanted {
			x.Surplus = append(x.Surplus, index)
		}
		if n > 1 {
			x.Doubled = append(x.Doubled, index)
		}
	}
	slices.Sort(x.Doubled)
	slices.Sort(x.Surplus)
	slices.Sort(x.Foreign)
	return x
}

// Exact says that the set is the one that the topology needs.
func (x Indexes) Exact() bool { return len(x.Missing) == 0 && !x.Wrong() }

// Wrong says that there are containers which must not be there. Waiting does
// not mend that; what is only missing may still come.
func (x Indexes) Wrong() bool { return len(x.Doubled)+len(x.Surplus)+len(x.Foreign) > 0 }

// String says what differs, "" where nothing does.
func (x Indexes) String() string {
	var parts []string
	add := func(what string, indexes []int) {
		if len(indexes) > 0 {
			parts = append(parts, what+" "+Ranges(indexes))
		}
	}
	add("missing", x.Missing)
	add("more than once", x.Doubled)
	add("not in the plan", x.Surplus)
	if len(x.Foreign) > 0 {
		parts = append(parts, "of another topology id: allocation "+strings.Join(x.Foreign, ", "))
	}
	return strings.Join(parts, "; ")
}

// Ranges writes sorted numbers in short, as "0-3, 7".
func Ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		text := strconv.Itoa(numbers[i])
		if j > i {
			text = fmt.Sprintf("%d-%d", numbers[i], numbers[j])
		}
		parts = append(parts, text)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}
