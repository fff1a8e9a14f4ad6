package cluster

import "slices"

// downTo is the highest count below the number of containers with these
// indexes from which growing to wanted gives indexes 0 to wanted-1, each once.
// Where there is none, it is one that brings the set nearer to that. Nomad takes
// the highest indexes away first, of a double index any one, and gives new
// containers the lowest free ones.
func downTo(wanted int, indexes []int) int {
	for count := min(len(indexes), wanted) - 1; count > 0; count-- {
		if heals(wanted, indexes, count) {
			return count
		}
	}
	surplus := 0
	for _, index := range indexes {
		if index < 0 || index >= wanted {
			surplus++
		}
	}
	return len(indexes) - max(surplus, 1)
}

// heals says whether what is left at a count, whichever Nomad leaves, can grow
// to a right set.
func heals(wanted int, indexes []int, count int) bool {
	remove := len(indexes) - count
	names := slices.Compact(slices.Sorted(slices.Values(indexes)))
	if remove > len(names) {
		return false
	}
	lowest, highest := names[len(names)-remove], names[len(names)-1]
	left, candidates := map[int]bool{}, 0
	for _, index := range indexes {
		switch {
		case index >= lowest:
			candidates++
		case left[index], index < 0, index >= wanted:
			return false
		default:
			left[index] = true
		}
	}
	// Of the candidates, as many stay as there are doubles among them.
	stay := candidates - remove
	return stay == 0 || stay == 1 && highest < wanted
}
