package main

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/nearest"
)

// suggestFlag is what to add to the error about an unknown flag: the flag that
// was probably meant, "" where none is near.
func suggestFlag(flags *pflag.FlagSet, word string) string {
	word, _, _ = strings.Cut(strings.TrimLeft(word, "-"), "=")
	var names []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	name, changes := nearest.Name(strings.ReplaceAll(word, "_", "-"), slices.Values(names))
	if changes > 2 || changes >= len(word)/2 {
		return ""
	}
	return "; did you mean --" + name + "?"
}
