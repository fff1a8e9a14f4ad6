package main

import (
	"cmp"
	"strings"

	"github.com/spf13/pflag"
)

// The command line of submit mixes our flags with the arguments of the user's
// program, which may look like anything. The rules, in the order in which
// they apply to each word:
//
//   - behind "--" everything is a positional or the program's; the "--"
//     itself goes unless the program's arguments have begun before it;
//   - before the class name every flag is ours, and one we do not know is an
//     error: it would shift the positionals;
//   - behind the class name only the flags that the original client had are
//     ours, in full and to the letter, because scripts put them last; all
//     else is the program's.

// split sorts the words of a submit command line.
type split struct {
	flags       []string // ours, for pflag
	positionals []string // cluster, file, class
	program     []string // the topology's own arguments
}

// splitSubmit applies the rules to args; original tells the flags that count
// behind the class name.
func splitSubmit(args []string, flags *pflag.FlagSet, original map[string]bool) (split, error) {
	var s split
	for i := 0; i < len(args); i++ {
		word := args[i]
		behind := len(s.positionals) == 3
		switch {
		case word == "--":
			if len(s.program) > 0 {
				s.program = append(s.program, word)
			}
			for _, rest := range args[i+1:] {
				s.add(rest)
			}
			return s, nil
		case !strings.HasPrefix(word, "-") || word == "-":
			s.add(word)
		default:
			used, ours, err := s.flag(args[i:], flags, original, behind)
			if err != nil {
				return split{}, err
			}
			if !ours {
				s.program = append(s.program, word)
				continue
			}
			i += used - 1
		}
	}
	return s, nil
}

func (s *split) add(word string) {
	if len(s.positionals) < 3 {
		s.positionals = append(s.positionals, word)
		return
	}
	s.program = append(s.program, word)
}

// flag takes the flag at the head of words, with its value, if it is ours.
func (s *split) flag(words []string, flags *pflag.FlagSet, original map[string]bool, behind bool) (used int, ours bool, err error) {
	name, _, hasValue := strings.Cut(words[0], "=")
	if name == "-h" {
		name = "--help"
	}
	f := flags.Lookup(strings.TrimPrefix(name, "--"))
	known := f != nil && strings.HasPrefix(name, "--")
	switch {
	case behind && (!known || !original[f.Name]):
		return 0, false, nil
	case !known:
		return 0, false, usagef("unknown flag %s before the class name%s Flags of the topology go after it", name, cmp.Or(suggestFlag(flags, name), "."))
	case hasValue || f.NoOptDefVal != "":
		s.flags = append(s.flags, words[0])
		return 1, true, nil
	case len(words) < 2:
		return 0, false, usagef("flag %s needs a value", name)
	}
	s.flags = append(s.flags, name+"="+words[1])
	return 2, true, nil
}
