package conf

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/viper"
)

// layer is one source of values. Later layers win over earlier ones; viper
// keeps three ranks apart, and the order of files within theirs.
type layer struct {
	rank   rank
	source Source
	values map[string]*entry
}

type rank int

const (
	rankDefault rank = iota
	rankFile
	rankSet
)

// keyDelimiter splits viper's keys. It cannot occur in YAML nor on a command
// line, so that dots stay part of a key.
const keyDelimiter = "\x00"

// merge lays the layers over each other.
func merge(layers []layer) (map[string]*entry, error) {
	v := viper.NewWithOptions(viper.KeyDelimiter(keyDelimiter))
	for _, l := range layers {
		switch l.rank {
		case rankDefault:
			for k, e := range l.values {
				v.SetDefault(fold(k), e)
			}
		case rankFile:
			m := make(map[string]any, len(l.values))
			for k, e := range l.values {
				m[fold(k)] = e
			}
			if err := v.MergeConfigMap(m); err != nil {
				return nil, &Error{Source: l.source, Msg: "cannot be merged", Err: err}
			}
		case rankSet:
			for k, e := range l.values {
				v.Set(fold(k), e)
			}
		}
	}
	out := make(map[string]*entry)
	for _, k := range v.AllKeys() {
		if e, ok := v.Get(k).(*entry); ok {
			out[unfold(k)] = e
		}
	}
	return out, nil
}

// fold writes a key so that viper's lower-casing cannot change it: a letter
// that has a lower-case form becomes "^<code point>;".
func fold(key string) string {
	var b strings.Builder
	for _, r := range key {
		if r == '^' || unicode.ToLower(r) != r {
			b.WriteByte('^')
			b.WriteString(strconv.FormatInt(int64(r), 16))
			b.WriteByte(';')
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unfold undoes fold.
func unfold(key string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(key, "^")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		code, after, _ := strings.Cut(rest, ";")
		r, _ := strconv.ParseInt(code, 16, 32)
		b.WriteRune(rune(r))
		key = after
	}
}

// sortedKeys makes errors and texts come out the same each time.
func sortedKeys(m map[string]*entry) []string {
	return slices.Sorted(maps.Keys(m))
}
