package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// suggestFlag is what to add to the error about an unknown flag: the flag that
// was probably meant, "" where none is near.
func suggestFlag(flags *pflag.FlagSet, word string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	best, near := "", 3
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		if d := distance(bare(name), bare(f.Name)); d < near && d < len(name)/2 {
			best, near = f.Name, d
		}
	})
	if best == "" {
		return ""
	}
	return "; did you mean --" + best + "?"
}

// bare is a name without what people get wrong about it.
func bare(name string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
}

// distance is Levenshtein's: how many letters to insert, remove or change.
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
