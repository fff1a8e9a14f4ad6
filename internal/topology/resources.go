package topology

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// ResourceMap reads one of the maps from component to a number of bytes:
// KeyComponentRAMMap or KeyComponentDiskMap. Components that it does not name
// are not in the result.
func (d *Definition) ResourceMap(key string) (map[string]int64, error) {
	entries, err := d.componentMap(key)
	if err != nil {
		return nil, err
	}
	result := make(map[string]int64, len(entries))
	for _, e := range entries {
		n, err := strconv.ParseInt(e.value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: component %q has %q, not a whole number of bytes", key, e.component, e.value)
		}
		result[e.component] = n
	}
	return result, nil
}

// CPUMap reads KeyComponentCPUMap: from component to a number of cores.
func (d *Definition) CPUMap() (map[string]float64, error) {
	entries, err := d.componentMap(KeyComponentCPUMap)
	if err != nil {
		return nil, err
	}
	result := make(map[string]float64, len(entries))
	for _, e := range entries {
		n, err := javaDouble(e.value)
		if err != nil {
			return nil, fmt.Errorf("%s: component %q has %q, not a number of cores", KeyComponentCPUMap, e.component, e.value)
		}
		result[e.component] = n
	}
	return result, nil
}

type mapEntry struct{ component, value string }

// componentMap splits "component:value,component:value". Blank pieces count
// for nothing, as do colons at the end of a piece; of a component named twice
// the last value counts. The parallelism of all components must be readable,
// since the original looks for the components' names there.
func (d *Definition) componentMap(key string) ([]mapEntry, error) {
	if _, err := d.Components(); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	d.components(func(c *heronpb.Component, _ bool) { known[c.GetName()] = true })

	var entries []mapEntry
	at := map[string]int{}
	for _, piece := range strings.Split(text(d.pb.GetTopologyConfig(), key, ""), ",") {
		if javaTrim(piece) == "" {
			continue
		}
		parts := strings.Split(strings.TrimRight(piece, ":"), ":")
		if len(parts) != 2 {
			return nil, fmt.Errorf("%s: %q is not of the form component:value", key, piece)
		}
		e := mapEntry{component: parts[0], value: parts[1]}
		if !known[e.component] {
			return nil, fmt.Errorf("%s names component %q, which the topology does not have", key, e.component)
		}
		if i, twice := at[e.component]; twice {
			entries[i] = e
			continue
		}
		at[e.component] = len(entries)
		entries = append(entries, e)
	}
	return entries, nil
}

// javaTrim cuts off what Java's String.trim does: everything up to the space,
// and nothing beyond ASCII.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// doubleSyntax is that of Java's Double.parseDouble, but for its hexadecimal
// numbers.
var doubleSyntax = lazyregexp.New(`^[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?)$`)

func javaDouble(s string) (float64, error) {
	s = javaTrim(s)
	if !doubleSyntax.MatchString(s) {
		return 0, errors.New("not a number")
	}
	switch strings.TrimLeft(s, "+-") {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(sign(s)), nil
	}
	n, err := strconv.ParseFloat(strings.TrimRight(s, "dDfF"), 64)
	if errors.Is(err, strconv.ErrRange) {
		return n, nil
	}
	return n, err
}

func sign(s string) int {
	if strings.HasPrefix(s, "-") {
		return -1
	}
	return 1
}
