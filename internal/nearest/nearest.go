// Package nearest finds the name that was probably meant by a misspelt one.
package nearest

import "iter"

// Name is the candidate that takes the fewest changes to reach from a word, and
// that number; of several the first in alphabetical order. Without candidates it
// is "".
func Name(word string, candidates iter.Seq[string]) (name string, changes int) {
	for c := range candidates {
		if d := distance(word, c); name == "" || d < changes || d == changes && c < name {
			name, changes = c, d
		}
	}
	return name, changes
}

// distance is Levenshtein's: how many letters to insert, delete or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
